package node

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// A StreamRead asks for a page of a stream.
type StreamRead struct {
	Stream    string
	From      uint64 // the first revision of the page; FromEnd backwards is the last one
	Backwards bool
	Limit     int // records at most
}

// A NotFoundError says that the stream has no events.
type NotFoundError struct{ Stream string }

func (e *NotFoundError) Error() string { return fmt.Sprintf("stream %s is not found", e.Stream) }

// ReadStream returns a page of the stream, or a [NotFoundError].
func (n *Node) ReadStream(r StreamRead) (p Page, err error) {
	end := n.end.Load() // before the iterators are made: they see at least this
	err = n.reading(func() error {
		id, err := n.streamID(r.Stream)
		if err != nil {
			return err
		}
		index, err := n.db.NewIter(r.bounds(id))
		if err != nil {
			return err
		}
		defer index.Close()
		s := streamScan{node: n, index: index, end: end}
		defer s.close()
		scan := s.forwards
		if r.Backwards {
			scan = s.backwards
		}
		if err := scan(&r, &p); err != nil || len(p.Records) > 0 {
			return err
		}
		return n.mustExist(&r, id, end)
	})
	return p, err
}

// mustExist tells a page without records from a stream without records: one
// whose first append is not synced yet has none.
func (n *Node) mustExist(r *StreamRead, id, end uint64) error {
	value, err := n.get(streamKey(id, 0))
	if err != nil {
		return err
	}
	if value != nil {
		position, err := parsePosition(value)
		if err != nil || position < end {
			return err
		}
	}
	return &NotFoundError{Stream: r.Stream}
}

func (r *StreamRead) bounds(id uint64) *pebble.IterOptions {
	if r.Backwards {
		if r.From == FromEnd {
			return &pebble.IterOptions{LowerBound: streamKey(id, 0), UpperBound: streamKey(id+1, 0)}
		}
		return &pebble.IterOptions{LowerBound: streamKey(id, 0), UpperBound: streamKey(id, r.From+1)}
	}
	return &pebble.IterOptions{LowerBound: streamKey(id, r.From), UpperBound: streamKey(id+1, 0)}
}

func (n *Node) streamID(stream string) (uint64, error) {
	if id, ok := n.ids.Get(stream); ok {
		return id, nil
	}
	h, err := n.readHead(stream)
	if err != nil {
		return 0, err
	}
	if h == nil || h.id == 0 {
		return 0, &NotFoundError{Stream: stream}
	}
	n.ids.Add(stream, h.id)
	return h.id, nil
}

// streamScan walks the index of one stream and fetches the records it names.
type streamScan struct {
	node  *Node
	index *pebble.Iterator
	end   uint64 // of what is synced
	log   *pebble.Iterator
	after uint64 // where the record behind the last one fetched from log is
}

func (s *streamScan) close() {
	if s.log != nil {
		_ = s.log.Close() // what it had to say was said by fetch
	}
}

func (s *streamScan) forwards(r *StreamRead, p *Page) error {
	p.Next = r.From
	for ok := s.index.First(); ok; ok = s.index.Next() {
		if p.full(r.Limit) {
			return s.index.Error()
		}
		synced, err := s.take(p)
		if err != nil {
			return err
		}
		if !synced {
			break
		}
		p.Next = p.near().Revision + 1
	}
	p.End = true
	return s.index.Error()
}

func (s *streamScan) backwards(r *StreamRead, p *Page) error {
	p.Next = r.From
	for ok := s.index.Last(); ok; ok = s.index.Prev() {
		if p.full(r.Limit) {
			return s.index.Error()
		}
		synced, err := s.take(p)
		if err != nil {
			return err
		}
		if !synced {
			continue
		}
		if p.Next = p.near().Revision - 1; p.near().Revision == 0 {
			break
		}
	}
	p.End = true
	return s.index.Error()
}

// take adds the record the index stands at, unless it is not synced yet.
func (s *streamScan) take(p *Page) (synced bool, err error) {
	value, err := s.index.ValueAndErr()
	if err != nil {
		return false, err
	}
	position, err := parsePosition(value)
	if err != nil {
		return false, fmt.Errorf("index entry %x: %w: %w", s.index.Key(), ErrDamaged, err)
	}
	if position >= s.end {
		return false, nil
	}
	r, err := s.fetch(position, p.near())
	if err != nil {
		return false, err
	}
	p.add(r)
	return true, nil
}

func (s *streamScan) fetch(position uint64, near *Record) (*Record, error) {
	if r := s.node.tail.at(position); r != nil {
		return r, nil
	}
	if err := s.seek(position); err != nil {
		return nil, err
	}
	v, err := viewOf(s.log)
	if err != nil {
		return nil, err
	}
	r := v.record(near)
	s.after = r.end()
	return r, nil
}

// seek moves the log to position: by one step where the stream's records are
// neighbours, since a step costs a fraction of a search.
func (s *streamScan) seek(position uint64) (err error) {
	if s.log == nil {
		if s.log, err = s.node.db.NewIter(logBounds(0, s.end)); err != nil {
			return err
		}
	}
	var ok bool
	if position == s.after && s.log.Valid() {
		ok = s.log.Next()
	} else {
		ok = s.log.SeekGE(logKey(position))
	}
	if !ok {
		return fmt.Errorf("record at %d is missing: %w", position, errors.Join(ErrDamaged, s.log.Error()))
	}
	if at, err := parseLogKey(s.log.Key()); err != nil || at != position {
		return fmt.Errorf("record at %d is missing: %w", position, errors.Join(ErrDamaged, err))
	}
	return nil
}
