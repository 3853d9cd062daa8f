package projections_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/projections"
)

// A process that was away for longer than its lease lasts, and does not know it,
// writes nothing: neither the page it had in hand nor its checkpoint.
func TestAProcessThatLostAReadModelWritesNothing(t *testing.T) {
	t.Parallel()
	e := databasetest.Postgres(t)
	h := newHistory(t)
	h.trade(1, 20)
	half := len(h.events) / 2
	process := func(owner string, now time.Time) *projections.Runner {
		r, err := projections.Open(t.Context(), projections.Orders{}, projections.Config{
			Dir: e.Dir, Server: e.Server, Store: h, Logger: slog.New(slog.DiscardHandler), Now: time.Now,
			Owner: owner, Lease: time.Hour, LeaseNow: func() time.Time { return now },
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); _ = r.Run(ctx) }()
		t.Cleanup(func() { cancel(); <-done; _ = r.Close() })
		if _, err := r.Checkpoint(t.Context()); err != nil {
			t.Fatal(err)
		}
		return r
	}
	apply := func(r *projections.Runner, a, b int) error {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		return r.Apply(ctx, h.page(projections.Orders{}, a, b))
	}
	away := process("a", noon)
	if err := apply(away, 0, half); err != nil {
		t.Fatal(err)
	}
	want := snapshot(t, away.Read())
	other := process("b", noon.Add(2*time.Hour))
	if other.Position() != away.Position() {
		t.Errorf("the other one begins at %d, want %d", other.Position(), away.Position())
	}
	if err := apply(away, half, len(h.events)); err == nil {
		t.Error("a process that lost the read model applied a page")
	}
	if diff := cmp.Diff(want, snapshot(t, other.Read())); diff != "" {
		t.Errorf("it wrote (-want +got):\n%s", diff)
	}
	if err := apply(other, half, len(h.events)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(withoutCheckpoint(h.replay(t, e, projections.Orders{}, 512, 0)), withoutCheckpoint(snapshot(t, other.Read()))); diff != "" {
		t.Errorf("after the other one went on (-want +got):\n%s", diff)
	}
	// Now it knows, and waits for its turn.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := away.Apply(ctx, h.page(projections.Orders{}, half, len(h.events))); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v", err)
	}
}

// Whoever stops gives its read models back: the next one need not wait until a
// lease runs out.
func TestAReadModelIsTakenOverFromAProcessThatStops(t *testing.T) {
	t.Parallel()
	e := databasetest.Postgres(t)
	h := newHistory(t)
	h.trade(1, 5)
	open := func(owner string) (*projections.Runner, func()) {
		r, err := projections.Open(t.Context(), projections.Orders{}, projections.Config{
			Dir: e.Dir, Server: e.Server, Store: h, Logger: slog.New(slog.DiscardHandler), Now: func() time.Time { return noon }, Owner: owner,
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); _ = r.Run(ctx) }()
		t.Cleanup(func() { cancel(); <-done; _ = r.Close() })
		return r, func() { cancel(); <-done }
	}
	first, stop := open("a")
	if _, err := first.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	second, _ := open("b")
	if err := first.Apply(t.Context(), h.page(projections.Orders{}, 0, len(h.events))); err != nil {
		t.Fatal(err)
	}
	// Who waits for its turn knows how far the other one is.
	if err := second.WaitFor(t.Context(), first.Position()); err != nil {
		t.Fatal(err)
	}
	stop()
	if at, err := second.Checkpoint(t.Context()); err != nil || at != first.Position() {
		t.Errorf("the second begins at %d, %v; want %d", at, err, first.Position())
	}
}

// A version that has to stand still for longer than a lease lasts, as on a busy
// machine, is not taken over meanwhile.
func TestAVersionStandsStillForLongerThanALease(t *testing.T) {
	t.Parallel()
	e := databasetest.Postgres(t)
	const lease = 2 * time.Second
	for _, parts := range []int{1, 3} {
		t.Run(fmt.Sprint("in parts: ", parts), func(t *testing.T) {
			t.Parallel()
			h := newHistory(t)
			h.trade(1, 5)
			var now atomic.Int64
			now.Store(noon.UnixMilli())
			e := e.Another(t)
			open := func(owner string) *projections.Runner {
				r, err := projections.Open(t.Context(), projections.Orders{}, projections.Config{
					Dir: e.Dir, Server: e.Server, Store: h, Logger: slog.New(slog.DiscardHandler), Owner: owner, Lease: lease, Now: time.Now,
					LeaseNow: func() time.Time { return time.UnixMilli(now.Load()) },
				})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = r.Close() })
				return r
			}
			builder, other := open("builder"), open("other")
			if err := builder.Divide(t.Context(), parts); err != nil {
				t.Fatal(err)
			}
			thaw, err := builder.Freeze(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			name := "projection"
			lane := other
			if parts > 1 {
				name = "barrier"
				if lane, err = other.Lane(t.Context(), 1, parts); err != nil {
					t.Fatal(err)
				}
			}
			ctx, cancel := context.WithCancel(t.Context())
			var running sync.WaitGroup
			defer running.Wait()
			defer cancel()
			running.Go(func() { _ = lane.Run(ctx) })
			applied := make(chan error, 1)
			running.Go(func() { applied <- lane.Apply(ctx, h.page(projections.Orders{}, 0, len(h.events))) })
			for range 6 {
				until := now.Add((lease / 2).Milliseconds()) + lease.Milliseconds()
				eventually(t, "the lease is renewed", func() bool {
					return query(t, builder.Read(), `SELECT until FROM leases WHERE name = '`+name+`'`)[0][0] == fmt.Sprint(until)
				})
			}
			if at, err := projections.ReadPosition(t.Context(), builder.Read()); err != nil || at > 0 || len(applied) > 0 {
				t.Errorf("while it stands still it went on to %d, %v", at, err)
			}
			thaw()
			if err := <-applied; err != nil {
				t.Errorf("after that: %v", err)
			}
		})
	}
}
