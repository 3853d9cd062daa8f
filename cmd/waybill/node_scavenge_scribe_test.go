package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/node"
)

// A shelf is a stream as its writer knows it. What it shows only ever loses its
// oldest events, so that it does not depend on what was scavenged.
type shelf struct {
	stream     string
	events     []uuid.UUID // by revision
	before     uint64      // $tb
	maxCount   uint64      // 0 is none
	tombstoned bool
}

func (s shelf) deleted() bool { return s.before == math.MaxInt64 }

// shows is what a read of the stream answers.
func (s shelf) shows() []uuid.UUID {
	first, all := s.before, uint64(len(s.events))
	if s.maxCount > 0 && all > s.maxCount {
		first = max(first, all-s.maxCount)
	}
	if s.tombstoned || first >= all {
		return nil
	}
	return s.events[first:]
}

// A scribe does one thing after the other to a stream.
type scribe struct {
	name       string
	rng        *rand.Rand
	generation int
	was, is    shelf        // before and after what was not acknowledged; equal when all was
	unsure     bool         // of the stream's metadata: it is written before anything else
	steps      atomic.Int64 // that were acknowledged
}

func newScribe(name string, seed uint64) *scribe {
	return &scribe{name: name, rng: rand.New(rand.NewPCG(seed, 2)), was: shelf{stream: name + "-0"}, is: shelf{stream: name + "-0"}}
}

// write goes on until somebody kills the node.
func (s *scribe) write(ctx context.Context, c *eventstore.Client) {
	for ctx.Err() == nil {
		do := s.next()
		if _, err := eventstore.Do(ctx, c, func(c *esdb.Client) (any, error) { return nil, do(ctx, c) }); err != nil {
			return
		}
		s.was = s.is
		s.steps.Add(1)
	}
}

// next changes what the stream is, and returns what makes it so.
func (s *scribe) next() func(context.Context, *esdb.Client) error {
	s.is.events = slices.Clone(s.is.events)
	if s.is.tombstoned {
		s.generation++
		s.was = shelf{stream: fmt.Sprintf("%s-%d", s.name, s.generation)}
		s.is = s.was
	}
	k := s.rng.IntN(100)
	switch {
	case len(s.is.events) == 0 || s.is.deleted():
		return s.append()
	case s.unsure || k < 20:
		s.unsure = false
		return s.describe()
	case k < 25:
		s.is.before, s.is.maxCount = math.MaxInt64, 0
		return func(ctx context.Context, c *esdb.Client) error {
			_, err := c.DeleteStream(ctx, s.is.stream, esdb.DeleteStreamOptions{ExpectedRevision: esdb.Any{}})
			return err
		}
	case k < 27:
		s.is.tombstoned = true
		return func(ctx context.Context, c *esdb.Client) error {
			_, err := c.TombstoneStream(ctx, s.is.stream, esdb.TombstoneStreamOptions{ExpectedRevision: esdb.Any{}})
			return err
		}
	}
	return s.append()
}

func (s *scribe) append() func(context.Context, *esdb.Client) error {
	if s.is.deleted() {
		s.is.before = uint64(len(s.is.events))
	}
	var events []esdb.EventData
	for range 1 + s.rng.IntN(4) {
		events = append(events, esdb.EventData{EventID: uuid.New(), EventType: "Happened", Data: make([]byte, s.rng.IntN(2000))})
		s.is.events = append(s.is.events, events[len(events)-1].EventID)
	}
	return func(ctx context.Context, c *esdb.Client) error {
		_, err := c.AppendToStream(ctx, s.is.stream, esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, events...)
		return err
	}
}

// describe writes metadata that shows no event again.
func (s *scribe) describe() func(context.Context, *esdb.Client) error {
	var meta esdb.StreamMetadata
	s.is.before = uint64(len(s.is.events) - len(s.is.shows()))
	s.is.before += uint64(s.rng.IntN(min(3, len(s.is.shows()))))
	meta.SetTruncateBefore(s.is.before)
	if s.is.maxCount = uint64(s.rng.IntN(6)); s.is.maxCount > 0 {
		meta.SetMaxCount(s.is.maxCount)
	}
	return func(ctx context.Context, c *esdb.Client) error {
		_, err := c.SetStreamMetadata(ctx, s.is.stream, esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, meta)
		return err
	}
}

// settle finds out whether what was not acknowledged is stored.
func (s *scribe) settle(t *testing.T, n *node.Node) {
	t.Helper()
	after := mismatch(t, n, s.is)
	if after == "" {
		s.was, s.unsure = s.is, true
		return
	}
	if before := mismatch(t, n, s.was); before != "" {
		t.Fatalf("%s is neither as it was, (-want +got)\n%s\nnor as it was going to be, (-want +got)\n%s", s.is.stream, before, after)
	}
	s.is, s.unsure = s.was, true
}

// mismatch compares what the stream shows.
func mismatch(t *testing.T, n *node.Node, want shelf) string {
	t.Helper()
	var got []uuid.UUID
	read := node.StreamRead{Stream: want.stream, Limit: 100}
	for {
		p, err := n.ReadStream(read)
		missing, deleted := (*node.NotFoundError)(nil), (*node.StreamDeletedError)(nil)
		switch {
		case errors.As(err, &deleted) != want.tombstoned:
			return fmt.Sprintf("deleted for ever: %v, want %v", err, want.tombstoned)
		case want.tombstoned:
			return ""
		case errors.As(err, &missing):
			return cmp.Diff(want.shows(), got)
		case err != nil:
			t.Fatal(err)
		}
		for _, r := range p.Records {
			if r.Revision >= uint64(len(want.events)) || want.events[r.Revision] != r.ID {
				return fmt.Sprintf("at revision %d is the event %s", r.Revision, r.ID)
			}
			got = append(got, r.ID)
		}
		if p.End {
			return cmp.Diff(want.shows(), got)
		}
		read.From = p.Next
	}
}

// check lets the command verify the store, and compares it with what was
// written and with the log as it was at the last look.
func (a *archive) check() {
	a.t.Helper()
	if text := ends(a.t, exitDone, "node", "verify", "--data-dir", a.dir, fmt.Sprintf("--node-index=%v", a.index)); a.t.Failed() {
		a.t.Log(text)
	}
	n := a.open()
	defer func() {
		if err := n.Close(); err != nil {
			a.t.Error(err)
		}
	}()
	for _, w := range a.scribes {
		w.settle(a.t, n)
		if w.is.tombstoned {
			a.dead = append(a.dead, w.is.stream)
		}
	}
	if diff := mismatch(a.t, n, *a.ballast); diff != "" {
		a.t.Fatalf("ballast (-want +got):\n%s", diff)
	}
	for _, stream := range a.dead {
		if diff := mismatch(a.t, n, shelf{stream: stream, tombstoned: true}); diff != "" {
			a.t.Fatalf("%s: %s", stream, diff)
		}
	}
	a.compareLog(n)
}

// compareLog looks for events that had been removed, and for events that
// streams show and the log does not.
func (a *archive) compareLog(n *node.Node) {
	a.t.Helper()
	log, end := a.readLog(n)
	for position, e := range log {
		if old, ok := a.log[position]; position < a.end && old != e {
			a.t.Fatalf("at %d is %v; at the last look there was %v (%v)", position, e, old, ok)
		}
	}
	there, left := map[uuid.UUID]bool{}, 0
	for _, e := range log {
		there[e.id] = true
		if e.stream == a.ballast.stream {
			left++
		}
	}
	if left < a.left && left > len(a.ballast.shows()) {
		a.halfway++
	}
	a.left = left
	for _, id := range a.shown() {
		if !there[id] {
			a.t.Fatalf("event %s is not in the log", id)
		}
	}
	a.log, a.end = log, end
}

func (a *archive) shown() []uuid.UUID {
	all := slices.Clone(a.ballast.shows())
	for _, w := range a.scribes {
		all = append(all, w.is.shows()...)
	}
	return all
}

func (a *archive) readLog(n *node.Node) (log map[uint64]logEntry, end uint64) {
	a.t.Helper()
	log, end = map[uint64]logEntry{}, n.End()
	for from := uint64(0); ; {
		p, err := n.ReadAll(node.AllRead{From: from, Limit: 1000})
		if err != nil {
			a.t.Fatal(err)
		}
		for _, r := range p.Records {
			log[r.Position] = logEntry{r.Stream, r.ID}
		}
		if from = p.Next; p.End {
			return log, end
		}
	}
}

// leftovers checks that the last scavenging has removed all that it may.
func (a *archive) leftovers() {
	a.t.Helper()
	last, end := map[string]uint64{}, uint64(0)
	for position, e := range a.log {
		last[e.stream] = max(last[e.stream], position)
		end = max(end, position)
	}
	for position, e := range a.log {
		if last[e.stream] != position && position != end && !slices.Contains(a.shown(), e.id) {
			a.t.Errorf("event %s of %s was not removed", e.id, e.stream)
		}
	}
}
