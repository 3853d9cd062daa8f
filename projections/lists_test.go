package projections_test

import (
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/projections"
)

// anyFilter asks for some things of those that are asked for.
func anyFilter(random *rand.Rand, n int) (f projections.OrderFilter) {
	skus, _, tags := searched()
	for _, set := range []func(){
		func() { f.Status = []string{"placed", "on_hold"}[random.IntN(2)] },
		func() { f.PaymentStatus = []string{"authorised", "voided"}[random.IntN(4)/3] },
		func() { f.CustomerID = fmt.Sprint("customer-", random.IntN(4)) },
		func() { f.SKU = skus[random.IntN(len(skus))] },
		func() { f.Tag = tags[random.IntN(len(tags))] },
		func() { f.ExternalSource = []string{"shop", "elsewhere"}[random.IntN(4)/3] },
		func() { f.ExternalRef = fmt.Sprint("EXT-", random.IntN(n)) },
		func() { f.PlacedFrom = historyStart.Add(time.Duration(random.IntN(n)) * time.Second) },
		func() { f.PlacedTo = historyStart.Add(time.Duration(random.IntN(n)) * time.Second) },
		func() { f.OldestFirst = true },
	} {
		if random.IntN(4) == 0 {
			set()
		}
	}
	return f
}

// Whatever is asked for together, and however long a page is: the pages of a
// list are the orders that have it, once each, and as many are counted.
func TestListsHaveTheOrdersThatAreAskedFor(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		const n = 60
		random := rand.New(rand.NewPCG(8, 8))
		h := searchHistory(t, random, n)
		r := h.open(projections.Orders{}, e)
		defer func() { _ = r.Close() }()
		if err := r.Apply(t.Context(), h.page(projections.Orders{}, 0, len(h.events))); err != nil {
			t.Fatal(err)
		}
		q, skus := projections.OrderQueries{DB: r.Read()}, map[string][]string{}
		for _, m := range modelOf(h) {
			skus[m.id] = m.skus
		}
		all, err := q.List(t.Context(), projections.OrderFilter{}, nil, 2*n)
		if err != nil || len(all) != n {
			t.Fatalf("%d orders, %v", len(all), err)
		}
		found := 0
		for range e.Rounds(500) {
			filter := anyFilter(random, n)
			want := wanted(all, skus, filter)
			found += len(want)
			if diff := cmp.Diff(want, paged(t, q, filter, 1+random.IntN(8))); diff != "" {
				t.Fatalf("%+v (-want +got):\n%s", filter, diff)
			}
			if diff := cmp.Diff(want, alongEach(t, r.Read(), filter, n)); diff != "" {
				t.Fatalf("%+v (-want +got):\n%s", filter, diff)
			}
			if count, err := q.Count(t.Context(), filter, n); err != nil || count.Rows != int64(len(want)) {
				t.Fatalf("%+v: counted %+v of %d, %v", filter, count, len(want), err)
			}
		}
		if found == 0 {
			t.Error("nothing that was asked for is there")
		}
	})
}

// wanted are the orders that a filter lets through, in the order of its list.
func wanted(all []projections.OrderRow, skus map[string][]string, f projections.OrderFilter) (ids []string) {
	is := func(value, asked string) bool { return asked == "" || value == asked }
	for _, o := range all {
		if is(o.Status, f.Status) && is(o.PaymentStatus, f.PaymentStatus) && is(o.CustomerID, f.CustomerID) &&
			is(o.External.Source, f.ExternalSource) && is(o.External.Ref, f.ExternalRef) &&
			(f.SKU == "" || slices.Contains(skus[o.OrderID], f.SKU)) && (f.Tag == "" || slices.Contains(o.Tags, f.Tag)) &&
			!o.PlacedAt.Before(f.PlacedFrom) && (f.PlacedTo.IsZero() || o.PlacedAt.Before(f.PlacedTo)) {
			ids = append(ids, o.OrderID)
		}
	}
	if f.OldestFirst {
		slices.Reverse(ids)
	}
	return ids
}

// paged goes through all pages of a list.
func paged(t *testing.T, q projections.OrderQueries, filter projections.OrderFilter, size int) (ids []string) {
	t.Helper()
	for after := (*projections.OrderKey)(nil); ; {
		page, err := q.List(t.Context(), filter, after, size)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range page {
			ids = append(ids, row.OrderID)
		}
		if len(page) < size {
			return ids
		}
		last := page[len(page)-1]
		after = &projections.OrderKey{PlacedAt: last.PlacedAt, OrderID: last.OrderID}
	}
}

// alongEach reads a list along each index that it can be, and returns what it is
// along all of them, or along the first with something else.
func alongEach(t *testing.T, db *sql.DB, filter projections.OrderFilter, limit int) (ids []string) {
	t.Helper()
	for i, walk := range projections.Walks(filter, nil) {
		var along []string
		for _, row := range query(t, db, walk.List, append(walk.ListArgs, limit)...) {
			along = append(along, row[0])
		}
		if i > 0 && !slices.Equal(ids, along) {
			return along
		}
		ids = along
	}
	return ids
}

// Of what is asked for together a list goes along the index of what few orders
// have, or whose orders lie the farthest apart.
func TestAListGoesAlongTheIndexOfWhatIsRarest(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		const n = 6000
		r := newHistory(t).open(projections.Orders{}, e)
		defer func() { _ = r.Close() }()
		err := r.Filling(t.Context(), func() (err error) {
			manyOrders(t, n, func(h *history) {
				if len(h.events) > 0 {
					err = errors.Join(err, r.Apply(t.Context(), h.page(projections.Orders{}, 0, len(h.events))))
				}
			})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		q := projections.OrderQueries{DB: r.Read()}
		end := &projections.OrderKey{PlacedAt: historyStart.Add(time.Hour / 60)}
		for name, row := range map[string]struct {
			filter projections.OrderFilter
			after  *projections.OrderKey
			want   string
		}{
			"one thing":                      {filter: projections.OrderFilter{Status: "placed"}, want: "o.status"},
			"nothing":                        {want: ""},
			"a SKU of few":                   {filter: projections.OrderFilter{SKU: "SKU-0", Status: "placed"}, want: "l.sku"},
			"a status of few, a common tag":  {filter: projections.OrderFilter{Tag: "gift", Status: "on_hold"}, want: "o.status"},
			"a status that no order has":     {filter: projections.OrderFilter{Tag: "gift", Status: "returned"}, want: "o.status"},
			"two of few":                     {filter: projections.OrderFilter{Tag: "rare", Status: "on_hold"}, want: "t.tag"},
			"a tenth, and a quarter":         {filter: projections.OrderFilter{ExternalSource: "market", Tag: "gift"}, want: "o.external_source"},
			"a quarter, and nearly all":      {filter: projections.OrderFilter{Tag: "gift", PaymentStatus: "authorised"}, want: "t.tag"},
			"a quarter, nearly all, and few": {filter: projections.OrderFilter{Tag: "gift", PaymentStatus: "voided", Status: "placed"}, want: "o.payment_status"},
			"a tenth, of which few are left": {filter: projections.OrderFilter{ExternalSource: "market", Tag: "gift"}, after: end, want: "t.tag"},
			"a tenth, and a time of few":     {filter: projections.OrderFilter{ExternalSource: "market", Tag: "gift", PlacedTo: end.PlacedAt}, want: "t.tag"},
			"a tenth, and most":              {filter: projections.OrderFilter{ExternalSource: "market", Status: "placed"}, want: "o.external_source"},
		} {
			for _, row.filter.OldestFirst = range []bool{false, true} {
				if row.after != nil && row.filter.OldestFirst {
					continue // where nearly all are left
				}
				if walk, err := q.Chosen(t.Context(), row.filter, row.after); err != nil || walk.Asked != row.want {
					t.Errorf("%s, %+v: along %q, %v; want %q", name, row.filter, walk.Asked, err, row.want)
				}
			}
		}
	})
}

// asked are lists of orders, by some of the things that can be asked for.
var asked = []projections.OrderFilter{
	{},
	{PlacedFrom: historyStart},
	{PlacedTo: historyStart},
	{Status: "placed", PlacedTo: historyStart},
	{PaymentStatus: "voided"},
	{ExternalSource: "s", ExternalRef: "x", Status: "placed", PaymentStatus: "voided", CustomerID: "u", SKU: "y", Tag: "t"},
	{SKU: "y", Status: "placed"},
	{SKU: "y", PaymentStatus: "voided", PlacedFrom: historyStart},
	{Tag: "t", SKU: "y"},
	{Tag: "t", Status: "placed", ExternalSource: "s"},
	{CustomerID: "u", Tag: "t"},
}

// indexOf has the index of orders with what is asked for, in the order of their list.
var indexOf = map[string]string{
	"":                  "orders_by_time",
	"o.external_ref":    "orders_by_reference",
	"o.customer_id":     "orders_by_customer",
	"t.tag":             "t USING PRIMARY KEY",
	"l.sku":             "order_lines_by_sku",
	"o.external_source": "orders_by_source",
	"o.status":          "orders_by_status",
	"o.payment_status":  "orders_by_payment",
}

// eachWalk has every list twice, at its beginning and further on, in both
// directions, along each of the indexes of what is asked for, with the statements
// that count it and that look how far the index reaches.
func eachWalk(do func(index, name, query string, args []any)) {
	for _, filter := range asked {
		for _, filter.OldestFirst = range []bool{false, true} {
			for _, after := range []*projections.OrderKey{nil, {PlacedAt: historyStart.Add(time.Hour), OrderID: "x"}} {
				for _, walk := range projections.Walks(filter, after) {
					name := fmt.Sprintf("%+v after %v along %s", filter, after, walk.Asked)
					do(indexOf[walk.Asked], name, walk.List, append(walk.ListArgs, 10))
					do(indexOf[walk.Asked], "count of "+name, walk.Count, append(walk.CountArgs, 10))
					do(indexOf[walk.Asked], "reach of "+name, walk.Reach, walk.Looks)
				}
			}
		}
	}
}

// SQLite, which has no statistics before a rebuild, goes along the index that it
// is told to and sorts nothing, also for the first page.
func TestEveryListOfOrdersGoesAlongTheIndexItIsToldTo(t *testing.T) {
	t.Parallel()
	r := newHistory(t).open(projections.Orders{}, databasetest.SQLite(t))
	defer func() { _ = r.Close() }()
	eachWalk(func(index, name, text string, args []any) {
		var plan []string
		for _, step := range query(t, r.Read(), "EXPLAIN QUERY PLAN "+text, args...) {
			if detail := step[len(step)-1]; detail != "CO-ROUTINE listed" && detail != "SCAN listed" {
				plan = append(plan, detail)
			}
		}
		if len(plan) == 0 || !strings.Contains(plan[0], index) {
			t.Errorf("%s does not begin with %s:\n%s", name, index, strings.Join(plan, "\n"))
		}
		for _, step := range plan {
			if strings.Contains(step, "TEMP B-TREE") || strings.HasPrefix(step, "SCAN") && !strings.Contains(index, "orders_by_time") {
				t.Errorf("%s: %s", name, step)
			}
		}
	})
}

// Postgres can go along an index in the order of every such list.
func TestPostgresHasAnIndexForEveryListOfOrders(t *testing.T) {
	t.Parallel()
	r := newHistory(t).open(projections.Orders{}, databasetest.Postgres(t))
	defer func() { _ = r.Close() }()
	eachWalk(func(_, name, text string, args []any) {
		plan := dearPlan(t, r, text, args)
		if strings.Contains(plan, "Seq Scan") || strings.Contains(plan, "Sort") || plan == "" {
			t.Errorf("%s:\n%s", name, plan)
		}
	})
}
