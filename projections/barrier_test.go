package projections_test

import (
	"context"
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

// A barrier may vanish at any moment, also between the statement that it refuses
// and the question why that was refused. The part goes on, and does not take its
// lease for lost.
func TestAPartGoesOnWheneverABarrierVanishes(t *testing.T) {
	t.Parallel()
	e := databasetest.Postgres(t)
	h := newHistory(t)
	h.trade(1, 20)
	p := projections.Orders{}
	const lease = time.Hour
	var looks atomic.Int64 // at the clock, until the barrier's time is over
	looks.Store(1 << 40)
	whole, err := projections.Open(t.Context(), p, projections.Config{
		Dir: e.Dir, Server: e.Server, Store: h, Logger: slog.New(slog.DiscardHandler), Owner: "test", Lease: lease, Now: time.Now,
		LeaseNow: func() time.Time {
			if looks.Add(-1) < 0 {
				return noon.Add(2 * lease)
			}
			return noon
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = whole.Close() }()
	if err := whole.Divide(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	part, err := whole.Lane(t.Context(), 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	running.Go(func() { _ = part.Run(ctx) })
	if _, err := part.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
	const steps = 12 // more than a page looks at the clock
	for step := range steps {
		looks.Store(1 << 40)
		if err := whole.Barrier(t.Context(), 0, noon.Add(lease)); err != nil {
			t.Fatal(err)
		}
		looks.Store(int64(step))
		if err := part.Apply(ctx, h.page(p, len(h.events)*step/steps, len(h.events)*(step+1)/steps)); err != nil {
			t.Fatalf("the barrier vanished after %d looks at the clock: %v", step, err)
		}
	}
	want := [][]string{{"1", fmt.Sprint(h.events[len(h.events)-1].Position)}, {"2", "0"}}
	if diff := cmp.Diff(want, query(t, whole.Read(), `SELECT part, position FROM partitions ORDER BY part`)); diff != "" {
		t.Errorf("parts and how far they are (-want +got):\n%s", diff)
	}
}
