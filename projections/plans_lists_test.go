package projections_test

import (
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/domain/draft"
	"github.com/waybill-dev/waybill/projections"
)

// listed is a statement behind a list.
type listed struct {
	name  string
	model projections.Projection
	query string
	args  []any
	sorts bool // a few rows, or sums
}

// everyList is what stands behind the lists that [TestPostgresReadsNoWholeTable]
// does not have.
func everyList() (all []listed) {
	add := func(model projections.Projection, name, query string, args ...any) {
		all = append(all, listed{name: name, model: model, query: query, args: args})
	}
	part := &projections.PartKey{At: historyStart, OrderID: "x", ID: "x"}
	for name, filter := range map[string]projections.PartFilter{"all": {}, "status": {Status: "failed"}} {
		query, args := projections.ShipmentsQuery(filter, part)
		add(projections.Orders{}, "parcels by "+name, query, append(args, 10)...)
		query, args = projections.ReturnsQuery(filter, part)
		add(projections.Orders{}, "returns by "+name, query, append(args, 10)...)
	}
	query, args := projections.ShipmentsQuery(projections.PartFilter{Carrier: "x"}, part)
	add(projections.Orders{}, "parcels by carrier", query, append(args, 10)...)
	for name, filter := range map[string]projections.JobFilter{"all": {}, "owner": {Owner: "x"}} {
		query, args := projections.JobsQuery(filter)
		add(projections.Jobs{}, "jobs by "+name, query, append(args, 10)...)
	}
	add(projections.Jobs{}, "jobs that are due", projections.DueJobsQuery, 1, 10)
	add(projections.Jobs{}, "how many jobs there are", projections.CountJobsQuery)
	for _, customer := range []string{"", "x"} {
		query, args, placing := projections.DraftQueriesText(draft.Open, customer)
		add(projections.Drafts{}, "drafts of customer "+customer, query, append(args, 10)...)
		add(projections.Drafts{}, "drafts that are being placed", placing, "placing", 1, 10)
	}
	for name, filter := range map[string]projections.ReservationFilter{"all": {}, "SKU": {SKU: "A"}} {
		query, args := projections.ReservationsQuery(filter, &projections.OpenReservation{})
		add(projections.Stock{}, "reservations by "+name, query, append(args, 10)...)
	}
	for name, filter := range map[string]projections.PaymentFilter{"all": {}, "order": {OrderID: "x"}, "status": {Status: "declined"}, "gateway": {Gateway: "stripe"}} {
		query, args := projections.PaymentsQuery(filter, &projections.PaymentKey{})
		add(projections.Payments{}, "payments by "+name, query, append(args, 10)...)
	}
	for _, kind := range []string{projections.MovedCapture, projections.MovedRefund} {
		for name, filter := range map[string]projections.MovementFilter{"all": {}, "order": {OrderID: "x"}, "status": {Status: "failed"}} {
			filter.Kind = kind
			query, args := projections.MovementsQuery(filter, &projections.MovementKey{})
			add(projections.Payments{}, kind+"s by "+name, query, append(args, 10)...)
		}
	}
	for name, filter := range map[string]projections.StockFilter{"all": {}, "SKU": {SKU: "A"}, "location": {Location: "main"}} {
		query, args := projections.StockQuery(filter)
		add(projections.Stock{}, "stock by "+name, query, append(args, 10)...)
	}
	add(projections.Stock{}, "expired reservations", projections.ExpiredQuery, 1, 1)
	add(projections.Products{}, "products", projections.ListProductsQuery, "x", 1)
	add(projections.Products{}, "products by status", projections.ListProductsByStatusQuery, "active", "x", 1)
	add(projections.Checkouts{}, "checkouts that are due", projections.DueQuery, 1, 1, 1, 1, 1, 1)
	add(projections.Checkouts{}, "checkouts at a step", projections.ListCheckoutsQuery, "unresolved", 1, "x", 1)
	add(projections.GatewayCallbacks{}, "callbacks", projections.ListGatewayCallbacksQuery, "waiting", 1, "x", 1)
	due, ofOrder, alarmed, count := projections.TaskQueriesText()
	add(projections.Tasks{}, "tasks that are due", due, 1, 1, "", "", "", 1)
	add(projections.Tasks{}, "alarmed tasks", alarmed, 1)
	add(projections.Tasks{}, "tasks of an order", ofOrder, "x")
	add(projections.Tasks{}, "how many tasks there are", count, 1)
	for name, by := range map[string][]projections.SalesGroup{"day": nil, "month": {projections.SalesByMonth}, "SKU": {projections.SalesByDay, projections.SalesBySKU}} {
		query, args := projections.SalesQuery(projections.SalesFilter{From: historyStart, To: historyStart.Add(time.Hour), Currency: "EUR", By: by}, projections.SalesRow{Day: "2026-01-01"})
		add(projections.Sales{}, "sales by "+name, query, append(args, 1)...)
	}
	open, checkouts, drafts, orders := projections.CustomerQueriesText()
	add(projections.Customers{}, "open orders of a customer", open, "x", 10)
	add(projections.Customers{}, "open checkouts of a customer", checkouts, "x", 10)
	add(projections.Customers{}, "open drafts of a customer", drafts, "x")
	add(projections.Customers{}, "orders of a customer", orders, "x", 10)
	add(projections.Timeline{}, "timeline", projections.TimelineQuery, "x")
	add(projections.Orders{}, "order by id", projections.OrderQuery("order_id"), "x")
	add(projections.Orders{}, "order by number", projections.OrderQuery("number"), "x")
	for i, l := range all {
		all[i].sorts = strings.HasPrefix(l.name, "sales") || strings.Contains(l.name, "of an order") || strings.HasPrefix(l.name, "how many") || l.name == "expired reservations"
	}
	return all
}

// Postgres has an index for every list, in its order: where reading whole tables
// and sorting are made as dear as can be, it does neither.
func TestPostgresHasAnIndexForEveryList(t *testing.T) {
	t.Parallel()
	e := databasetest.Postgres(t)
	h := newHistory(t)
	runners := map[string]*projections.Runner{}
	for _, l := range everyList() {
		r := runners[l.model.Name()]
		if r == nil {
			r = h.open(l.model, e)
			t.Cleanup(func() { _ = r.Close() })
			runners[l.model.Name()] = r
		}
		plan := dearPlan(t, r, l.query, l.args)
		if strings.Contains(plan, "Seq Scan") || plan == "" {
			t.Errorf("%s: no index is of use:\n%s", l.name, plan)
		}
		if strings.Contains(plan, "Sort") && !l.sorts {
			t.Errorf("%s: no index has its order:\n%s", l.name, plan)
		}
	}
}

// SQLite goes through an index for every list, too, in its order.
func TestSQLiteHasAnIndexForEveryList(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	for _, l := range everyList() {
		r := h.open(l.model, databasetest.SQLite(t))
		for _, step := range query(t, r.Read(), "EXPLAIN QUERY PLAN "+l.query, l.args...) {
			detail := step[len(step)-1]
			if strings.HasPrefix(detail, "SCAN") && !strings.Contains(detail, "USING") && !isSubquery(detail) {
				t.Errorf("%s reads a whole table: %s", l.name, detail)
			}
			if strings.Contains(detail, "USE TEMP B-TREE") && !l.sorts {
				t.Errorf("%s sorts what it reads: %s", l.name, detail)
			}
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

// dearPlan is how a statement is run if it can be without reading whole tables
// and without sorting.
func dearPlan(t *testing.T, r *projections.Runner, query string, args []any) string {
	t.Helper()
	tx, err := r.Read().BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(t.Context(), `SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off; SET LOCAL enable_incremental_sort = off`); err != nil {
		t.Fatal(err)
	}
	rows, err := tx.QueryContext(t.Context(), "EXPLAIN "+query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer func() { _ = rows.Close() }()
	var plan strings.Builder
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		plan.WriteString(line + "\n")
	}
	return plan.String()
}
