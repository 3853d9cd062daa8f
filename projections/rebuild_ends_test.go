package projections_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/node/nodetest"
	"github.com/waybill-dev/waybill/projections"
)

// told is a process that is told what to do, and does nothing.
func told(t *testing.T, e databasetest.Engine, all ...projections.Projection) *projections.Set {
	t.Helper()
	c := client(t, nodetest.Start(t))
	set, err := projections.OpenSet(t.Context(), projections.Config{
		Dir: e.Dir, Server: e.Server, Store: c, Logger: slog.New(slog.DiscardHandler), Now: time.Now, Owner: "told",
	}, c, all...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := set.Close(); err != nil {
			t.Error(err)
		}
	})
	return set
}

// Whoever says that a rebuild is to be swapped in whatever the comparison says is
// heard while it is filled, too.
func TestARebuildIsAcceptedWhileItIsFilled(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		c := client(t, nodetest.Start(t))
		for n := range 10 {
			placeOrder(t, c, n)
		}
		wrong := false
		p := start(t, e, c, "a", forgetful{wrong: &wrong})
		p.level("orders")
		p.stop()
		wrong = true
		p = start(t, e, c, "a", forgetful{wrong: &wrong})
		slow := anew("1")
		slow.Rate = 3
		if _, err := p.set.StartRebuild(t.Context(), "orders", slow); err != nil {
			t.Fatal(err)
		}
		eventually(t, "something is filled", func() bool {
			r, err := p.set.Rebuild(t.Context(), "orders")
			return err == nil && (r.Events > 0 || r.Ended())
		})
		if _, err := p.set.AcceptRebuild(t.Context(), "orders"); err != nil {
			t.Fatal(err)
		}
		if r := p.end("orders"); r.State != projections.Swapped || r.Equal() {
			t.Errorf("%s, %+v, %s", r.State, r.Compared, r.Error)
		}
	})
}

// What is to be cancelled is, whatever its process or anybody else says of it
// before it is.
func TestWhatIsToBeCancelledIs(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		set := told(t, e, projections.Orders{})
		begun, err := set.StartRebuild(t.Context(), "orders", anew("1"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := set.CancelRebuild(t.Context(), "orders"); err != nil {
			t.Fatal(err)
		}
		for _, do := range []func(context.Context, string) (projections.Rebuild, error){set.PauseRebuild, set.ResumeRebuild, set.AcceptRebuild} {
			if _, err := do(t.Context(), "orders"); !errors.Is(err, projections.ErrNoRebuild) {
				t.Errorf("of what is to be cancelled: %v", err)
			}
		}
		for _, state := range []projections.RebuildState{projections.Different, projections.Verified, projections.Failed, projections.Cancelled} {
			if err := set.Finish(t.Context(), begun, state); err != nil {
				t.Fatal(err)
			}
			if r, err := set.Rebuild(t.Context(), "orders"); err != nil || r.Ended() != (state == projections.Cancelled) {
				t.Errorf("%s: it is over: %v, as %s, %v", state, r.Ended(), r.State, err)
			}
		}
	})
}

// hooked is a log that lets something be done where somebody asks for its end.
type hooked struct {
	*eventstore.Client

	end func()
}

func (h *hooked) End(ctx context.Context) (eventstore.Position, error) {
	h.end()
	return h.Client.End(ctx)
}

// The last moment at which a rebuild can be cancelled is that of the swap itself.
func TestARebuildIsCancelledInTheMomentOfItsSwap(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		c := client(t, nodetest.Start(t))
		placeOrder(t, c, 1)
		log := &hooked{Client: c, end: func() {}}
		set, err := projections.OpenSet(t.Context(), projections.Config{
			Dir: e.Dir, Server: e.Server, Store: c, Logger: slog.New(slog.DiscardHandler), Now: time.Now, Owner: "a", Lease: 2 * time.Second,
		}, log, projections.Orders{})
		if err != nil {
			t.Fatal(err)
		}
		var cancelled sync.Once
		log.end = func() {
			if r, err := set.Rebuild(t.Context(), "orders"); err != nil || r.State != projections.Swapping {
				return
			}
			cancelled.Do(func() {
				if err := set.CancelFromElsewhere(t.Context(), "orders"); err != nil {
					t.Error(err)
				}
			})
		}
		p := run(t, set, c)
		p.level("orders")
		before := p.model("orders").Live().Version()
		if r := p.rebuild("orders", anew("1")); r.State != projections.Cancelled {
			t.Errorf("it ended as %s, %s", r.State, r.Error)
		}
		placeOrder(t, c, 2)
		p.level("orders") // the live one goes on
		if now := p.model("orders").Live().Version(); now != before {
			t.Errorf("%s is live, want %s", now, before)
		}
	})
}

// A version that cannot be gone back to is not kept for ever.
func TestAVersionThatCannotBeGoneBackToIsKeptForADay(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		p := start(t, e, client(t, nodetest.Start(t)), "a", projections.Orders{})
		if r := p.rebuild("orders", anew("1")); r.State != projections.Swapped {
			t.Fatalf("%s, %s", r.State, r.Error)
		}
		p.stop()
		set := told(t, e, projections.Orders{})
		back, err := set.StartRebuild(t.Context(), "orders", projections.RebuildOptions{ID: "2", Kind: projections.Back, By: "test"})
		if err != nil {
			t.Fatal(err)
		}
		set.GiveUp(t.Context(), back, errors.New("it cannot be read"))
		if r, err := set.Rebuild(t.Context(), "orders"); err != nil || r.State != projections.Failed {
			t.Errorf("%s, %v", r.State, err)
		}
		versions, err := set.Versions(t.Context(), "orders")
		if err != nil || len(versions) != 2 {
			t.Fatalf("%+v, %v", versions, err)
		}
		if v := versions[1]; v.State != projections.Kept || v.KeepUntil.IsZero() {
			t.Errorf("%s is %s until %s", v, v.State, v.KeepUntil)
		}
	})
}
