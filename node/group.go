package node

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"
)

// A group is the appends that reach the disk together, in one batch: the log,
// the index of streams and the heads can never disagree. It sees what is stored
// and what it is about to store.
type group struct {
	w       *writer
	created int64 // ticks
	next    uint64
	nextID  uint64
	records []*Record
	touched map[string]*head
	pending map[streamRevision]*Record
}

type streamRevision struct{ stream, revision uint64 }

func (w *writer) newGroup() *group {
	return &group{
		w:       w,
		created: w.node.cfg.Now().UnixNano() / 100,
		next:    w.next,
		nextID:  w.nextID,
		touched: make(map[string]*head),
		pending: make(map[streamRevision]*Record),
	}
}

// add decides about one append and, when it is to be written, assigns its
// revisions and positions. writable says why nothing may be written, or is nil.
func (g *group) add(req *request, writable error) {
	h, err := g.head(req.Stream)
	if err != nil {
		req.err = fmt.Errorf("append to %s: %w", req.Stream, err)
		return
	}
	v, done, err := check(h, &req.Append, g)
	switch {
	case err != nil:
		req.err = fmt.Errorf("append to %s: %w", req.Stream, err)
	case v == verdictDeleted:
		req.err = &StreamDeletedError{Stream: req.Stream}
	case v == verdictWrong:
		req.err = &WrongExpectedError{Stream: req.Stream, Expected: req.Expected, Current: h.last}
	case v == verdictRepeated:
		req.result = done
	case writable != nil:
		req.err = writable
	default:
		req.result = g.write(h, &req.Append)
	}
}

func (g *group) write(h *head, a *Append) Appended {
	if len(a.Events) == 0 {
		return g.writeEmpty(h, a.Stream)
	}
	if h.id == 0 {
		h.id = g.nextID
		g.nextID++
	}
	records := make([]Record, len(a.Events))
	for i := range a.Events {
		e, r := &a.Events[i], &records[i]
		h.last++
		*r = Record{
			Stream: a.Stream, Revision: uint64(h.last), ID: e.ID, Type: e.Type, JSON: e.JSON,
			Created: g.created, Data: e.Data, Metadata: e.Metadata, streamID: h.id,
		}
		if i == 0 {
			r.flags |= flagFirst
		}
		if i == len(records)-1 {
			r.flags |= flagLast
		}
		g.place(r)
		g.w.window.add(r)
		g.pending[streamRevision{h.id, r.Revision}] = r
		h.lastPosition = r.Position
	}
	g.touched[a.Stream] = h
	return Appended{Revision: h.last, Position: h.lastPosition}
}

// writeEmpty gives an append of nothing its position and makes no stream.
func (g *group) writeEmpty(h *head, stream string) Appended {
	r := &Record{Stream: stream, Created: g.created, flags: flagEmpty | flagFirst | flagLast}
	g.place(r)
	return Appended{Revision: h.last, Position: r.Position}
}

func (g *group) place(r *Record) {
	r.Position = g.next
	g.next = r.end()
	g.records = append(g.records, r)
}

func (g *group) head(stream string) (*head, error) {
	if h, ok := g.touched[stream]; ok {
		return h, nil // the writer may have forgotten it, and the files do not know it yet
	}
	return g.w.head(stream)
}

func (g *group) recent(stream uint64, id uuid.UUID) (windowEntry, bool) {
	return g.w.window.find(stream, id)
}

func (g *group) at(stream, revision uint64) (uuid.UUID, uint64, error) {
	if r, ok := g.pending[streamRevision{stream, revision}]; ok {
		return r.ID, r.Position, nil
	}
	r, err := g.w.node.recordAt(stream, revision)
	if err != nil {
		return uuid.Nil, 0, err
	}
	return r.ID, r.Position, nil
}

func (g *group) hasMetadata(stream string) (bool, error) {
	h, err := g.head("$$" + stream)
	return err == nil && h.last >= 0, err
}

// batch is everything the group changes.
func (g *group) batch() (*pebble.Batch, error) {
	b := g.w.node.db.NewBatchWithSize(g.encodedSize())
	for _, r := range g.records {
		op := b.SetDeferred(logKeySize, r.encodedSize())
		putLogKey(op.Key, r.Position)
		r.encode(op.Value)
		if err := op.Finish(); err != nil {
			return nil, err
		}
		if r.flags&flagEmpty != 0 {
			continue
		}
		op = b.SetDeferred(streamKeySize, 8)
		putStreamKey(op.Key, r.streamID, r.Revision)
		putPosition(op.Value, r.Position)
		if err := op.Finish(); err != nil {
			return nil, err
		}
	}
	for name, h := range g.touched {
		if err := b.Set(nameKey(name), h.encode(), nil); err != nil {
			return nil, err
		}
	}
	if g.nextID == g.w.nextID {
		return b, nil
	}
	return b, b.Set(metaKey(metaNextStreamID), encodePosition(g.nextID), nil)
}

func (g *group) encodedSize() int {
	const index, name = streamKeySize + 8 + 8, 128
	size := 64 + len(g.touched)*name
	for _, r := range g.records {
		size += r.encodedSize() + logKeySize + 8 + index
	}
	return size
}
