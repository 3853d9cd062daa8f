package projections_test

import (
	"errors"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/node/nodetest"
	"github.com/waybill-dev/waybill/projections"
)

// later is a clock that goes on by itself, and as far as it is put on.
type later struct{ by atomic.Int64 }

func (l *later) now() time.Time { return time.Now().Add(time.Duration(l.by.Load())) }

// startAt is [start] with a clock.
func startAt(t *testing.T, e databasetest.Engine, c *eventstore.Client, clock *later, all ...projections.Projection) *instance {
	t.Helper()
	set, err := projections.OpenSet(t.Context(), projections.Config{
		Dir: e.Dir, Server: e.Server, Store: c, Logger: slog.New(slog.DiscardHandler), Now: clock.now, Owner: "a", Lease: 2 * time.Second,
	}, c, all...)
	if err != nil {
		t.Fatal(err)
	}
	return run(t, set, c)
}

func (p *instance) versions(name string) (list []string) {
	p.t.Helper()
	if err := p.set.Clean(p.t.Context()); err != nil {
		p.t.Fatal(err)
	}
	all, err := p.set.Versions(p.t.Context(), name)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, v := range all {
		list = append(list, v.String()+" "+string(v.State))
	}
	return list
}

// stores are the databases of a read model that there are.
func stores(t *testing.T, e databasetest.Engine, p *instance, name string) int {
	t.Helper()
	if e.Server == nil {
		files, err := filepath.Glob(filepath.Join(e.Dir, name+"-v*.db"))
		if err != nil {
			t.Fatal(err)
		}
		return len(files)
	}
	return len(query(t, p.model(name).Read(), `SELECT nspname FROM pg_namespace WHERE nspname LIKE '%orders\_v%'`))
}

// What was live is kept for a day, so that there is a way back, and then its
// database is gone. What is read stays, however long.
func TestWhatWasLiveIsKeptForADay(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		c, clock := client(t, nodetest.Start(t)), &later{}
		placeOrder(t, c, 1)
		p := startAt(t, e, c, clock, projections.Orders{})
		p.level("orders")
		first := p.versions("orders")[0]
		if r := p.rebuild("orders", anew("1")); r.State != projections.Swapped {
			t.Fatalf("%s, %s", r.State, r.Error)
		}
		code := projections.Version{Code: projections.Orders{}.Version()}.String()
		if diff := cmp.Diff([]string{code + " live"}, []string{first}); diff != "" {
			t.Errorf("at first (-want +got):\n%s", diff)
		}
		for _, step := range []struct {
			after time.Duration
			want  []string
		}{
			{23 * time.Hour, []string{code + ".1 live", code + " kept"}},
			{25 * time.Hour, []string{code + ".1 live"}},
			{100 * 24 * time.Hour, []string{code + ".1 live"}},
		} {
			clock.by.Store(int64(step.after))
			if diff := cmp.Diff(step.want, p.versions("orders")); diff != "" {
				t.Errorf("after %s (-want +got):\n%s", step.after, diff)
			}
			if n := stores(t, e, p, "orders"); n != len(step.want) {
				t.Errorf("after %s: %d databases", step.after, n)
			}
		}
		_, err := p.set.StartRebuild(t.Context(), "orders", projections.RebuildOptions{ID: "2", Kind: projections.Back, By: "test"})
		if !errors.Is(err, projections.ErrNoneKept) {
			t.Errorf("back to what is gone: %v", err)
		}
		if _, err := (projections.OrderQueries{DB: p.model("orders").Read()}).Get(t.Context(), "o1"); err != nil {
			t.Error(err)
		}
	})
}

// What the program of before reads is there for a day after the last time that
// such a program said so, and a program of the new code reads its own.
func TestTheVersionOfTheProgramOfBeforeIsKeptForADay(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		c, clock := client(t, nodetest.Start(t)), &later{}
		placeOrder(t, c, 1)
		before := startAt(t, e, c, clock, projections.Orders{})
		before.level("orders")
		before.stop()
		after := startAt(t, e, c, clock, withUnits{})
		after.level("orders")
		old, next := projections.Version{Code: projections.Orders{}.Version()}.String(), projections.Version{Code: withUnits{}.Version()}.String()
		for _, step := range []struct {
			after time.Duration
			want  []string
		}{
			{23 * time.Hour, []string{next + " live", old + " live"}},
			{25 * time.Hour, []string{next + " live"}},
		} {
			clock.by.Store(int64(step.after))
			if diff := cmp.Diff(step.want, after.versions("orders")); diff != "" {
				t.Errorf("after %s (-want +got):\n%s", step.after, diff)
			}
			if n := stores(t, e, after, "orders"); n != len(step.want) {
				t.Errorf("after %s: %d databases", step.after, n)
			}
		}
		after.stop()
		again := startAt(t, e, c, clock, projections.Orders{}) // whoever goes back then waits until it is filled
		again.level("orders")
		if _, err := (projections.OrderQueries{DB: again.model("orders").Read()}).Get(t.Context(), "o1"); err != nil {
			t.Error(err)
		}
	})
}
