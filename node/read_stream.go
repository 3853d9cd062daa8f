package node

import (
	"errors"
	"fmt"
	"math"

	"github.com/cockroachdb/pebble/v2"
)

// A StreamRead asks for a page of a stream.
type StreamRead struct {
	Stream    string
	From      uint64 // the first revision of the page; FromEnd backwards is the last one
	Backwards bool
	Limit     int // records at most
}

// A NotFoundError says that the stream has no events, or was deleted.
type NotFoundError struct{ Stream string }

func (e *NotFoundError) Error() string { return fmt.Sprintf("stream %s is not found", e.Stream) }

// ReadStream returns a page of the stream, a [NotFoundError] or a
// [StreamDeletedError]. It leaves out what the limits of the stream's metadata
// hide; a stream of which they hide everything has empty pages.
func (n *Node) ReadStream(r StreamRead) (p Page, err error) {
	err = n.reading(func() error {
		v, err := n.view(r.Stream)
		if err != nil {
			return err
		}
		if v.last < 0 || v.softDeleted {
			return &NotFoundError{Stream: r.Stream}
		}
		p.StreamLast = uint64(v.last)
		s := streamScan{node: n, view: v}
		defer s.close()
		if r.Backwards {
			return s.backwards(&r, &p)
		}
		return s.forwards(&r, &p)
	})
	n.metrics.count("stream", &p)
	return p, err
}

// A streamView is the part of a stream that can be read: from revision low to
// last, and nothing recorded before since.
type streamView struct {
	id          uint64
	low         uint64
	last        int64
	since       int64 // ticks
	softDeleted bool
	links       string // the stream's name when it is one of the index
}

func (n *Node) view(stream string) (streamView, error) {
	h, err := n.syncedHead(stream)
	if err != nil {
		return streamView{}, err
	}
	if deleted, err := n.deletedForEver(stream, &h); err != nil || deleted {
		return streamView{}, errors.Join(err, orNil(deleted, &StreamDeletedError{Stream: stream}))
	}
	v := streamView{id: h.id, low: h.lowest(), last: h.last}
	if n.virtual(stream) {
		if v, err = n.viewVirtual(stream, &h); err != nil {
			return v, err
		}
	}
	v.since, v.softDeleted = math.MinInt64, h.softDeleted()
	if _, ok := described(stream); ok && h.last >= 0 {
		v.low = uint64(h.last) // of metadata only the last is shown
	}
	if h.maxAge > 0 {
		v.since = ticks(n.cfg.Now()) - int64(h.maxAge)*ticksPerSecond
	}
	return v, nil
}

func orNil(is bool, err error) error {
	if is {
		return err
	}
	return nil
}

// streamScan walks the index of one stream and fetches the records it names.
type streamScan struct {
	node  *Node
	view  streamView
	index *pebble.Iterator
	log   *pebble.Iterator
	after uint64 // where the record behind the last one fetched from log is
}

func (s *streamScan) close() {
	for _, it := range [...]*pebble.Iterator{s.index, s.log} {
		if it != nil {
			_ = it.Close() // what it had to say was said while reading
		}
	}
}

// open walks the revisions from and to, both included. The log is looked at
// first: scavenging removes events from both at once, so whatever the index
// names afterwards is in the log as it was seen, and a page has no gap.
func (s *streamScan) open(from, to uint64) (err error) {
	if s.log, err = s.node.db.NewIter(logBounds(0, math.MaxUint64)); err != nil {
		return err
	}
	s.index, err = s.node.db.NewIter(&pebble.IterOptions{LowerBound: s.key(from), UpperBound: s.key(to + 1)})
	return err
}

func (s *streamScan) key(revision uint64) []byte {
	if s.view.links != "" {
		return linkKey(s.view.id, revision)
	}
	return streamKey(s.view.id, revision)
}

func (s *streamScan) forwards(r *StreamRead, p *Page) error {
	last := uint64(s.view.last)
	p.Next = max(r.From, last+1)
	from := max(r.From, s.view.low)
	if from > last {
		p.End = true
		return nil
	}
	if err := s.open(from, last); err != nil {
		return err
	}
	ok, err := s.first(from, last)
	if err != nil {
		return err
	}
	for ; ok; ok = s.index.Next() {
		if p.full(r.Limit) {
			return s.index.Error()
		}
		revision, err := s.take(p)
		if err != nil {
			return err
		}
		p.Next = revision + 1
	}
	p.Next, p.End = max(r.From, last+1), true
	return s.index.Error()
}

// first goes to the first revision that is young enough. Times grow with
// revisions, as long as nobody sets the clock back: so it is searched for.
func (s *streamScan) first(low, last uint64) (bool, error) {
	if s.view.since == math.MinInt64 {
		return s.index.First(), nil
	}
	high := last + 1
	for low < high {
		middle := low + (high-low)/2
		if !s.index.SeekGE(s.key(middle)) {
			high = middle
			continue
		}
		revision, r, err := s.record(nil)
		if err != nil {
			return false, err
		}
		if r == nil || r.Created < s.view.since {
			low = revision + 1
		} else {
			high = middle
		}
	}
	return s.index.SeekGE(s.key(low)), s.index.Error()
}

func (s *streamScan) backwards(r *StreamRead, p *Page) error {
	from := min(r.From, uint64(s.view.last))
	if from < s.view.low {
		p.End = true
		return nil
	}
	if err := s.open(s.view.low, from); err != nil {
		return err
	}
	if young, err := s.raise(from); err != nil || !young {
		p.End = err == nil
		return err
	}
	for ok := s.index.Last(); ok; ok = s.index.Prev() {
		if p.full(r.Limit) {
			return s.index.Error()
		}
		revision, err := s.take(p)
		if err != nil {
			return err
		}
		if p.Next = revision - 1; revision == s.view.low {
			break
		}
	}
	p.End = true
	return s.index.Error()
}

// raise leaves out of the view what is too old. It is false when all is.
func (s *streamScan) raise(from uint64) (bool, error) {
	if s.view.since == math.MinInt64 {
		return true, nil
	}
	ok, err := s.first(s.view.low, from)
	if err != nil || !ok {
		return false, err
	}
	_, s.view.low, err = parseStreamKey(s.index.Key())
	return err == nil, err
}

// take adds the record the index stands at, unless it is too old.
func (s *streamScan) take(p *Page) (revision uint64, err error) {
	revision, r, err := s.record(p.near())
	p.Considered++
	if err == nil && r != nil && r.Created >= s.view.since {
		p.add(r)
	}
	return revision, err
}

// record returns the one the index stands at: nil for a link to one that was
// removed.
func (s *streamScan) record(near *Record) (revision uint64, r *Record, err error) {
	_, revision, err = parseStreamKey(s.index.Key())
	if err != nil {
		return 0, nil, err
	}
	value, err := s.index.ValueAndErr()
	if err != nil {
		return 0, nil, err
	}
	position, err := parsePosition(value)
	if err != nil {
		return 0, nil, fmt.Errorf("index entry %x: %w: %w", s.index.Key(), ErrDamaged, err)
	}
	if s.view.links != "" {
		near = nil
	}
	r, err = s.fetch(position, near)
	if errors.Is(err, errNoRecord) && s.view.links != "" {
		return revision, nil, nil // a link goes with what it points at
	}
	if err == nil && s.view.links != "" {
		r = linkTo(s.view.links, revision, r)
	}
	return revision, r, err
}

var errNoRecord = fmt.Errorf("a record is missing: %w", ErrDamaged)

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
func (s *streamScan) seek(position uint64) error {
	var ok bool
	if position == s.after && s.log.Valid() {
		ok = s.log.Next()
	} else {
		ok = s.log.SeekGE(logKey(position))
	}
	if err := s.log.Error(); err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("at %d: %w", position, errNoRecord)
	}
	if at, err := parseLogKey(s.log.Key()); err != nil || at != position {
		return fmt.Errorf("at %d: %w", position, errors.Join(errNoRecord, err))
	}
	return nil
}
