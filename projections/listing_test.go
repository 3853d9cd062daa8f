package projections_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/projections"
)

// A list that is narrowed to a time goes on from any place, within that time or
// not, with what comes after it in the whole list.
func TestAListOfATimeGoesOnFromAnyPlace(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		const n = 40
		random := rand.New(rand.NewPCG(5, 5))
		h := searchHistory(t, random, n)
		r := h.open(projections.Orders{}, e)
		defer func() { _ = r.Close() }()
		if err := r.Apply(t.Context(), h.page(projections.Orders{}, 0, len(h.events))); err != nil {
			t.Fatal(err)
		}
		orders := projections.OrderQueries{DB: r.Read()}
		list := func(filter projections.OrderFilter, after *projections.OrderKey) (ids []string) {
			rows, err := orders.List(t.Context(), filter, after, 2*n)
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range rows {
				ids = append(ids, row.OrderID)
			}
			return ids
		}
		second := func() time.Time { return historyStart.Add(time.Duration(random.IntN(n)) * time.Second) }
		for range e.Rounds(300) {
			after := &projections.OrderKey{PlacedAt: second(), OrderID: "o2"}
			filter := projections.OrderFilter{OldestFirst: random.IntN(2) == 0}
			bounds := projections.OrderFilter{OldestFirst: filter.OldestFirst, PlacedFrom: second(), PlacedTo: second()}
			inside := map[string]bool{}
			for _, id := range list(bounds, nil) {
				inside[id] = true
			}
			var want []string
			for _, id := range list(filter, after) {
				if inside[id] {
					want = append(want, id)
				}
			}
			if diff := cmp.Diff(want, list(bounds, after)); diff != "" {
				t.Fatalf("%+v after %+v (-want +got):\n%s", bounds, after, diff)
			}
		}
	})
}

// A page that is deep in a list costs what the first does: the list is bounded
// once where the page begins.
func TestAPageOfAListIsBoundedOnceWhereItBegins(t *testing.T) {
	t.Parallel()
	early, late := historyStart, historyStart.Add(time.Hour)
	for name, c := range map[string]struct {
		filter projections.OrderFilter
		place  time.Time
		want   string
	}{
		"newest first, from a place":      {projections.OrderFilter{PlacedTo: late}, early, "(o.placed_at, o.order_id) < (?, ?)"},
		"newest first, from the time":     {projections.OrderFilter{PlacedTo: early}, late, "o.placed_at < ?"},
		"oldest first, from a place":      {projections.OrderFilter{PlacedFrom: early, OldestFirst: true}, late, "(o.placed_at, o.order_id) > (?, ?)"},
		"oldest first, from the time":     {projections.OrderFilter{PlacedFrom: late, OldestFirst: true}, early, "o.placed_at >= ?"},
		"newest first, to the other side": {projections.OrderFilter{PlacedFrom: early}, late, "o.placed_at >= ? AND (o.placed_at, o.order_id) < (?, ?)"},
	} {
		query := projections.Walks(c.filter, &projections.OrderKey{PlacedAt: c.place, OrderID: "x"})[0].List
		if !strings.Contains(query, " WHERE "+c.want+" ORDER BY") {
			t.Errorf("%s: %s", name, query)
		}
	}
}

// What a search has found is read by its ids, whatever else is asked of it.
func TestWhatIsFoundIsReadByItsKey(t *testing.T) {
	t.Parallel()
	r := newHistory(t).open(projections.Orders{}, databasetest.SQLite(t))
	defer func() { _ = r.Close() }()
	for name, filter := range map[string]projections.OrderFilter{
		"all": {}, "customer": {CustomerID: "x"}, "status": {Status: "placed"}, "payment": {PaymentStatus: "authorised"},
		"external": {ExternalSource: "s", ExternalRef: "x"}, "time": {PlacedFrom: historyStart, PlacedTo: historyStart.Add(time.Hour)},
		"SKU": {SKU: "A", Status: "placed"}, "tag": {Tag: "rare", PlacedTo: historyStart},
	} {
		text, args := projections.AmongQuery(filter, []string{"a", "b", "c"})
		var plan []string
		for _, step := range query(t, r.Read(), "EXPLAIN QUERY PLAN "+text, args...) {
			plan = append(plan, step[len(step)-1])
		}
		if len(plan) == 0 || plan[0] != "SEARCH o USING PRIMARY KEY (order_id=?)" {
			t.Errorf("by %s: %q", name, plan)
		}
	}
}
