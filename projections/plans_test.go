package projections_test

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/database"
	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/draft"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/domain/payment"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/projections"
)

// manyOrders records orders as a shop has them, without keeping them: some words
// are in half of them and some in one, and one in a hundred is on hold.
func manyOrders(tb testing.TB, n int, page func(h *history)) {
	tb.Helper()
	random := rand.New(rand.NewPCG(9, 9))
	titles := []string{"White hanging heart", "Regency cakestand", "Jumbo bag red", "Assorted colour bird", "Party bunting", "Lunch bag spotty"}
	h := newHistory(tb)
	positions := 0
	flush := func() {
		page(h)
		positions += len(h.events)
		h.events = nil
	}
	for i := range n {
		at := historyStart.Add(time.Duration(i) * time.Second)
		id := eventstore.DeriveIDAt(at, "order", fmt.Sprint(i)) // in the order of time, as those of orders are
		e := placed(id, fmt.Sprint(100_000+i), "A", 1+random.IntN(4))
		e.PlacedAt, e.CustomerID = at, fmt.Sprint("customer-", random.IntN(n/10+1))
		if i%10 == 0 {
			e.External = order.External{Source: []string{"market", "till"}[i/10%100/99], Ref: fmt.Sprint("ref-", i)}
		}
		for l := range e.Lines {
			sku := int(float64(4000) * random.Float64() * random.Float64())
			e.Lines[l].SKU, e.Lines[l].Title = fmt.Sprint("SKU-", sku), fmt.Sprint(titles[sku%len(titles)], " ", sku)
		}
		h.record("order-"+id, id, e)
		h.record("payment-"+id, id, payment.PaymentAuthorisationRequested{PaymentID: id, OrderID: id, Gateway: "sandbox", RequestedAt: e.PlacedAt, Amount: domain.Money{Amount: 1, Currency: "EUR"}})
		switch {
		case i%100 == 0:
			h.record("order-"+id, id, order.OrderHeld{OrderID: id, HoldID: "h", Reason: order.HoldManual})
			h.record("order-"+id, id, order.OrderTagged{OrderID: id, Add: []string{"rare"}})
		case i%4 == 0:
			h.record("order-"+id, id, order.OrderTagged{OrderID: id, Add: []string{"gift"}})
		case i%3 == 0:
			h.record("order-"+id, id, order.OrderShipped{OrderID: id, ShipmentID: "s", Tracking: "T" + id, ShippedAt: e.PlacedAt})
		}
		for k := range h.events { // positions go on from page to page
			h.events[k].Position = eventstore.Position((positions + k + 1) * 100)
		}
		if len(h.events) >= 16*1024 {
			flush()
		}
	}
	flush()
}

// searchable fills the read models that orders are listed and searched by.
func searchable(tb testing.TB, e databasetest.Engine, n int) map[string]*sql.DB {
	tb.Helper()
	all := []projections.Projection{projections.Orders{}, projections.Search{}, projections.Payments{}}
	runners := make([]*projections.Runner, len(all))
	e = e.Another(tb)
	h := newHistory(tb)
	for i, p := range all {
		runners[i] = h.open(p, e)
		tb.Cleanup(func() { _ = runners[i].Close() })
	}
	fill := func() error {
		manyOrders(tb, n, func(h *history) {
			for i, p := range all {
				if len(h.events) == 0 {
					continue
				}
				if err := runners[i].Apply(tb.Context(), h.page(p, 0, len(h.events))); err != nil {
					tb.Fatal(err)
				}
			}
		})
		return nil
	}
	for _, r := range runners { // each makes its indexes when all have their rows
		write := fill
		fill = func() error { return r.Filling(tb.Context(), write) }
	}
	if err := fill(); err != nil {
		tb.Fatal(err)
	}
	databases := map[string]*sql.DB{}
	for i, p := range all {
		databases[p.Name()] = runners[i].Read()
	}
	return databases
}

// Postgres walks an index for every list and search, with the statistics of
// enough rows to choose otherwise.
func TestPostgresReadsNoWholeTable(t *testing.T) {
	t.Parallel()
	databases := searchable(t, databasetest.Postgres(t), 20_000)
	orders := projections.OrderQueries{DB: databases["orders"]}
	place := &projections.OrderKey{PlacedAt: historyStart.Add(time.Hour), OrderID: "x"}
	part := &projections.PartKey{At: place.PlacedAt, OrderID: "x", ID: "x"}
	check := func(model, name, query string, args []any) {
		t.Helper()
		rows, err := databases[model].QueryContext(t.Context(), "EXPLAIN "+query, append(args, 50)...)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		defer func() { _ = rows.Close() }()
		var plan []string
		for rows.Next() {
			var line string
			if err := rows.Scan(&line); err != nil {
				t.Fatal(err)
			}
			plan = append(plan, line)
		}
		text := strings.Join(plan, "\n")
		if strings.Contains(text, "Seq Scan") || len(plan) == 0 {
			t.Errorf("%s reads a whole table:\n%s", name, text)
		}
		if strings.Contains(text, "Merge Join") { // which begins at the end of the index, wherever the page is
			t.Errorf("%s reads more documents than its page has:\n%s", name, text)
		}
	}
	for name, filter := range map[string]projections.OrderFilter{
		"all": {}, "customer": {CustomerID: "customer-3"}, "status": {Status: "on_hold"}, "payment": {PaymentStatus: "voided"}, "sku": {SKU: "SKU-3"},
		"tag": {Tag: "rare"}, "external": {ExternalSource: "s", ExternalRef: "x"},
		"source": {ExternalSource: "till"}, "reference": {ExternalRef: "ref-170"}, "SKU and status": {SKU: "SKU-3", Status: "on_hold"}, "customer and status": {CustomerID: "customer-3", Status: "placed"},
		"SKU and tag":      {SKU: "SKU-0", Tag: "gift"},
		"customer and SKU": {CustomerID: "customer-3", SKU: "SKU-0"}, "customer and tag": {CustomerID: "customer-3", Tag: "gift"}, "time": {PlacedFrom: historyStart.Add(time.Minute), PlacedTo: historyStart.Add(time.Hour)},
	} {
		for _, filter.OldestFirst = range []bool{false, true} {
			walk, err := orders.Chosen(t.Context(), filter, place)
			if err != nil {
				t.Fatal(err)
			}
			check("orders", "list by "+name, walk.List, walk.ListArgs)
			check("orders", "count by "+name, walk.Count, walk.CountArgs)
			for _, text := range []string{"heart", "104999", "heart -white", "rare heart"} {
				match, err := projections.ParseSearch(text)
				if err != nil {
					t.Fatal(err)
				}
				query, args := projections.SearchQuery(match, filter, 1<<62)
				check("search", "search of "+text+" by "+name, query, args)
			}
		}
	}
	for name, filter := range map[string]projections.PartFilter{"all": {}, "order": {OrderID: "x"}, "status": {Status: "failed"}, "tracking": {Tracking: "x"}} {
		query, args := projections.ShipmentsQuery(filter, part)
		check("orders", "parcels by "+name, query, args)
	}
	for name, filter := range map[string]projections.PaymentFilter{"all": {}, "order": {OrderID: "x"}, "status": {Status: "declined"}} {
		query, args := projections.PaymentsQuery(filter, nil)
		check("payments", "payments by "+name, query, args)
	}
}

// SQLite's plans of the lists that orders bring with them.
func TestNoListOfPartsReadsAWholeTable(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	place := &projections.PartKey{At: historyStart, OrderID: "x", ID: "x"}
	for name, filter := range map[string]projections.PartFilter{"all": {}, "order": {OrderID: "x"}, "status": {Status: "failed"}} {
		query, args := projections.ShipmentsQuery(filter, place)
		checkListPlan(t, h, projections.Orders{}, "parcels by "+name, query, append(args, 10)...)
		query, args = projections.ReturnsQuery(filter, place)
		checkListPlan(t, h, projections.Orders{}, "returns by "+name, query, append(args, 10)...)
	}
	query, args := projections.ShipmentsQuery(projections.PartFilter{Tracking: "x"}, nil)
	checkListPlan(t, h, projections.Orders{}, "parcels by tracking", query, append(args, 10)...)
	for name, filter := range map[string]projections.ReservationFilter{"all": {}, "SKU": {SKU: "A"}} {
		query, args := projections.ReservationsQuery(filter, &projections.OpenReservation{})
		checkListPlan(t, h, projections.Stock{}, "reservations by "+name, query, append(args, 10)...)
	}
	for name, filter := range map[string]projections.PaymentFilter{"all": {}, "order": {OrderID: "x"}, "status": {Status: "declined"}, "gateway": {Gateway: "stripe"}} {
		query, args := projections.PaymentsQuery(filter, &projections.PaymentKey{})
		checkListPlan(t, h, projections.Payments{}, "payments by "+name, query, append(args, 10)...)
	}
	for name, filter := range map[string]projections.MovementFilter{"all": {}, "order": {OrderID: "x"}, "status": {Status: "failed"}} {
		filter.Kind = projections.MovedRefund
		query, args := projections.MovementsQuery(filter, &projections.MovementKey{})
		checkListPlan(t, h, projections.Payments{}, "refunds by "+name, query, append(args, 10)...)
	}
	query, args = projections.ShipmentsQuery(projections.PartFilter{Carrier: "x"}, place)
	checkListPlan(t, h, projections.Orders{}, "parcels by carrier", query, append(args, 10)...)
	for _, filter := range []projections.JobFilter{{}, {Owner: "x"}} {
		query, args := projections.JobsQuery(filter)
		checkListPlan(t, h, projections.Jobs{}, "jobs", query, append(args, 10)...)
	}
	checkListPlan(t, h, projections.Jobs{}, "jobs that are due", projections.DueJobsQuery, 1, 10)
	for _, customer := range []string{"", "x"} {
		query, args, placing := projections.DraftQueriesText(draft.Open, customer)
		checkListPlan(t, h, projections.Drafts{}, "drafts of customer "+customer, query, append(args, 10)...)
		checkListPlan(t, h, projections.Drafts{}, "drafts that are being placed", placing, "placing", 1, 10)
	}
	match := database.Match{All: []string{"heart"}}
	query, args = projections.SearchQuery(match, projections.OrderFilter{Status: "placed", PlacedFrom: historyStart}, 7)
	checkListPlan(t, h, projections.Search{}, "search", query, append(args, 10)...)
}

// checkListPlan lets a query neither read a whole table nor sort many rows;
// parcels of one order and of one number are few.
func checkListPlan(t *testing.T, h *history, p projections.Projection, name, query string, args ...any) {
	t.Helper()
	r := h.open(p, databasetest.SQLite(t))
	defer func() { _ = r.Close() }()
	rows, err := r.Read().QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	defer func() { _ = rows.Close() }()
	few := strings.HasSuffix(name, "by order") || strings.HasSuffix(name, "by tracking")
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			t.Fatal(err)
		}
		if step == "SCAN page" { // which another step has found
			continue
		}
		if strings.HasPrefix(step, "SCAN") && !strings.Contains(step, "VIRTUAL TABLE INDEX") && !strings.Contains(step, "USING") {
			t.Errorf("%s reads a whole table: %s", name, step)
		}
		if strings.Contains(step, "USE TEMP B-TREE") && !few {
			t.Errorf("%s sorts what it reads: %s", name, step)
		}
	}
}

// benchOrdersEnv is how many orders the benchmark of lists and searches has.
const benchOrdersEnv = "WAYBILL_BENCH_ORDERS"

// BenchmarkListAndSearch prints how long pages of 50 take, of the lists and
// searches of a user interface, one after the other.
func BenchmarkListAndSearch(b *testing.B) {
	n := 20_000
	if text := os.Getenv(benchOrdersEnv); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			b.Fatal(err)
		}
	}
	for _, engine := range []struct {
		name string
		open func(testing.TB) databasetest.Engine
	}{{"SQLite", databasetest.SQLite}, {"Postgres", databasetest.Postgres}} {
		b.Run(engine.name, func(b *testing.B) {
			start := time.Now()
			databases := searchable(b, engine.open(b), n)
			b.Logf("%d orders in %s", n, time.Since(start).Round(time.Second))
			for _, kind := range []string{"list", "search"} {
				b.Run(kind, func(b *testing.B) { benchQueries(b, databases, kind, n) })
			}
			for name, filter := range firstPages {
				b.Run("first page by "+name, func(b *testing.B) { benchFirstPage(b, databases, filter) })
			}
		})
	}
}

// firstPages are lists that more than one thing is asked of, or few orders are
// in.
var firstPages = map[string]projections.OrderFilter{
	"a common SKU":             {SKU: "SKU-0"},
	"a common SKU and status":  {SKU: "SKU-0", Status: "shipped"},
	"a common SKU, a customer": {SKU: "SKU-0", CustomerID: "customer-7"},
	"reference":                {ExternalSource: "market", ExternalRef: "ref-170"},
	"reference alone":          {ExternalRef: "ref-170"},
	"a rare source":            {ExternalSource: "till"},
	"customer and status":      {CustomerID: "customer-7", Status: "shipped"},
	"customer and tag":         {CustomerID: "customer-7", Tag: "gift"},
	"SKU, status and payment":  {SKU: "SKU-0", Status: "placed", PaymentStatus: "voided"},
	"SKU and a rare status":    {SKU: "SKU-0", Status: "on_hold"},
	"SKU and a common tag":     {SKU: "SKU-0", Tag: "gift"},
	"common, never together":   {SKU: "SKU-0", Tag: "gift", Status: "on_hold"},
	"status and payment":       {Status: "placed", PaymentStatus: "authorised"},
	"source and a rare status": {Status: "on_hold", ExternalSource: "market"},
	"source and a tag, never":  {Tag: "gift", ExternalSource: "till"},
	"status and tag, never":    {Tag: "gift", Status: "on_hold"},
}

func benchFirstPage(b *testing.B, databases map[string]*sql.DB, filter projections.OrderFilter) {
	b.Helper()
	orders := projections.OrderQueries{DB: databases["orders"]}
	var took []time.Duration
	for i := 0; b.Loop(); i++ {
		filter.OldestFirst = i%4 == 0
		start := time.Now()
		if _, err := orders.List(b.Context(), filter, nil, 51); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	report(b, took)
}

func report(b *testing.B, took []time.Duration) {
	b.Helper()
	slices.Sort(took)
	for name, share := range map[string]float64{"p50-ms": 0.5, "p99-ms": 0.99, "max-ms": 1} {
		at := min(int(share*float64(len(took))), len(took)-1)
		b.ReportMetric(float64(took[at].Microseconds())/1000, name)
	}
}

func benchQueries(b *testing.B, databases map[string]*sql.DB, kind string, n int) {
	b.Helper()
	random := rand.New(rand.NewPCG(1, 1))
	orders, search := projections.OrderQueries{DB: databases["orders"]}, projections.SearchQueries{DB: databases["search"]}
	var took []time.Duration
	for b.Loop() {
		var filter projections.OrderFilter
		for _, set := range []func(){
			func() { filter.Status = []string{"on_hold", "placed", "shipped"}[random.IntN(3)] },
			func() { filter.CustomerID = fmt.Sprint("customer-", random.IntN(n/10+1)) },
			func() { filter.SKU = fmt.Sprint("SKU-", random.IntN(4000)) },
			func() { filter.Tag = "rare" },
			func() { filter.PaymentStatus = "authorised" },
			func() { filter.PlacedTo = historyStart.Add(time.Duration(random.IntN(n)) * time.Second) },
			func() {},
		}[random.IntN(7):] {
			set()
			break
		}
		filter.OldestFirst = random.IntN(4) == 0
		place := historyStart.Add(time.Duration(random.IntN(n)) * time.Second)
		words := []string{"heart", "white heart -12", "bag red", fmt.Sprint(100_000 + random.IntN(n)), fmt.Sprint("bunting ", random.IntN(4000)), "sku17"}
		start := time.Now()
		if kind == "list" {
			if _, err := orders.List(b.Context(), filter, &projections.OrderKey{PlacedAt: place}, 51); err != nil {
				b.Fatal(err)
			}
		} else {
			benchSearch(b, orders, search, words[random.IntN(len(words))], filter)
		}
		took = append(took, time.Since(start))
	}
	report(b, took)
}

func benchSearch(b *testing.B, orders projections.OrderQueries, search projections.SearchQueries, text string, filter projections.OrderFilter) {
	b.Helper()
	match, err := projections.ParseSearch(text)
	if err != nil {
		b.Fatal(err)
	}
	found, err := search.Orders(b.Context(), match, filter, 0, 51)
	if err != nil {
		b.Fatal(err)
	}
	ids := make([]string, len(found))
	for i, f := range found {
		ids[i] = f.OrderID
	}
	if _, err := orders.Among(b.Context(), ids, filter); err != nil {
		b.Fatal(err)
	}
}
