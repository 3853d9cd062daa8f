package projections_test

import (
	"context"
	"errors"
	"log/slog"
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
			Dir: e.Dir, Server: e.Server, Store: h, Logger: slog.New(slog.DiscardHandler), Now: func() time.Time { return now },
			Owner: owner, Lease: time.Hour,
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
