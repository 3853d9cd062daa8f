package node

import (
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"
)

// TestScavengingLeavesAStreamWhoseLimitsHaveChanged: what it has planned to
// remove can be read again by the time it does.
func TestScavengingLeavesAStreamWhoseLimitsHaveChanged(t *testing.T) {
	t.Parallel()
	n, err := Open(Config{Dir: "data", FS: vfs.NewMem(), Now: time.Now, CacheBytes: 1 << 20, MemTableBytes: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = n.Close() }()
	ctx := t.Context()
	put := func(stream string, events ...Event) {
		t.Helper()
		if _, err := n.Append(ctx, Append{Stream: stream, Expected: ExpectAny, Events: events}); err != nil {
			t.Fatal(err)
		}
	}
	limit := func(metadata string) {
		t.Helper()
		put("$$run", Event{ID: uuid.New(), Type: TypeMetadata, JSON: true, Data: []byte(metadata)})
	}
	put("run", someEvents(10, 8)...)
	limit(`{"$maxCount":2}`)
	put("other", someEvents(1, 8)...)
	h, err := n.readHead("run")
	if err != nil {
		t.Fatal(err)
	}
	s := scavenger{node: n, how: Scavenge{Pause: -1}, steps: map[uint64]bool{}, end: n.End()}
	planned, err := s.plan("run", h, scavengeBatch)
	if err != nil || len(planned.positions) != 8 {
		t.Fatalf("it plans to remove %d, %v", len(planned.positions), err)
	}
	limit(`{"$maxCount":7}`)
	if err := s.removeAll(ctx, []removal{planned}); err != nil {
		t.Fatal(err)
	}
	page, err := n.ReadStream(StreamRead{Stream: "run", Limit: 100})
	if err != nil || len(page.Records) != 7 {
		t.Errorf("%d events can be read, %v", len(page.Records), err)
	}
	if report, err := n.Verify(ctx, Verification{Limit: 10}); err != nil || !report.OK() {
		t.Errorf("the store is %+v, %v", report, err)
	}
}

// TestScavengingEndsBeforeWhatTheIndexHasNotSeen: a link has its number, also
// when what it points at is gone.
func TestScavengingEndsBeforeWhatTheIndexHasNotSeen(t *testing.T) {
	t.Parallel()
	n, err := Open(verifyConfig(vfs.NewMem()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = n.Close() }()
	for range 3 {
		if _, err := n.Append(t.Context(), Append{Stream: "order-1", Expected: ExpectAny, Events: someEvents(1, 8)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := n.WaitStream(limited(t), "$ce-order", n.End()-1); err != nil {
		t.Fatal(err)
	}
	last, err := n.scavengeEnd()
	if err != nil {
		t.Fatal(err)
	}
	n.index.end.Store(last - 1)
	if end, err := n.scavengeEnd(); err != nil || end != last-1 {
		t.Errorf("it ends at %d, %v; the index at %d, and the last record is at %d", end, err, last-1, last)
	}
}

// TestNothingBehindTheEndOfAScavengingIsRemoved, although nobody can read it.
func TestNothingBehindTheEndOfAScavengingIsRemoved(t *testing.T) {
	t.Parallel()
	n, err := Open(verifyConfig(vfs.NewMem()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = n.Close() }()
	var ends []uint64
	for range 6 {
		done, err := n.Append(t.Context(), Append{Stream: "order-1", Expected: ExpectAny, Events: someEvents(1, 8)})
		if err != nil {
			t.Fatal(err)
		}
		ends = append(ends, done.Position)
	}
	limit := Event{ID: uuid.New(), Type: TypeMetadata, JSON: true, Data: []byte(`{"$maxCount":1}`)}
	if _, err := n.Append(t.Context(), Append{Stream: "$$order-1", Expected: ExpectAny, Events: []Event{limit}}); err != nil {
		t.Fatal(err)
	}
	h, err := n.readHead("order-1")
	if err != nil {
		t.Fatal(err)
	}
	for removed, end := range ends[:5] {
		s := &scavenger{node: n, end: end}
		if r, err := s.plan("order-1", h, scavengeBatch); err != nil || len(r.positions) != removed || r.first != uint64(removed) {
			t.Errorf("before position %d the events at %v are removed, so that it begins at %d; want %d of them (%v)", end, r.positions, r.first, removed, err)
		}
	}
}
