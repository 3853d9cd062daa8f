package node

import (
	"context"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// A group is closed at either bound.
const (
	maxGroupRequests = 4096
	maxGroupBytes    = 8 * mebi
)

// A request is an append on its way through the writer, which sets result or
// err before it closes done.
type request struct {
	Append
	kind      kind
	run       func(*writer) error // when set, this is all the writer does for it
	footprint int64
	done      chan struct{}
	result    Appended
	err       error
}

// writer is the only goroutine that writes. It takes all appends that wait,
// decides about each in turn, commits them with one sync, and answers.
type writer struct {
	node   *Node
	next   uint64 // position of the next record
	nextID uint64 // of the next stream
	heads  *simplelru.LRU[string, *head]
	window *window
	room   diskRoom
}

func (w *writer) run() {
	for first := range w.node.queue {
		requests, other := []*request(nil), first
		if first.run == nil {
			requests, other = w.gather(first)
			w.commit(requests)
		}
		if other != nil {
			w.call(other)
		}
	}
}

// gather takes what waits behind first, and does not wait for more: while one
// group is being synced the next one gathers by itself. A request that is no
// append ends it and is returned beside it.
func (w *writer) gather(first *request) (requests []*request, other *request) {
	requests = []*request{first}
	bytes := first.footprint
	for len(requests) < maxGroupRequests && bytes < maxGroupBytes {
		select {
		case req, ok := <-w.node.queue:
			if !ok {
				return requests, nil
			}
			if req.run != nil {
				return requests, req
			}
			requests = append(requests, req)
			bytes += req.footprint
		default:
			return requests, nil
		}
	}
	return requests, nil
}

// call runs a request that is no append between two groups.
func (w *writer) call(req *request) {
	if req.err = w.node.failure.err(); req.err == nil {
		req.err = req.run(w)
	}
	w.node.budget.give(req.footprint)
	close(req.done)
}

// inWriter runs f between two groups: it alone may change what is stored while
// it runs, and every append waits for it.
func (n *Node) inWriter(ctx context.Context, f func(*writer) error) error {
	_, err := n.submit(ctx, &request{run: f})
	return err
}

// commit answers after the sync even where an answer writes nothing: a repeat
// of an append must not be told before the original is on the disk.
func (w *writer) commit(requests []*request) {
	err := w.node.failure.err()
	if err == nil {
		err = w.store(requests)
	}
	for _, req := range requests {
		if err != nil {
			req.result, req.err = Appended{}, err
		}
		w.node.metrics.requests.WithLabelValues(outcome(req)).Inc()
		w.node.budget.give(req.footprint)
		close(req.done)
	}
	w.node.changed.ring() // whoever appends is not to wait for those who follow
}

func outcome(req *request) string {
	switch req.err.(type) { //nolint:errorlint // a word for a metric; wrapped errors are failures
	case nil:
		return "ok"
	case *WrongExpectedError:
		return "wrong revision"
	case *StreamDeletedError:
		return "deleted"
	case *NoSpaceError:
		return "no space"
	}
	return "failed"
}

func (w *writer) store(requests []*request) error {
	g := w.newGroup()
	writable := w.checkSpace()
	for _, req := range requests {
		g.add(req, writable)
	}
	if len(g.records) == 0 {
		return w.node.failure.err()
	}
	w.node.heads.set(g.before)
	began := w.node.cfg.Now()
	if err := w.sync(g); err != nil {
		w.node.failure.set(err)
	}
	// The library reports a failed commit to its logger only.
	if err := w.node.failure.err(); err != nil {
		return err
	}
	w.count(g, len(requests), w.node.cfg.Now().Sub(began))
	w.next, w.nextID = g.next, g.nextID
	w.node.publish(g.records, g.next)
	return nil
}

func (w *writer) count(g *group, requests int, took time.Duration) {
	m := &w.node.metrics
	m.groups.Observe(float64(requests))
	m.syncs.Observe(took.Seconds())
	m.events.Add(float64(len(g.records)))
	m.bytes.Add(float64(g.next - w.next))
}

// sync returns when the group is on the disk, or when it may not be.
func (w *writer) sync(g *group) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("write to the log: %v", cause)
		}
	}()
	b, err := g.batch()
	if err != nil {
		return err
	}
	if err := b.Commit(pebble.Sync); err != nil {
		return err
	}
	if w.node.failure.err() != nil {
		return nil
	}
	return b.Close()
}

// mostRemembered is how long a name may be whose head is kept in memory: their
// number is bounded, and names may be as long as records.
const mostRemembered = 1024

// head returns what is known of the stream, the group in the making included.
// A stream that does not exist has an empty head with id 0.
func (w *writer) head(stream string) (*head, error) {
	if h, ok := w.heads.Get(stream); ok {
		return h, nil
	}
	var h *head
	if !w.node.names.absent(stream) {
		var err error
		if h, err = w.node.readHead(stream); err != nil {
			return nil, err
		}
	}
	if h == nil {
		h = &head{last: -1}
	}
	if len(stream) <= mostRemembered {
		w.heads.Add(stream, h)
	}
	return h, nil
}

// publish lets readers see what was synced. Whoever has seen the new end must
// not be given a head from before it.
func (n *Node) publish(records []*Record, end uint64) {
	n.tail.add(records)
	n.heads.set(nil)
	n.end.Store(end)
}
