package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/node"
)

// The streams of the populated database that a test counts the events of. Both
// were written in series of 200, so that the types come again.
const (
	firstSeries  = "dataset20M-0"
	secondSeries = "dataset20M-1800"

	firstSeriesLength  = 6000
	secondSeriesLength = 2000
	seriesCycle        = 200
)

// history is everything that was written to the populated database, in order.
// Records without a position may be anywhere between their neighbours.
func (f *fixture) history() ([]record, error) {
	h := &history{next: map[string]uint64{}, series: f.series}
	for i, r := range f.records {
		if r.stream == secondSeries && h.next[secondSeries] == 0 {
			h.fill(firstSeries, secondSeriesLength)
		}
		h.fill(r.stream, r.revision)
		h.add(r)
		if h.next[secondSeries] == secondSeriesLength {
			h.fill(firstSeries, firstSeriesLength)
			h.fillBefore(f.records[i+1:])
		}
	}
	return h.records, h.err
}

type history struct {
	records []record
	next    map[string]uint64 // revision of each stream
	series  []location        // not met yet
	err     error
}

// fill writes what the tests do not look at, up to the revision.
func (h *history) fill(stream string, revision uint64) {
	for r := h.next[stream]; r < revision; r++ {
		h.add(record{location: location{revision: r}, stream: stream, event: filling(stream, r)})
	}
}

// fillBefore writes now what the records need of their streams before them: they
// leave no room between each other.
func (h *history) fillBefore(records []record) {
	met := map[string]bool{}
	for _, r := range records {
		if !met[r.stream] {
			met[r.stream] = true
			h.fill(r.stream, r.revision)
		}
	}
}

func (h *history) add(r record) {
	if len(h.series) > 0 && strings.HasPrefix(r.event.Type, seriesPrefix) {
		if h.series[0].revision != r.revision {
			h.err = fmt.Errorf("%s comes with revision %d of %s, not with %d", r.event.Type, r.revision, r.stream, h.series[0].revision)
		}
		r.position = h.series[0].position
		h.series = h.series[1:]
	}
	if r.created.IsZero() && len(h.records) > 0 {
		r.created = h.records[len(h.records)-1].created
	}
	h.records = append(h.records, r)
	h.next[r.stream]++
}

// filling has the sizes that the positions of its neighbours speak of.
func filling(stream string, revision uint64) node.Event {
	e := node.Event{ID: fillingID(stream, revision), Type: "filling", JSON: true, Data: []byte("{}")}
	var first uint64
	if _, err := fmt.Sscanf(stream, "dataset20M-%d", &first); err == nil {
		n := first + revision%seriesCycle
		e.Type = fmt.Sprintf("eventType-%d", n)
		e.Data = fmt.Appendf(nil, `{"somedata" : %d}`, n)
		e.Metadata = fmt.Appendf(nil, `{"metadata" : %d}`, n)
	}
	return e
}

func fillingID(stream string, revision uint64) uuid.UUID {
	return uuid.NewSHA1(uuid.NameSpaceOID, binary.BigEndian.AppendUint64([]byte(stream), revision))
}

// A seeder writes records to where the tests expect them.
type seeder struct {
	node  *node.Node
	clock *clock
}

func (s *seeder) seed(ctx context.Context, records []record) error {
	for len(records) > 0 {
		batch := together(records)
		if err := s.write(ctx, batch); err != nil {
			r := batch[0]
			return fmt.Errorf("write revision %d of %s: %w", r.revision, r.stream, err)
		}
		records = records[len(batch):]
	}
	return nil
}

// together is how many of the first records can be one append: one whose place
// is known comes alone, because only its own time is right.
func together(records []record) []record {
	const most = 500
	n := 1
	for records[0].position == 0 && n < min(most, len(records)) &&
		records[n].position == 0 && records[n].stream == records[0].stream {
		n++
	}
	return records[:n]
}

func (s *seeder) write(ctx context.Context, batch []record) error {
	first := batch[0]
	s.clock.set(first.created)
	if first.position != 0 {
		if err := s.advance(ctx, first.position); err != nil {
			return err
		}
	}
	a := node.Append{Stream: first.stream, Expected: node.Expected(first.revision) - 1}
	for _, r := range batch {
		a.Events = append(a.Events, r.event)
	}
	done, err := s.node.Append(ctx, a)
	if err != nil {
		return err
	}
	if first.position != 0 && done.Position != first.position {
		return fmt.Errorf("it came to %d, not to %d", done.Position, first.position)
	}
	return nil
}

// advance makes the log grow to the position, with appends nobody looks for.
func (s *seeder) advance(ctx context.Context, position uint64) error {
	const most = 512 << 10
	for {
		end := s.node.End()
		switch gap := position - end; {
		case position < end:
			return fmt.Errorf("the log is at %d, past %d", end, position)
		case gap == 0:
			return nil
		case gap > 2*most:
			if err := s.pad(ctx, most); err != nil {
				return err
			}
		default:
			if err := s.pad(ctx, gap); err != nil {
				return err
			}
		}
	}
}

// pad makes the log grow by size. The test of the first events wants none
// before them: a small gap is left by an append of nothing, which is never
// shown, and whose only variable size is the name of its stream.
func (s *seeder) pad(ctx context.Context, size uint64) error {
	const (
		nothing  = 88 + 1 + 1 // an append of nothing without the name's bytes
		longest  = 127        // name whose length takes one byte
		padding  = "padding"
		overhead = 88 + 2*(1+uint64(len(padding)))
	)
	a := node.Append{Stream: padding, Expected: node.ExpectAny}
	switch {
	case size > nothing+longest:
		a.Events = []node.Event{{ID: uuid.New(), Type: padding, Data: make([]byte, size-overhead)}}
	case size > nothing:
		a.Stream = strings.Repeat("p", int(size-nothing))
	default:
		return fmt.Errorf("a gap of %d bytes is smaller than any record", size)
	}
	_, err := s.node.Append(ctx, a)
	return err
}
