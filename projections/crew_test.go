package projections_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/node/nodetest"
	"github.com/waybill-dev/waybill/projections"
)

// startIn starts a process, with connections of its own, that brings read models
// forward in so many parts.
func startIn(t *testing.T, e databasetest.Engine, c *eventstore.Client, owner string, parts int, all ...projections.Projection) *instance {
	t.Helper()
	set, err := projections.OpenSet(t.Context(), projections.Config{
		Dir: e.Dir, Server: databasetest.Connect(t, e.URL), Store: c, Logger: slog.New(slog.DiscardHandler), Now: time.Now,
		Owner: owner, Partitions: parts,
	}, c, all...)
	if err != nil {
		t.Fatal(err)
	}
	return run(t, set, c)
}

// owners are who brings the parts of a read model forward.
func (p *instance) owners(name string) (owners []string) {
	p.t.Helper()
	status, err := p.set.Status(p.t.Context(), name)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, part := range status.Parts {
		owners = append(owners, part.Owner)
	}
	return owners
}

func (p *instance) sharedBy(name string, want map[string]int) {
	p.t.Helper()
	have := map[string]int{}
	defer func() {
		if p.t.Failed() {
			p.t.Logf("it is shared as %v; leases %v, workers %v", have,
				query(p.t, p.model(name).Read(), `SELECT name, owner, epoch, until FROM leases`),
				query(p.t, p.model(name).Read(), `SELECT owner, until FROM workers`))
		}
	}()
	eventually(p.t, fmt.Sprintf("%s is shared as %v", name, want), func() bool {
		clear(have)
		for _, owner := range p.owners(name) {
			have[owner]++
		}
		return cmp.Equal(want, have)
	})
}

// traffic places orders until it is stopped.
func traffic(t *testing.T, c *eventstore.Client, from int) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var placing sync.WaitGroup
	placing.Go(func() {
		for n := from; ctx.Err() == nil; n++ {
			placeOrder(t, c, n)
			select {
			case <-time.After(50 * time.Millisecond): // others need the machine, too
			case <-ctx.Done():
			}
		}
	})
	stop = sync.OnceFunc(func() { cancel(); placing.Wait() })
	t.Cleanup(stop)
	return stop
}

// Processes come and go, and the number of parts changes, while orders are
// placed: each has its share, and the rows are those of a read model that was
// never in parts.
func TestProcessesShareTheParts(t *testing.T) {
	t.Parallel()
	e := databasetest.Postgres(t)
	c := client(t, nodetest.Start(t))
	for n := range 20 {
		placeOrder(t, c, n)
	}
	stop := traffic(t, c, 20)
	all := []projections.Projection{projections.Orders{}, projections.Timeline{}, projections.Payments{}, projections.Sales{}}
	a := startIn(t, e, c, "a", 4, all...)
	a.sharedBy("orders", map[string]int{"a": 4})
	b := startIn(t, e, c, "b", 4, all...)
	a.sharedBy("orders", map[string]int{"a": 2, "b": 2})
	third := startIn(t, e, c, "c", 4, all...)
	eventually(t, "three share four parts", func() bool {
		owners := a.owners("timeline")
		slices.Sort(owners)
		return len(slices.Compact(slices.Clone(owners))) == 3 && owners[0] != ""
	})
	third.stop()
	a.sharedBy("timeline", map[string]int{"a": 2, "b": 2})
	b.stop()
	a.sharedBy("payments", map[string]int{"a": 4})
	if parts := a.owners("sales"); len(parts) != 0 {
		t.Errorf("what joins streams is in parts: %v", parts)
	}
	// One with another number waits until nobody works with the old one.
	d := startIn(t, e, c, "d", 3, all...)
	if r := a.rebuild("orders", anew("while it waits")); r.State != projections.Swapped || !r.Equal() {
		t.Errorf("rebuild in four parts: %s, %+v, %s", r.State, r.Compared, r.Error)
	}
	// Whoever comes to the new version first brings it forward, the other one
	// waits: now and then that is d.
	eventually(t, "one of them has the new version whole", func() bool {
		owners := a.owners("orders")
		return slices.Equal(owners, []string{"a", "a", "a", "a"}) || slices.Equal(owners, []string{"d", "d", "d"})
	})
	a.stop()
	d.sharedBy("orders", map[string]int{"d": 3})
	one := startIn(t, e, c, "one", 1, all...)
	d.stop()
	eventually(t, "it is whole again", func() bool { return len(one.owners("orders")) == 0 && len(one.owners("timeline")) == 0 })
	placeOrder(t, c, 1_000_000)
	stop()
	for _, p := range all {
		one.level(p.Name())
		if r := one.rebuild(p.Name(), projections.RebuildOptions{ID: "last", Kind: projections.Verify, By: "test"}); !r.Equal() {
			t.Errorf("%s: %+v, %s", p.Name(), r.Compared, r.Error)
		}
	}
}

// Whoever reads never goes back in time, and finds what it waited for, while the
// parts go to another process and back.
func TestReadersOfPartsSeeTimeGoForward(t *testing.T) {
	t.Parallel()
	e := databasetest.Postgres(t)
	c := client(t, nodetest.Start(t))
	a := startIn(t, e, c, "a", 3, projections.Orders{})
	orders := projections.OrderQueries{DB: a.model("orders").Read()}
	ctx, cancel := context.WithCancel(t.Context())
	var working sync.WaitGroup
	defer working.Wait()
	defer cancel()
	var read atomic.Int64
	working.Go(func() {
		var last eventstore.Position
		for ctx.Err() == nil {
			at, err := projections.ReadPosition(t.Context(), orders.DB)
			if err != nil || at < last {
				t.Errorf("read at %d after %d, %v", at, last, err)
				return
			}
			last = at
		}
	})
	working.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			placeOrder(t, c, n)
			var position eventstore.Position
			for r, err := range c.ReadStream(t.Context(), fmt.Sprint("order-o", n), 0) {
				if err != nil {
					t.Error(err)
					return
				}
				position = r.Position
			}
			if at, err := new(projections.Arrivals).Await(t.Context(), orders.DB, position, patience); err != nil || at < position {
				t.Errorf("waited for %d, came to %d, %v", position, at, err)
				return
			}
			if _, err := orders.Get(t.Context(), fmt.Sprint("o", n)); err != nil {
				t.Errorf("order %d: %v", n, err)
				return
			}
			read.Add(1)
		}
	})
	some := func(what string) {
		t.Helper()
		before := read.Load()
		eventually(t, what, func() bool { return read.Load() > before+5 || t.Failed() })
	}
	some("orders are read")
	b := startIn(t, e, c, "b", 3, projections.Orders{})
	a.sharedBy("orders", map[string]int{"a": 2, "b": 1})
	some("orders are read that two processes apply")
	if r := a.rebuild("orders", anew("1")); r.State != projections.Swapped || !r.Equal() {
		t.Errorf("%s, %+v, %s", r.State, r.Compared, r.Error)
	}
	some("orders are read of the new version")
	b.stop()
	some("orders are read after one has ended")
}

// What one process cannot know of the parts of others does not make it wrong
// about the lag: events that a part has, which is ahead, are not counted.
func TestTheLagOfPartsIsWhatTheyHaveNotApplied(t *testing.T) {
	t.Parallel()
	e := databasetest.Postgres(t)
	c := client(t, nodetest.Start(t))
	for n := range 12 {
		placeOrder(t, c, n)
	}
	set, err := projections.OpenSet(t.Context(), projections.Config{
		Dir: e.Dir, Server: e.Server, Store: c, Logger: slog.New(slog.DiscardHandler), Now: time.Now, Owner: "test", Partitions: 3,
	}, c, projections.Orders{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = set.Close() }()
	m := set.Models()[0]
	if err := m.Live().Divide(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	lane, err := m.Live().Lane(t.Context(), 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	running.Go(func() { _ = lane.Run(ctx) })
	follow(t, lane, c, 0, 512)
	want := 0
	for n := range 12 {
		if projections.Partition(fmt.Sprint("order-o", n), 3) != 2 {
			want++
		}
	}
	lag, err := m.Lag(t.Context())
	if err != nil || lag.Events != want || want == 0 || want == 12 {
		t.Errorf("lag %+v, %v; want %d of 12", lag, err, want)
	}
}
