package projections_test

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/domain/catalog"
	"github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/node"
	"github.com/waybill-dev/waybill/node/nodetest"
	"github.com/waybill-dev/waybill/projections"
)

// TestEveryReadModelIsMadeAsOfATime keeps the rows that the live ones have at a
// time, goes on, and makes them again from the log.
func TestEveryReadModelIsMadeAsOfATime(t *testing.T) {
	t.Parallel()
	var clock atomic.Int64
	clock.Store(noon.UnixNano())
	n := nodetest.New(t, nodetest.Config{Node: node.Config{Now: func() time.Time { return time.Unix(0, clock.Load()) }}})
	c := client(t, n.ConnectionString())
	e := databasetest.Engine{Dir: t.TempDir()}
	p := start(t, e, c, "a", everyProjection()...)
	trade := func(from, to int) {
		for n := from; n < to; n++ {
			placeOrder(t, c, n)
		}
		open, sku := fmt.Sprint("open-", to), fmt.Sprint("NEW-", to)
		add(t, c, "checkout-"+open, open, checkout.CheckoutStarted{CheckoutID: open, OrderID: open, StartedAt: noon})
		add(t, c, "product-"+sku, sku, catalog.ProductRegistered{SKU: sku, Title: "Mug"})
	}
	trade(0, 20)
	want := map[string][]string{}
	for _, m := range p.set.Models() {
		p.level(m.Name())
		want[m.Name()] = rows(t, m)
	}
	clock.Add(int64(time.Millisecond))
	trade(20, 30)
	until, err := c.Before(t.Context(), noon.Add(time.Nanosecond))
	if err != nil {
		t.Fatal(err)
	}
	files := t.TempDir()
	for _, m := range everyProjection() {
		file := filepath.Join(files, m.Name()+".db")
		filled := makeAsOf(t, c, e, m, projections.AsOf{File: file, Until: until})
		if diff := cmp.Diff(want[m.Name()], withoutOwn(snapshot(t, openFile(t, file)))); diff != "" || filled.Events == 0 || len(want[m.Name()]) == 0 {
			t.Errorf("%s as of noon, %d events (-want +got):\n%s", m.Name(), filled.Events, diff)
		}
		p.level(m.Name())
		if slices.Equal(want[m.Name()], rows(t, p.model(m.Name()))) {
			t.Errorf("%s has not gone on", m.Name())
		}
		if versions, err := p.set.Versions(t.Context(), m.Name()); err != nil || len(versions) != 1 {
			t.Errorf("the catalogue has %+v, %v", versions, err)
		}
	}
	if left, err := os.ReadDir(files); err != nil || len(left) != len(everyProjection()) {
		t.Errorf("beside the files: %v, %v", left, err)
	}
}

func makeAsOf(t *testing.T, c *eventstore.Client, e databasetest.Engine, p projections.Projection, o projections.AsOf) projections.Filled {
	t.Helper()
	filled, err := projections.FillAsOf(t.Context(), p, asOfConfig(c, e), c, o)
	if err != nil {
		t.Fatal(err)
	}
	return filled
}

func asOfConfig(c *eventstore.Client, e databasetest.Engine) projections.Config {
	return projections.Config{Dir: e.Dir, Server: e.Server, Store: c, Logger: slog.New(slog.DiscardHandler), Now: time.Now}
}

// openFile opens a database as anybody may who was sent it: where nothing can
// be written beside it.
func openFile(t *testing.T, file string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+file+"?immutable=1&mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// What was decided about events that cannot be applied holds for the file, too.
func TestAReadModelAsOfATimeKnowsTheRepairs(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		c := client(t, nodetest.Start(t))
		poison(t, c, "skipped")
		poison(t, c, "blocked")
		placeOrder(t, c, 1)
		p := start(t, e, c, "a", picky{})
		p.level("orders")
		end, err := c.End(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for revision := range 2 {
			skip := projections.Repair{Stream: "order-skipped", Revision: eventstore.Revision(revision), Kind: projections.Skip, Reason: "A test of the supplier.", By: "ada"}
			if _, err := p.model("orders").Repair(t.Context(), skip, false); err != nil && !errors.Is(err, projections.ErrNotBlocked) {
				t.Fatal(err)
			}
		}
		file := filepath.Join(t.TempDir(), "orders.db")
		filled := makeAsOf(t, c, e, picky{}, projections.AsOf{File: file, Until: end})
		if len(filled.Blocked) != 1 || filled.Blocked[0].Stream != "order-blocked" {
			t.Errorf("blocked: %+v", filled.Blocked)
		}
		if got := query(t, openFile(t, file), `SELECT order_id FROM orders ORDER BY order_id`); fmt.Sprint(got) != "[[o1]]" {
			t.Errorf("orders: %v", got)
		}
		_, err = projections.FillAsOf(t.Context(), picky{}, asOfConfig(c, e), c, projections.AsOf{File: file, Until: end})
		if !errors.Is(err, fs.ErrExist) {
			t.Errorf("a file that is there: %v", err)
		}
	})
}
