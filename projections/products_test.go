package projections_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/catalog"
	"github.com/waybill-dev/waybill/node/nodetest"
	"github.com/waybill-dev/waybill/projections"
)

func TestTheCatalogueFollowsEveryChange(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		c := client(t, nodetest.Start(t))
		price := func(amount int64, region string) catalog.Price {
			return catalog.Price{Money: domain.Money{Amount: amount, Currency: "EUR"}, Region: region}
		}
		add(t, c, "product-A", "1",
			catalog.ProductRegistered{SKU: "A", Title: "Mug", Prices: []catalog.Price{price(1250, "")}, RegisteredAt: noon},
			catalog.PriceChanged{SKU: "A", Price: price(1350, ""), ChangedAt: noon.Add(time.Hour)},
			catalog.PriceChanged{SKU: "A", Price: price(1100, "DE"), ChangedAt: noon.Add(time.Hour)},
			catalog.ProductTitleChanged{SKU: "A", Title: "Big mug", ChangedAt: noon.Add(time.Hour)},
		)
		add(t, c, "product-B", "1", catalog.ProductRegistered{SKU: "B", Title: "Cup", Prices: []catalog.Price{price(1, "")}}, catalog.ProductWithdrawn{SKU: "B"})
		add(t, c, "product-C-1", "1", catalog.ProductRegistered{SKU: "C-1", Title: "Jug", Prices: []catalog.Price{price(1, "")}},
			catalog.ProductWithdrawn{SKU: "C-1"}, catalog.ProductRelisted{SKU: "C-1"})
		r := open(t, projections.Products{}, e.Another(t), c)
		defer func() { _ = r.Close() }()
		follow(t, r, c, 0, 1)
		q := projections.ProductQueries{DB: r.Read()}
		first, err := q.List(t.Context(), "", "", 1)
		want := []projections.Product{{
			SKU: "A", Title: "Big mug", Status: projections.ProductStatusActive, Prices: []catalog.Price{price(1350, ""), price(1100, "DE")}, RegisteredAt: noon, Revision: 3,
		}}
		if diff := cmp.Diff(want, first); err != nil || diff != "" {
			t.Errorf("first page (-want +got), %v:\n%s", err, diff)
		}
		for name, row := range map[string]struct {
			status projections.ProductStatus
			after  string
			want   []string
		}{
			"all":             {want: []string{"A active", "B withdrawn", "C-1 active"}},
			"after one":       {after: "A", want: []string{"B withdrawn", "C-1 active"}},
			"active":          {status: projections.ProductStatusActive, want: []string{"A active", "C-1 active"}},
			"active after A":  {status: projections.ProductStatusActive, after: "A", want: []string{"C-1 active"}},
			"withdrawn":       {status: projections.ProductStatusWithdrawn, want: []string{"B withdrawn"}},
			"withdrawn, last": {status: projections.ProductStatusWithdrawn, after: "B"},
		} {
			rows, err := q.List(t.Context(), row.status, row.after, 10)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range rows {
				got = append(got, p.SKU+" "+string(p.Status))
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
	})
}
