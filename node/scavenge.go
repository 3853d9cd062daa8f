package node

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// A Scavenge says how a store is scavenged.
type Scavenge struct {
	// Pause is how long appends have the disk for themselves between two
	// batches of removals; default 1 ms, negative is none.
	Pause    time.Duration
	Progress func(Progress) // may be nil
}

// Scavenged is what scavenging has removed.
type Scavenged struct {
	Records uint64 `json:"records"`
	Streams uint64 `json:"streams"` // that have lost records
	Before  uint64 `json:"before"`  // bytes of the files
	After   uint64 `json:"after"`
}

// errScavenging is for a second caller.
var errScavenging = errors.New("the event store is being scavenged already")

// Scavenge removes the records that no read of a stream shows any more: beyond
// the limits of its metadata, deleted, or followed by newer metadata; and the
// records of appends without events. Of each stream the last event stays, and
// of one that is deleted for ever the tombstone. Positions and revisions stay
// what they are. Reads of the log do not show what was removed.
//
// Readers and writers go on. Every step is whole or not done: when Scavenge is
// interrupted, or the process is, the next call goes on.
//
// An append that repeats a removed one is no longer recognised: with an exact
// revision it is refused as a wrong one, as by EventStoreDB.
func (n *Node) Scavenge(ctx context.Context, how Scavenge) (*Scavenged, error) {
	const pause = time.Millisecond
	setDefault(&how.Pause, pause)
	if how.Progress == nil {
		how.Progress = func(Progress) {}
	}
	if !n.scavenging.TryLock() {
		return nil, errScavenging
	}
	defer n.scavenging.Unlock()
	s := scavenger{node: n, how: how}
	ctx, done := n.whileOpen(ctx)
	defer done()
	if err := n.reading(func() error { return s.run(ctx) }); err != nil {
		return nil, fmt.Errorf("scavenge: %w", unlessClosed(ctx, err))
	}
	return &s.done, nil
}

// A scavenger removes what is before end.
type scavenger struct {
	node    *Node
	how     Scavenge
	end     uint64
	now     int64           // ticks
	touched span            // of removed records
	steps   map[uint64]bool // of the log, in which records were removed
	done    Scavenged
}

func (s *scavenger) run(ctx context.Context) error {
	s.done.Before = s.node.size()
	s.now = ticks(s.node.cfg.Now())
	var err error
	if s.touched, err = s.node.readSpan(); err != nil {
		return err
	}
	s.resume()
	if s.end, err = s.node.scavengeEnd(); err != nil {
		return err
	}
	if err := s.streams(ctx); err != nil {
		return err
	}
	if err := s.empties(ctx); err != nil {
		return err
	}
	if err := s.compact(ctx); err != nil {
		return err
	}
	s.done.After = s.node.size()
	return nil
}

// size is of the files that hold the store, in bytes. Others that they have
// replaced are on the disk a little longer, because they are removed slowly, and
// as long as somebody reads them.
func (n *Node) size() uint64 {
	m := n.db.Metrics()
	return m.WAL.PhysicalSize + m.Table.Local.LiveSize + m.BlobFiles.Local.LiveSize
}

// scavengeEnd is before the last record, which tells where the log ends, and
// before what the index has not seen: what it links to has a number, also when
// it is gone.
func (n *Node) scavengeEnd() (uint64, error) {
	it, err := n.db.NewIter(logBounds(0, n.end.Load()))
	if err != nil {
		return 0, err
	}
	defer it.Close()
	if !it.Last() {
		return 0, it.Error()
	}
	last, err := parseLogKey(it.Key())
	if n.index != nil {
		last = min(last, n.index.end.Load())
	}
	return last, err
}

// A span is a stretch of the log; it is empty when its ends are equal.
type span struct{ from, to uint64 }

func (s *span) add(position uint64) {
	if s.from == s.to {
		*s = span{position, position + 1}
		return
	}
	s.from, s.to = min(s.from, position), max(s.to, position+1)
}

// metaRemoved is where records were removed whose room was not given back yet.
const metaRemoved = "removed"

func (s span) encode() []byte {
	return binary.BigEndian.AppendUint64(encodePosition(s.from), s.to)
}

func (n *Node) readSpan() (span, error) {
	value, err := n.meta(metaRemoved)
	if err != nil || value == nil {
		return span{}, err
	}
	if len(value) != 16 {
		return span{}, fmt.Errorf("%s is %x: %w", metaRemoved, value, ErrDamaged)
	}
	return span{binary.BigEndian.Uint64(value), binary.BigEndian.Uint64(value[8:])}, nil
}

// remove commits the removals in b, and that there were some.
func (s *scavenger) remove(b *pebble.Batch, positions []uint64) error {
	for _, position := range positions {
		s.touched.add(position)
		s.steps[position/compactStep] = true
		if err := b.Delete(logKey(position), nil); err != nil {
			return err
		}
	}
	if err := s.mark(b); err != nil {
		return err
	}
	if err := b.Commit(pebble.Sync); err != nil {
		return err
	}
	if err := s.node.failure.err(); err != nil {
		return err
	}
	s.node.tail.remove(positions)
	s.done.Records += uint64(len(positions))
	return nil
}

func (s *scavenger) mark(b *pebble.Batch) error {
	before, err := s.node.number(metaScavenged, 0)
	if err != nil {
		return err
	}
	return errors.Join(
		b.Set(metaKey(metaScavenged), encodePosition(max(s.end, before)), nil),
		b.Set(metaKey(metaRemoved), s.touched.encode(), nil),
	)
}

// rest leaves the disk to others for a moment.
func (s *scavenger) rest(ctx context.Context) error {
	if s.how.Pause < 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(s.how.Pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// remove lets readers of the tail no longer see the records.
func (t *tail) remove(positions []uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var gone map[uint64]bool
	for _, position := range positions {
		if len(t.records) > 0 && position >= t.records[0].Position {
			if gone == nil {
				gone = make(map[uint64]bool)
			}
			gone[position] = true
		}
	}
	if gone == nil {
		return
	}
	kept := make([]*Record, 0, len(t.records))
	for _, r := range t.records {
		if gone[r.Position] {
			t.bytes -= r.memory()
		} else {
			kept = append(kept, r)
		}
	}
	t.records = kept
}
