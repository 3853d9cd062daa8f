package projections_test

import (
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

// walked are lists of orders, by the index that each goes along: the orders in
// it are those that are asked for, or as few as can be told.
var walked = map[string][]projections.OrderFilter{
	"orders_by_time":    {{}, {PlacedFrom: historyStart}, {PlacedTo: historyStart}},
	"orders_by_status":  {{Status: "placed"}, {Status: "placed", PlacedTo: historyStart}},
	"orders_by_payment": {{PaymentStatus: "voided"}},
	"orders_by_source":  {{ExternalSource: "s"}},
	"orders_by_reference": {
		{ExternalRef: "x"}, {ExternalSource: "s", ExternalRef: "x"}, {ExternalSource: "s", ExternalRef: "x", Status: "placed", PaymentStatus: "voided", CustomerID: "u", SKU: "y", Tag: "t"},
	},
	"orders_by_customer": {
		{CustomerID: "u"}, {CustomerID: "u", Status: "placed"}, {CustomerID: "u", SKU: "y"}, {CustomerID: "u", Tag: "t"}, {CustomerID: "u", ExternalSource: "s", PaymentStatus: "voided"},
	},
	"t USING PRIMARY KEY": {{Tag: "t"}, {Tag: "t", SKU: "y"}, {Tag: "t", Status: "placed", ExternalSource: "s"}},
	"order_lines_by_sku":  {{SKU: "y"}, {SKU: "y", Status: "placed"}, {SKU: "y", PaymentStatus: "voided", PlacedFrom: historyStart}},
}

// eachWalked has every list twice, at its beginning and further on, in both
// directions, and the statement that counts it.
func eachWalked(do func(index, name, query string, args []any)) {
	for index, filters := range walked {
		for _, filter := range filters {
			for _, filter.OldestFirst = range []bool{false, true} {
				for _, after := range []*projections.OrderKey{nil, {PlacedAt: historyStart.Add(time.Hour), OrderID: "x"}} {
					query, args := projections.ListQuery(filter, after)
					do(index, fmt.Sprintf("%+v after %v", filter, after), query, append(args, 10))
				}
				query, args := projections.CountQuery(filter)
				do(index, fmt.Sprintf("count of %+v", filter), query, append(args, 10))
			}
		}
	}
}

// SQLite, which has no statistics before a rebuild, goes along that index and
// sorts nothing, also for the first page.
func TestEveryListOfOrdersGoesAlongTheIndexOfWhatIsRarest(t *testing.T) {
	t.Parallel()
	r := newHistory(t).open(projections.Orders{}, databasetest.SQLite(t))
	defer func() { _ = r.Close() }()
	eachWalked(func(index, name, text string, args []any) {
		var plan []string
		for _, step := range query(t, r.Read(), "EXPLAIN QUERY PLAN "+text, args...) {
			plan = append(plan, step[len(step)-1])
		}
		if len(plan) == 0 || !strings.Contains(plan[0], index) {
			t.Errorf("%s does not begin with %s:\n%s", name, index, strings.Join(plan, "\n"))
		}
		for _, step := range plan {
			if strings.Contains(step, "TEMP B-TREE") || strings.HasPrefix(step, "SCAN") && index != "orders_by_time" {
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
	eachWalked(func(_, name, text string, args []any) {
		plan := dearPlan(t, r, text, args)
		if strings.Contains(plan, "Seq Scan") || strings.Contains(plan, "Sort") || plan == "" {
			t.Errorf("%s:\n%s", name, plan)
		}
	})
}
