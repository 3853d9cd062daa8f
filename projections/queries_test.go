package projections_test

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/domain/process"
	"github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/node/nodetest"
	"github.com/waybill-dev/waybill/projections"
)

func TestOrdersAreListedNewestFirstByFilterAndPage(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		c := client(t, nodetest.Start(t))
		for n := range 10 {
			placeOrder(t, c, n)
		}
		for n, tags := range map[int][]string{6: {"gift"}, 7: {"gift", "late"}, 8: {"late"}} {
			add(t, c, fmt.Sprint("order-o", n), "tag", order.OrderTagged{OrderID: fmt.Sprint("o", n), Add: tags})
		}
		r := open(t, projections.Orders{}, e.Another(t), c)
		defer func() { _ = r.Close() }()
		follow(t, r, c, 0, 512)
		q := projections.OrderQueries{DB: r.Read()}
		list := func(filter projections.OrderFilter, after *projections.OrderKey, limit int) (ids []string) {
			t.Helper()
			rows, err := q.List(t.Context(), filter, after, limit)
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range rows {
				ids = append(ids, row.OrderID)
			}
			return ids
		}
		for name, row := range map[string]struct {
			filter projections.OrderFilter
			after  *projections.OrderKey
			limit  int
			want   []string
		}{
			"first page":      {limit: 3, want: []string{"o9", "o8", "o7"}},
			"next page":       {after: &projections.OrderKey{PlacedAt: noon.Add(7 * time.Minute), OrderID: "o7"}, limit: 2, want: []string{"o6", "o5"}},
			"by customer":     {filter: projections.OrderFilter{CustomerID: "customer-1"}, limit: 2, want: []string{"o9", "o7"}},
			"by SKU":          {filter: projections.OrderFilter{SKU: "MUG-0"}, limit: 9, want: []string{"o9", "o6", "o3", "o0"}},
			"by status":       {filter: projections.OrderFilter{Status: "placed", PaymentStatus: "authorised"}, limit: 1, want: []string{"o9"}},
			"by another":      {filter: projections.OrderFilter{Status: "cancelled"}, limit: 1},
			"oldest first":    {filter: projections.OrderFilter{SKU: "MUG-0", OldestFirst: true}, after: &projections.OrderKey{PlacedAt: noon, OrderID: "o0"}, limit: 2, want: []string{"o3", "o6"}},
			"by tag":          {filter: projections.OrderFilter{Tag: "gift"}, limit: 9, want: []string{"o7", "o6"}},
			"by tag and SKU":  {filter: projections.OrderFilter{Tag: "gift", SKU: "MUG-0"}, limit: 9, want: []string{"o6"}},
			"by time":         {filter: projections.OrderFilter{PlacedFrom: noon.Add(time.Minute), PlacedTo: noon.Add(3 * time.Minute)}, limit: 9, want: []string{"o2", "o1"}},
			"by external ref": {filter: projections.OrderFilter{ExternalSource: "shop", ExternalRef: "1"}, limit: 9},
		} {
			if diff := cmp.Diff(row.want, list(row.filter, row.after, row.limit)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
		if got, err := q.ByNumber(t.Context(), "1004"); err != nil || got.OrderID != "o4" || got.Totals.Grand != eur(2500) {
			t.Errorf("by number: %+v, %v", got, err)
		}
		if _, err := q.Get(t.Context(), "nothing"); !errors.Is(err, projections.ErrNotFound) {
			t.Errorf("nothing: %v", err)
		}
	})
}

func TestATimelineShowsTheOrdersCheckoutAndPaymentWithTheirTraces(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		c := client(t, nodetest.Start(t))
		placeOrder(t, c, 1)
		placeOrder(t, c, 2)
		task := process.Task{Kind: process.Capture, Ref: "s1", OpenedBy: "e"}
		add(t, c, "orderpm-o2", "c2", process.ProcessTaskFailed{OrderID: "o2", Task: task, Attempt: 5, Cause: "no answer", RetryAt: noon},
			process.ProcessAlarmRaised{OrderID: "o2", Task: task, Failures: 5, Cause: "no answer"}, process.ProcessTaskRetried{OrderID: "o2", Task: task},
			process.ProcessTaskDone{OrderID: "o2", Task: task, Failures: 5}, process.ProcessTaskDone{OrderID: "o2", Task: task},
			process.ProcessTaskAbandoned{OrderID: "o2", Task: task, Reason: "by hand"})
		r := open(t, projections.Timeline{}, e.Another(t), c)
		defer func() { _ = r.Close() }()
		follow(t, r, c, 0, 512)
		entries, err := (projections.TimelineQueries{DB: r.Read()}).Of(t.Context(), "o2")
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range entries {
			got = append(got, e.Type+": "+e.Summary)
			if e.TraceID != "t-c2" || e.Actor.Type != "test" || e.At.IsZero() {
				t.Errorf("entry %+v", e)
			}
		}
		want := []string{
			"CheckoutStarted: checkout started",
			"PaymentAuthorisationRequested: authorisation of 25.00 EUR by  requested",
			"PaymentAuthorised: 25.00 EUR authorised",
			"OrderPlaced: order 1002 placed, 25.00 EUR",
			"CheckoutCompleted: checkout completed",
			"ProcessTaskFailed: capture s1 failed, attempt 5, next at 2026-03-01T12:00:00Z: no answer",
			"ProcessAlarmRaised: alarm: capture s1 failed 5 times: no answer",
			"ProcessTaskRetried: capture s1 to be tried at once",
			"ProcessTaskDone: capture s1 done, failures before it: 5",
			"ProcessTaskDone: capture s1 done",
			"ProcessTaskAbandoned: capture s1 given up: by hand",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("timeline (-want +got):\n%s", diff)
		}
	})
}

func TestStockLevelsFollowEveryMovement(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		c := client(t, nodetest.Start(t))
		add(t, c, "stock-main.A", "1",
			stock.StockItemRegistered{SKU: "A", Location: "main", BackorderLimit: 5},
			stock.StockReceived{SKU: "A", Location: "main", Quantity: 10},
			stock.StockReserved{SKU: "A", Location: "main", ReservationID: "r1", Quantity: 4},
			stock.StockReserved{SKU: "A", Location: "main", ReservationID: "r2", Quantity: 3},
			stock.StockReservationExtended{SKU: "A", Location: "main", ReservationID: "r1"},
			stock.StockCommitted{SKU: "A", Location: "main", ReservationID: "r1", Quantity: 4},
			stock.StockReservationReleased{SKU: "A", Location: "main", ReservationID: "r2", Quantity: 3},
			stock.StockShipped{SKU: "A", Location: "main", ReservationID: "r1", ShipmentID: "s1", Quantity: 3},
			stock.StockReturned{SKU: "A", Location: "main", ReturnID: "t1", Quantity: 1},
			stock.StockAdjusted{SKU: "A", Location: "main", Delta: -8, Reason: "counted", Ref: "c1"},
			stock.StockShortfallDetected{SKU: "A", Location: "main", Quantity: 1},
			stock.StockPolicyChanged{SKU: "A", Location: "main", Policy: stock.Backorder, BackorderLimit: 7},
		)
		add(t, c, "stock-main.B", "1", stock.StockReceived{SKU: "B", Location: "main", Quantity: 1})
		r := open(t, projections.Stock{}, e.Another(t), c)
		defer func() { _ = r.Close() }()
		follow(t, r, c, 0, 512)
		q := projections.StockQueries{DB: r.Read()}
		want := projections.StockLevel{SKU: "A", Location: "main", OnHand: 0, Committed: 1, Policy: stock.Backorder, BackorderLimit: 7, Available: 6, Revision: 11}
		if got, err := q.Get(t.Context(), "main", "A"); err != nil || got != want {
			t.Errorf("level %+v, %v; want %+v", got, err, want)
		}
		add(t, c, "stock-north.A", "1", stock.StockReceived{SKU: "A", Location: "north", Quantity: 1})
		follow(t, r, c, r.Position(), 512)
		for name, row := range map[string]struct {
			filter            projections.StockFilter
			afterSKU, afterAt string
			want              []string
		}{
			"all":                    {want: []string{"A main", "A north", "B main"}},
			"after one":              {afterSKU: "A", afterAt: "main", want: []string{"A north", "B main"}},
			"of a SKU":               {filter: projections.StockFilter{SKU: "A"}, want: []string{"A main", "A north"}},
			"of a SKU, after one":    {filter: projections.StockFilter{SKU: "A"}, afterSKU: "A", afterAt: "main", want: []string{"A north"}},
			"at a location":          {filter: projections.StockFilter{Location: "main"}, want: []string{"A main", "B main"}},
			"at a location, the end": {filter: projections.StockFilter{Location: "main"}, afterSKU: "B", afterAt: "main"},
			"one item":               {filter: projections.StockFilter{SKU: "A", Location: "north"}, want: []string{"A north"}},
			"one item, the end":      {filter: projections.StockFilter{SKU: "A", Location: "north"}, afterSKU: "A", afterAt: "north"},
		} {
			list, err := q.List(t.Context(), row.filter, row.afterSKU, row.afterAt, 10)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, l := range list {
				got = append(got, l.SKU+" "+l.Location)
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
		if got, err := q.Get(t.Context(), "north", "A"); err != nil || got.Policy != stock.Deny {
			t.Errorf("what nobody registered: %+v, %v", got, err)
		}
		if _, err := q.Get(t.Context(), "main", "Z"); !errors.Is(err, projections.ErrNotFound) {
			t.Errorf("nothing: %v", err)
		}
	})
}

func TestOnlyOpenCheckoutsAreDue(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		c := client(t, nodetest.Start(t))
		placeOrder(t, c, 1)
		later := noon.Add(100 * 365 * 24 * time.Hour)
		add(t, c, "checkout-d", "d", checkout.CheckoutStarted{CheckoutID: "d", OrderID: "od", StartedAt: noon},
			checkout.CheckoutPaymentDeclined{CheckoutID: "d", RetryUntil: later})
		add(t, c, "checkout-u", "u", checkout.CheckoutStarted{CheckoutID: "u", OrderID: "ou", StartedAt: noon}, checkout.CheckoutPaymentUnknown{CheckoutID: "u"})
		r := open(t, projections.Checkouts{}, e.Another(t), c)
		defer func() { _ = r.Close() }()
		follow(t, r, c, 0, 512)
		q := projections.CheckoutQueries{DB: r.Read()}
		due := func(before time.Time) (ids []string) {
			rows, err := q.Due(t.Context(), before, 10)
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range rows {
				ids = append(ids, row.CheckoutID+" "+string(row.Step))
			}
			return ids
		}
		if diff := cmp.Diff([]string{"u unknown"}, due(later.Add(-time.Hour))); diff != "" {
			t.Errorf("before the last try (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"d declined", "u unknown"}, due(later)); diff != "" {
			t.Errorf("after it (-want +got):\n%s", diff)
		}
		counts, err := q.Count(t.Context())
		if diff := cmp.Diff(map[checkout.Step]int{checkout.Unknown: 1, checkout.Declined: 1}, counts); err != nil || diff != "" {
			t.Errorf("counts (-want +got), %v:\n%s", err, diff)
		}
		rows, err := q.Due(t.Context(), later, 10)
		if since, lost := q.OldestUnknown(t.Context()); err != nil || lost != nil || since.IsZero() || !since.Equal(rows[1].LastAt) {
			t.Errorf("unknown since %s, %v; the list has %+v, %v", since, lost, rows, err)
		}
	})
}

func TestFailedCheckoutsStayListedWhereSomethingIsToBeLookedAt(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		c := client(t, nodetest.Start(t))
		failed := func(id string, failed checkout.CheckoutFailed, more ...domain.Event) {
			failed.CheckoutID = id
			add(t, c, "checkout-"+id, id, append([]domain.Event{
				checkout.CheckoutStarted{CheckoutID: id, OrderID: "o" + id, StartedAt: noon},
				checkout.CheckoutCompensating{CheckoutID: id, Reason: failed.Reason},
				failed,
			}, more...)...)
		}
		failed("gone", checkout.CheckoutFailed{Reason: "payment-declined"})
		failed("seen", checkout.CheckoutFailed{Reason: "payment-unresolved"})
		failed("both", checkout.CheckoutFailed{Reason: "payment-unresolved", Watch: "p"})
		failed("watched", checkout.CheckoutFailed{Reason: "payment-declined", Watch: "p"})
		failed("late", checkout.CheckoutFailed{Reason: "payment-declined", Watch: "p"}, checkout.CheckoutLatePaymentVoided{CheckoutID: "late"})
		add(t, c, "checkout-acting", "a", checkout.CheckoutStarted{CheckoutID: "acting", OrderID: "oa", StartedAt: noon}, checkout.CheckoutPaymentActionRequired{CheckoutID: "acting"})
		r := open(t, projections.Checkouts{}, e.Another(t), c)
		defer func() { _ = r.Close() }()
		follow(t, r, c, 0, 512)
		q := projections.CheckoutQueries{DB: r.Read()}
		ids := func(rows []projections.OpenCheckout, err error) (ids []string) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range rows {
				ids = append(ids, row.CheckoutID+" "+string(row.Step))
			}
			slices.Sort(ids)
			return ids
		}
		if diff := cmp.Diff([]string{"acting action_required", "both failed", "watched failed"}, ids(q.Due(t.Context(), time.Now().Add(time.Hour), 10))); diff != "" {
			t.Errorf("due (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"both unresolved", "seen unresolved"}, ids(q.List(t.Context(), projections.Unresolved, nil, 10))); diff != "" {
			t.Errorf("unresolved (-want +got):\n%s", diff)
		}
		first, err := q.List(t.Context(), projections.Unresolved, nil, 1)
		if err != nil || len(first) != 1 {
			t.Fatalf("first page %+v, %v", first, err)
		}
		after := &projections.CheckoutKey{LastAt: first[0].LastAt, CheckoutID: first[0].CheckoutID}
		rest, err := q.List(t.Context(), projections.Unresolved, after, 10)
		if diff := cmp.Diff([]string{"both unresolved", "seen unresolved"}, ids(append(first, rest...), err)); diff != "" {
			t.Errorf("two pages (-want +got):\n%s", diff)
		}
	})
}

// TestNoQueryReadsAWholeTable looks at SQLite's plans for every query behind a
// route.
func TestNoQueryReadsAWholeTable(t *testing.T) {
	t.Parallel()
	c := client(t, nodetest.Start(t))
	checkPlan(t, c, projections.Orders{}, "number", `SELECT 1 FROM orders WHERE number = ?`, "x")
	checkPlan(t, c, projections.Timeline{}, "timeline", `SELECT 1 FROM timeline WHERE order_id = ? ORDER BY position`, "x")
	for name, filter := range map[string]projections.StockFilter{"stock": {}, "stock of a SKU": {SKU: "x"}, "stock at a location": {Location: "x"}, "one item": {SKU: "x", Location: "y"}} {
		query, args := projections.StockQuery(filter)
		checkPlan(t, c, projections.Stock{}, name, query, append(args, 1)...)
	}
	checkPlan(t, c, projections.Products{}, "products", projections.ListProductsQuery, "x", 1)
	checkPlan(t, c, projections.Products{}, "products by status", projections.ListProductsByStatusQuery, "active", "x", 1)
	checkPlan(t, c, projections.Stock{}, "expired", projections.ExpiredQuery, 1, 1)
	due, ofOrder, alarmed, count := projections.TaskQueriesText()
	checkPlan(t, c, projections.Tasks{}, "due tasks", due, 1, 1, "", "", "", 1)
	checkPlan(t, c, projections.Tasks{}, "tasks of an order", ofOrder, "x") // sorts a handful
	checkPlan(t, c, projections.Tasks{}, "alarmed tasks", alarmed, 1)
	checkPlan(t, c, projections.Tasks{}, "count of tasks", count, 1)
	for name, by := range map[string][]projections.SalesGroup{"sales": nil, "sales by month": {projections.SalesByMonth}, "sales by SKU": {projections.SalesByDay, projections.SalesBySKU}} {
		query, args := projections.SalesQuery(projections.SalesFilter{From: noon, To: noon, Currency: "EUR", By: by}, projections.SalesRow{Day: "2026-01-01"})
		checkPlan(t, c, projections.Sales{}, name, query, append(args, 1)...)
	}
	checkPlan(t, c, projections.Checkouts{}, "due", projections.DueQuery, 1, 1, 1, 1, 1, 1)
	checkPlan(t, c, projections.Checkouts{}, "step", projections.ListCheckoutsQuery, "unresolved", 1, "x", 1)
}

func checkPlan(t *testing.T, store eventstore.Store, p projections.Projection, name, query string, args ...any) {
	t.Helper()
	r := open(t, p, databasetest.SQLite(t), store)
	defer func() { _ = r.Close() }()
	rows, err := r.Read().QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var detail sql.NullString
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(detail.String, "SCAN") && !strings.Contains(detail.String, "USING") && !isSubquery(detail.String) {
			t.Errorf("%s reads a whole table: %s", name, detail.String)
		}
		if strings.Contains(detail.String, "USE TEMP B-TREE FOR ORDER BY") && name != "tasks of an order" {
			t.Errorf("%s sorts what it reads: %s", name, detail.String)
		}
	}
}

// isSubquery tells whether a step of a plan reads what another one found.
func isSubquery(step string) bool {
	return strings.Contains(step, "(subquery") || slices.Contains([]string{"SCAN expired", "SCAN due", "SCAN poll", "SCAN watch"}, step)
}
