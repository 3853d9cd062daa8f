package projections_test

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/node/nodetest"
	"github.com/waybill-dev/waybill/projections"
)

// Two processes share a Postgres, and their clocks differ. Whoever has a read
// model, or a part of one, keeps it as long as it lives, and no longer.
func TestClocksThatDifferChangeNothingOfReadModels(t *testing.T) {
	t.Parallel()
	const wrong = 10 * time.Minute
	for name, row := range map[string]struct{ first, second, jump time.Duration }{
		"the first is ahead":        {first: wrong},
		"the first is behind":       {first: -wrong},
		"the first goes forward":    {jump: wrong},
		"ahead, and then corrected": {first: wrong, jump: -wrong},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, c := databasetest.Postgres(t), client(t, nodetest.Start(t))
			var clocks [2]later
			clocks[0].by.Store(int64(row.first))
			a := startWrong(t, e, c, "a", &clocks[0])
			a.sharedBy("orders", map[string]int{"a": 2})
			b := startWrong(t, e, c, "b", &clocks[1])
			b.sharedBy("orders", map[string]int{"a": 1, "b": 1})
			before := b.epochs()
			clocks[0].by.Add(int64(row.jump))
			for n := range 8 {
				b.renewed()
				placeOrder(t, c, n)
				a.level("orders")
				b.level("sales")
			}
			if diff := cmp.Diff(before, b.epochs()); diff != "" {
				t.Errorf("leases and epochs (-want +got):\n%s", diff)
			}
			a.die()
			b.sharedBy("orders", map[string]int{"b": 2})
			eventually(t, "the other one has what is whole", func() bool { return b.epochs()["sales: projection"] == "b, 2" })
			placeOrder(t, c, 100)
			b.level("orders")
			b.level("sales")
		})
	}
}

// wrongly is a process that brings read models forward and can be taken away.
type wrongly struct {
	*instance

	die func()
}

func startWrong(t *testing.T, e databasetest.Engine, c *eventstore.Client, owner string, clock *later) *wrongly {
	t.Helper()
	server := databasetest.Connect(t, e.URL)
	set, err := projections.OpenSet(t.Context(), projections.Config{
		Dir: e.Dir, Server: server, Store: c, Logger: slog.New(slog.DiscardHandler), Now: clock.now,
		Owner: owner, Partitions: 2, Lease: 2 * time.Second,
	}, c, projections.Orders{}, projections.Sales{})
	if err != nil {
		t.Fatal(err)
	}
	return &wrongly{run(t, set, c), server.Close}
}

func (w *wrongly) leases(of string) map[string]string {
	w.t.Helper()
	got := map[string]string{}
	for _, name := range []string{"orders", "sales"} {
		for _, row := range query(w.t, w.model(name).Read(), `SELECT name, `+of+` FROM leases WHERE owner <> ''`) {
			got[name+": "+row[0]] = row[1]
		}
	}
	return got
}

// epochs are who has what, and how often it got an owner.
func (w *wrongly) epochs() map[string]string { w.t.Helper(); return w.leases(`owner || ', ' || epoch`) }

// renewed waits until all leases have been renewed.
func (w *wrongly) renewed() {
	w.t.Helper()
	before := w.leases("until")
	eventually(w.t, fmt.Sprint("leases to be renewed: ", before), func() bool {
		moved := 0
		for name, until := range w.leases("until") {
			if until != before[name] {
				moved++
			}
		}
		return moved >= len(before)
	})
}
