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
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/node"
	"github.com/waybill-dev/waybill/node/nodetest"
	"github.com/waybill-dev/waybill/projections"
)

// TestEveryReadModelIsMadeAsOfATime keeps the rows that the live ones have at a
// time, goes on, and makes them again from the log: into a file of SQLite,
// wherever the live ones are.
func TestEveryReadModelIsMadeAsOfATime(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		var clock atomic.Int64
		clock.Store(noon.UnixNano())
		n := nodetest.New(t, nodetest.Config{Node: node.Config{Now: func() time.Time { return time.Unix(0, clock.Load()) }}})
		c := client(t, n.ConnectionString())
		p := start(t, e, c, "a", everyProjection()...)
		trade := func(from, to int) {
			for n := from; n < to; n++ {
				placeOrder(t, c, n)
				goBeside(t, c, n)
			}
		}
		trade(0, 20)
		want := map[string][]string{}
		for _, m := range p.set.Models() {
			p.level(m.Name())
			want[m.Name()] = rowsAnywhere(t, m.Name(), m.Read())
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
			if diff := cmp.Diff(want[m.Name()], rowsAnywhere(t, m.Name(), openFile(t, file))); diff != "" || filled.Events == 0 || len(want[m.Name()]) == 0 {
				t.Errorf("%s as of noon, %d events (-want +got):\n%s", m.Name(), filled.Events, diff)
			}
			p.level(m.Name())
			if slices.Equal(want[m.Name()], rowsAnywhere(t, m.Name(), p.model(m.Name()).Read())) {
				t.Errorf("%s has not gone on", m.Name())
			}
			if versions, err := p.set.Versions(t.Context(), m.Name()); err != nil || len(versions) != 1 {
				t.Errorf("the catalogue has %+v, %v", versions, err)
			}
		}
		if left, err := os.ReadDir(files); err != nil || len(left) != len(everyProjection()) {
			t.Errorf("beside the files: %v, %v", left, err)
		}
	})
}

// rowsAnywhere are the rows of a read model as they are on every engine. Words are
// kept as each of them searches, so what is found by them stands in their place.
func rowsAnywhere(t *testing.T, name string, db *sql.DB) []string {
	t.Helper()
	list := slices.DeleteFunc(withoutOwn(snapshot(t, db)), func(row string) bool { return strings.HasPrefix(row, "words: ") })
	if name != (projections.Search{}).Name() {
		return list
	}
	for _, text := range []string{"mug", "mug -1007", "1003", "teapot"} {
		match, err := projections.ParseSearch(text)
		if err != nil {
			t.Fatal(err)
		}
		found, err := (projections.SearchQueries{DB: db}).Orders(t.Context(), match, projections.OrderFilter{}, 0, 100)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, fmt.Sprint(text, ": ", found))
	}
	return list
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
