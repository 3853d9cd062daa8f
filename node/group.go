package node

import (
	"fmt"
	"time"

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
	before  map[string]head // the touched ones, as they were
	pending map[streamRevision]*Record
}

type streamRevision struct{ stream, revision uint64 }

func (w *writer) newGroup() *group {
	return &group{
		w:       w,
		created: ticks(w.node.cfg.Now()),
		next:    w.next,
		nextID:  w.nextID,
		touched: make(map[string]*head),
		before:  make(map[string]head),
		pending: make(map[streamRevision]*Record),
	}
}

// ticks counts 100 ns since the Unix epoch, as the protocol does.
func ticks(t time.Time) int64 { return t.UnixNano() / 100 }

// add decides about one request and, when it is to be written, assigns its
// revisions and positions. writable says why nothing may be written, or is nil.
func (g *group) add(req *request, writable error) {
	var refused error
	if req.result, refused = g.decide(req, writable); refused == nil {
		return
	}
	switch refused.(type) { //nolint:errorlint // made by decide itself, not wrapped
	case *StreamDeletedError, *WrongExpectedError, *NoSpaceError:
		req.err = refused
	default:
		req.err = fmt.Errorf("append to %s: %w", req.Stream, nameDamage(refused))
	}
}

func (g *group) decide(req *request, writable error) (Appended, error) {
	h, err := g.head(req.Stream)
	if err != nil {
		return Appended{}, err
	}
	if err := g.describesLiving(req.Stream); err != nil {
		return Appended{}, err
	}
	v, done, err := check(h, &req.Append, g)
	switch {
	case err != nil:
		return Appended{}, err
	case v == verdictDeleted:
		return Appended{}, &StreamDeletedError{Stream: req.Stream}
	case v == verdictWrong:
		return Appended{}, &WrongExpectedError{Stream: req.Stream, Expected: req.Expected, Current: h.last}
	case v == verdictRepeated:
		return done, nil
	case writable != nil:
		return Appended{}, writable
	case req.kind == kindDelete:
		return g.delete(h, &req.Append)
	case req.kind == kindTombstone:
		return g.tombstone(h, &req.Append)
	}
	return g.write(&req.Append)
}

// describesLiving refuses metadata of a stream that is deleted for ever, and
// metadata of that metadata.
func (g *group) describesLiving(stream string) error {
	for of, ok := described(stream); ok; of, ok = described(of) {
		h, err := g.head(of)
		if err != nil {
			return err
		}
		if h.tombstoned {
			return &StreamDeletedError{Stream: stream}
		}
	}
	return nil
}

// write stores the events, and what follows from them: a stream that was
// deleted is there again, and one whose metadata they are has other limits.
// What has to be looked up for that is looked up first, so that an append is
// never stored by half.
func (g *group) write(a *Append) (Appended, error) {
	h, err := g.head(a.Stream)
	if err != nil {
		return Appended{}, err
	}
	var metadata, other *head
	var old *Record
	of, describes := described(a.Stream)
	switch {
	case h.softDeleted():
		metadata, old, err = g.metadata(a.Stream)
	case describes && len(a.Events) > 0:
		other, err = g.head(of)
	}
	if err != nil {
		return Appended{}, err
	}
	from := uint64(h.last + 1)
	done := g.append(h, a)
	if old != nil {
		g.undelete(a.Stream, h, metadata, undeleted(old.Data, from))
	}
	if other == nil {
		return done, nil
	}
	deleted := other.softDeleted()
	g.describe(of, other, h)
	if deleted {
		g.undelete(of, other, h, undeleted(a.Events[len(a.Events)-1].Data, uint64(other.last+1)))
	}
	return done, nil
}

// metadata finds the newest metadata of a stream that has some.
func (g *group) metadata(stream string) (*head, *Record, error) {
	h, err := g.head(MetadataStream(stream))
	if err != nil {
		return nil, nil, err
	}
	r, err := g.record(h.id, uint64(h.last))
	if err == nil && r == nil {
		err = errNoRecord
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read the metadata: %w", err)
	}
	return h, r, nil
}

func (g *group) append(h *head, a *Append) Appended {
	if len(a.Events) == 0 {
		return g.writeEmpty(h, a.Stream)
	}
	g.touch(a.Stream, h)
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
		h.lastPosition, h.changed = r.Position, r.Position
	}
	return Appended{Revision: h.last, Position: h.lastPosition}
}

// touch is called before a head is changed because of records.
func (g *group) touch(stream string, h *head) {
	if _, ok := g.touched[stream]; !ok {
		g.touched[stream], g.before[stream] = h, *h
	}
	if h.id == 0 {
		h.id = g.nextID
		g.nextID++
		g.w.node.names.add(stream)
	}
}

// describe applies the newest metadata of a stream.
func (g *group) describe(stream string, h, metadata *head) {
	if _, ok := described(stream); ok {
		return // metadata streams have the same limits always
	}
	r := g.pending[streamRevision{metadata.id, uint64(metadata.last)}]
	g.touch(stream, h)
	h.limits, h.changed = parseLimits(r), r.Position
}

// undelete writes the metadata that lets the stream begin anew. There is none
// when the newest was no JSON object, in which case nothing is hidden.
func (g *group) undelete(stream string, h, metadata *head, data []byte) {
	if data == nil {
		return
	}
	g.append(metadata, &Append{
		Stream: MetadataStream(stream),
		Events: []Event{{ID: uuid.New(), Type: TypeMetadata, JSON: true, Data: data}},
	})
	g.describe(stream, h, metadata)
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
	r, err := g.record(stream, revision)
	if err != nil || r == nil {
		return uuid.Nil, 0, err
	}
	return r.ID, r.Position, nil
}

// record is nil when it is no longer stored.
func (g *group) record(stream, revision uint64) (*Record, error) {
	if r, ok := g.pending[streamRevision{stream, revision}]; ok {
		return r, nil
	}
	return g.w.node.recordAt(stream, revision)
}

func (g *group) hasMetadata(stream string) (bool, error) {
	h, err := g.head("$$" + stream)
	return err == nil && (h.last >= 0 || h.tombstoned), err
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
