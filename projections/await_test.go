package projections_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/projections"
)

func TestManyWaitForAReadModelTogether(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		h := newHistory(t)
		h.trade(1, 20)
		r := h.open(projections.Orders{}, e)
		var arrivals projections.Arrivals
		var waiting sync.WaitGroup
		var shown atomic.Int64 // what the read model has, at least
		for i := range 200 {
			wanted := h.events[i%len(h.events)].Position
			waiting.Go(func() {
				got, err := arrivals.Await(t.Context(), r.Read(), wanted, time.Minute)
				if err != nil || got < wanted || int64(got) > shown.Load() {
					t.Errorf("waited for %d and was told %d of %d (%v)", wanted, got, shown.Load(), err)
				}
			})
		}
		for n := range h.events {
			shown.Store(int64(h.events[n].Position)) //nolint:gosec // a small log
			if err := r.Apply(t.Context(), h.page(projections.Orders{}, n, n+1)); err != nil {
				t.Fatal(err)
			}
		}
		waiting.Wait()
		beyond := h.events[len(h.events)-1].Position + 1
		if got, err := arrivals.Await(t.Context(), r.Read(), beyond, 20*time.Millisecond); err != nil || got != beyond-1 {
			t.Errorf("when the time is up: %d (%v), want %d", got, err, beyond-1)
		}
		gone, leave := context.WithCancel(t.Context())
		time.AfterFunc(10*time.Millisecond, leave)
		if _, err := arrivals.Await(gone, r.Read(), beyond, time.Minute); !errors.Is(err, context.Canceled) {
			t.Errorf("whoever has gone was told %v", err)
		}
	})
}

func TestHoweverManyWaitOneLooks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const callers = 500
		model := &counted{}
		db := sql.OpenDB(model)
		defer db.Close()
		var arrivals projections.Arrivals
		var waiting sync.WaitGroup
		for range callers {
			waiting.Go(func() {
				if got, err := arrivals.Await(t.Context(), db, 7, time.Minute); err != nil || got != 7 {
					t.Errorf("told %d (%v), want 7", got, err)
				}
			})
		}
		time.Sleep(time.Second)
		model.position.Store(7)
		waiting.Wait()
		// Those who come while nobody waits look for themselves, and one for all
		// every five milliseconds.
		if n := model.queries.Load(); n < 190 || n > 250 {
			t.Errorf("%d queries, want some 200 for one second", n)
		}
		before := model.queries.Load()
		time.Sleep(time.Second)
		if n := model.queries.Load() - before; n > 0 {
			t.Errorf("%d queries while nobody waits", n)
		}
		gone, leave := context.WithCancel(t.Context())
		waiting.Go(func() { _, _ = arrivals.Await(gone, db, 8, time.Minute) })
		synctest.Wait()
		before = model.queries.Load()
		if got, err := arrivals.Await(t.Context(), db, 7, time.Minute); err != nil || got != 7 || model.queries.Load() != before {
			t.Errorf("beside one who waits: told %d (%v) after %d queries, want 7 after none", got, err, model.queries.Load()-before)
		}
		leave()
		waiting.Wait()
		time.Sleep(time.Second) // the lookout sees that nobody waits
		model.broken.Store(true)
		if _, err := arrivals.Await(t.Context(), db, 8, time.Minute); !errors.Is(err, errBroken) {
			t.Errorf("told %v, want what broke", err)
		}
		model.broken.Store(false)
		time.AfterFunc(time.Second, func() { model.broken.Store(true) })
		if _, err := arrivals.Await(t.Context(), db, 8, time.Minute); !errors.Is(err, errBroken) {
			t.Errorf("told %v while waiting, want what broke", err)
		}
	})
}

// counted is a database that has a position and counts who asks for it: how
// often one is asked no real one tells.
type counted struct {
	position, queries atomic.Int64
	broken            atomic.Bool
}

var errBroken = errors.New("broken")

func (c *counted) Connect(context.Context) (driver.Conn, error) { return c, nil }
func (c *counted) Driver() driver.Driver                        { return nil }
func (c *counted) Prepare(string) (driver.Stmt, error)          { return nil, errBroken }
func (c *counted) Begin() (driver.Tx, error)                    { return nil, errBroken }
func (c *counted) Close() error                                 { return nil }

func (c *counted) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	c.queries.Add(1)
	if c.broken.Load() {
		return nil, errBroken
	}
	return &place{at: c.position.Load()}, nil
}

// place is one row with a position.
type place struct {
	at   int64
	over bool
}

func (*place) Columns() []string { return []string{"position"} }
func (*place) Close() error      { return nil }

func (p *place) Next(row []driver.Value) error {
	if p.over {
		return io.EOF
	}
	row[0], p.over = p.at, true
	return nil
}
