package projections_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/node/nodetest"
	"github.com/waybill-dev/waybill/projections"
)

// A list is counted as far as one likes; what is beyond is estimated. The ten
// orders are a minute apart.
func TestOrdersAreCounted(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		c := client(t, nodetest.Start(t))
		for n := range 10 {
			placeOrder(t, c, n)
		}
		for n := range 3 {
			add(t, c, fmt.Sprint("order-o", n), "tag", order.OrderTagged{OrderID: fmt.Sprint("o", n), Add: []string{"gift"}})
		}
		orders, search := open(t, projections.Orders{}, e.Another(t), c), open(t, projections.Search{}, e.Another(t), c)
		defer func() { _, _ = orders.Close(), search.Close() }()
		follow(t, orders, c, 0, 512)
		follow(t, search, c, 0, 512)
		q, words := projections.OrderQueries{DB: orders.Read()}, projections.SearchQueries{DB: search.Read()}
		for name, row := range map[string]struct {
			filter projections.OrderFilter
			text   string // searched for, instead of listed
			atMost int
			want   projections.Count
		}{
			"all":                        {atMost: 10, want: projections.Count{Rows: 10, Exact: true}},
			"more than are counted":      {atMost: 4, want: projections.Count{Rows: 11}}, // five in four minutes, of nine
			"the oldest first":           {filter: projections.OrderFilter{OldestFirst: true}, atMost: 4, want: projections.Count{Rows: 11}},
			"none":                       {filter: projections.OrderFilter{Status: "cancelled"}, atMost: 4, want: projections.Count{Exact: true}},
			"of a SKU, in two lines":     {filter: projections.OrderFilter{SKU: "MUG-0"}, atMost: 4, want: projections.Count{Rows: 4, Exact: true}},
			"with a tag":                 {filter: projections.OrderFilter{Tag: "gift"}, atMost: 2, want: projections.Count{Rows: 3}},
			"of a time":                  {filter: projections.OrderFilter{PlacedFrom: noon.Add(time.Minute), PlacedTo: noon.Add(3 * time.Minute)}, atMost: 2, want: projections.Count{Rows: 2, Exact: true}},
			"of a customer":              {filter: projections.OrderFilter{CustomerID: "customer-1"}, atMost: 9, want: projections.Count{Rows: 5, Exact: true}},
			"found":                      {text: "mug", atMost: 10, want: projections.Count{Rows: 10, Exact: true}},
			"found with a filter":        {text: "mug", filter: projections.OrderFilter{Tag: "gift"}, atMost: 10, want: projections.Count{Rows: 3, Exact: true}},
			"more found than counted":    {text: "mug", atMost: 4, want: projections.Count{Rows: 11}},
			"the oldest that were found": {text: "mug", filter: projections.OrderFilter{OldestFirst: true}, atMost: 4, want: projections.Count{Rows: 11}},
			"nothing found":              {text: "teapot", atMost: 4, want: projections.Count{Exact: true}},
		} {
			got, err := q.Count(t.Context(), row.filter, row.atMost)
			if row.text != "" {
				what, wrong := projections.ParseSearch(row.text)
				if wrong != nil {
					t.Fatal(wrong)
				}
				got, err = words.Count(t.Context(), what, row.filter, row.atMost)
			}
			if err != nil || got != row.want {
				t.Errorf("%s: %+v, %v; want %+v", name, got, err, row.want)
			}
		}
	})
}

func TestWhatIsNotCountedIsEstimated(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ n, first, last, end, want int64 }{
		"twice as long, newest first":   {10_001, 500, 1000, 0, 20_000},
		"twice as long, oldest first":   {10_001, 0, 500, 1000, 20_000},
		"a third more":                  {10_001, 250, 1000, 0, 13_000},
		"hardly more":                   {10_001, 1, 1000, 0, 10_001}, // never fewer than there are
		"all at once, and then nothing": {10_001, 1000, 1000, 0, 10_001},
		"millions":                      {10_001, 1_000_000, 1_001_000, 0, 10_000_000},
	} {
		if got := projections.Extrapolated(row.n, row.first, row.last, row.end); got != row.want {
			t.Errorf("%s: %d, want %d", name, got, row.want)
		}
	}
}
