package node_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/node"
	"github.com/waybill-dev/waybill/node/lineartest"
)

const theStream = "contended"

// A crashing is a node that loses power and comes back.
type crashing struct {
	t    *testing.T
	disk *vfs.MemFS
	life atomic.Pointer[lifetime]
}

// A lifetime of a node ends with a crash. What it answers afterwards nobody hears.
type lifetime struct {
	node *node.Node
	over atomic.Bool
	next chan struct{} // closed when there is another
}

func newCrashing(t *testing.T) *crashing {
	t.Helper()
	c := &crashing{t: t, disk: vfs.NewCrashableMem()}
	c.start()
	t.Cleanup(func() { closeNode(t, c.life.Load().node) })
	return c
}

func (c *crashing) start() {
	// A sync takes its time, as on a disk: what is not yet synced is there to be
	// seen by mistake.
	cfg := config(errorfs.Wrap(c.disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if strings.HasSuffix(op.Path, ".log") && op.Kind == errorfs.OpFileSyncData {
			time.Sleep(200 * time.Microsecond)
		}
		return nil
	})))
	cfg.Streams = 1
	c.life.Store(&lifetime{node: open(c.t, cfg), next: make(chan struct{})})
}

func (c *crashing) crash(rng *rand.Rand) {
	c.t.Helper()
	old := c.life.Load()
	old.over.Store(true)
	saved := c.disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
	closeNode(c.t, old.node)
	c.disk = saved
	c.start()
	close(old.next)
}

// A worker does random things to the stream, and repeats what got no answer.
type worker struct {
	number  int
	rng     *rand.Rand
	history *lineartest.History
	ids     int
	read    func(n *node.Node) lineartest.Answer
	at      int64 // where it believes the stream to be
}

func (w *worker) work(ctx context.Context, c *crashing, steps int) {
	var again *lineartest.Request
	for step := range steps {
		r := w.choose()
		if w.number == 0 && step == steps-3 {
			r = lineartest.Request{Kind: lineartest.Tombstone, Expected: lineartest.Any}
		}
		if again != nil {
			r, again = *again, nil
		}
		now := c.life.Load()
		answered := w.history.Begin(w.number, r)
		answer, ok := w.ask(ctx, now.node, r)
		if ok && !now.over.Load() {
			answered(answer)
			continue
		}
		if r.Kind == lineartest.Append {
			again = &r
		}
		select {
		case <-now.next:
		case <-ctx.Done():
			return
		}
	}
}

func (w *worker) choose() lineartest.Request {
	n := w.rng.IntN(100)
	switch {
	case n < 40:
		return lineartest.Request{Kind: lineartest.Read}
	case n < 45:
		return lineartest.Request{Kind: lineartest.Delete, Expected: w.expected()}
	case n < 52:
		return lineartest.Request{Kind: lineartest.Truncate, From: w.rng.Int64N(w.at + 4)}
	}
	r := lineartest.Request{Kind: lineartest.Append, Expected: w.expected()}
	for range 1 + w.rng.IntN(3) {
		w.ids++
		r.IDs = append(r.IDs, fmt.Sprintf("%d.%d", w.number, w.ids))
	}
	return r
}

func (w *worker) expected() int64 {
	switch w.rng.IntN(4) {
	case 0:
		return lineartest.Any
	case 1:
		return lineartest.NoStream
	}
	return w.at
}

// ask says whether there was an answer.
func (w *worker) ask(ctx context.Context, n *node.Node, r lineartest.Request) (a lineartest.Answer, ok bool) {
	if r.Kind == lineartest.Read {
		a = w.read(n)
		return a, a.Refusal != unanswered
	}
	done, err := send(ctx, n, r)
	wrong := (*node.WrongExpectedError)(nil)
	switch {
	case err == nil && r.Kind == lineartest.Truncate:
		return lineartest.Answer{Revision: lineartest.Unknown}, true
	case err == nil:
		w.at = done.Revision
		return lineartest.Answer{Revision: done.Revision}, true
	case errors.As(err, &wrong):
		w.at = wrong.Current
		return lineartest.Answer{Refusal: lineartest.Wrong, Revision: wrong.Current}, true
	case isDeleted(err):
		return lineartest.Answer{Refusal: lineartest.Deleted, Revision: lineartest.Unknown}, true
	}
	return a, false
}

func send(ctx context.Context, n *node.Node, r lineartest.Request) (node.Appended, error) {
	switch r.Kind {
	case lineartest.Delete:
		return n.Delete(ctx, theStream, node.Expected(r.Expected))
	case lineartest.Tombstone:
		return n.Tombstone(ctx, theStream, node.Expected(r.Expected))
	case lineartest.Truncate:
		return n.Append(ctx, node.Append{Stream: node.MetadataStream(theStream), Expected: node.ExpectAny, Events: []node.Event{
			{ID: uuid.New(), Type: node.TypeMetadata, JSON: true, Data: fmt.Appendf(nil, `{"$tb":%d}`, r.From)},
		}})
	case lineartest.Append, lineartest.Read:
	}
	return n.Append(ctx, appendTo(theStream, node.Expected(r.Expected), r.IDs...))
}

const unanswered = "no answer"

// readStream reads the stream in one page.
func readStream(n *node.Node) lineartest.Answer {
	p, err := n.ReadStream(node.StreamRead{Stream: theStream, Limit: 512})
	missing := (*node.NotFoundError)(nil)
	if errors.As(err, &missing) {
		return lineartest.Answer{Refusal: lineartest.Missing}
	}
	if isDeleted(err) {
		return lineartest.Answer{Refusal: lineartest.Deleted}
	}
	if err != nil || !p.End {
		return lineartest.Answer{Refusal: unanswered}
	}
	a := lineartest.Answer{}
	for i, r := range p.Records {
		if i == 0 {
			a.First = int64(r.Revision)
		}
		a.IDs = append(a.IDs, strings.TrimRight(string(r.Data), "\x00"))
	}
	return a
}

// contend lets several clients at one stream, through two crashes.
func contend(t *testing.T, seed uint64, read func(worker int) func(*node.Node) lineartest.Answer) *lineartest.History {
	t.Helper()
	const workers, steps = 5, 24
	var h lineartest.History
	c := newCrashing(t)
	ctx := deadline(t)
	var working sync.WaitGroup
	for i := range workers {
		w := &worker{number: i, rng: rand.New(rand.NewPCG(seed, uint64(i))), history: &h, at: -1, read: read(i)}
		working.Go(func() { w.work(ctx, c, steps) })
	}
	rng := rand.New(rand.NewPCG(seed, 99))
	for part := range 2 {
		for sent := 0; sent < workers*steps*(part+1)/3; sent, _ = h.Size() {
			time.Sleep(50 * time.Microsecond)
		}
		c.crash(rng)
	}
	working.Wait()
	return &h
}

// TestOneStreamIsLinearizable: what concurrent clients see of a stream, before
// and after crashes, is what they could have seen one after the other.
func TestOneStreamIsLinearizable(t *testing.T) {
	t.Parallel()
	for seed := range uint64(number("WAYBILL_TEST_CONTENTIONS", 20)) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			h := contend(t, seed, func(int) func(*node.Node) lineartest.Answer { return readStream })
			if sent, answered := h.Size(); answered < sent/2 {
				t.Errorf("only %d of %d requests were answered", answered, sent)
			}
			if err := h.Check(patience); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestStaleReadsAreNoticed gives one of the clients what the stream was one read
// before: the same check must say that this cannot be.
func TestStaleReadsAreNoticed(t *testing.T) {
	t.Parallel()
	h := contend(t, 1, func(worker int) func(*node.Node) lineartest.Answer {
		if worker > 0 {
			return readStream
		}
		before := lineartest.Answer{Refusal: lineartest.Missing}
		return func(n *node.Node) lineartest.Answer {
			stale := before
			if before = readStream(n); before.Refusal == unanswered {
				return before
			}
			return stale
		}
	})
	if err := h.Check(patience); err == nil || errors.Is(err, lineartest.ErrUndecided) {
		t.Errorf("the check of stale reads says %v", err)
	}
}
