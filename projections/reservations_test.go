package projections_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/node/nodetest"
	"github.com/waybill-dev/waybill/projections"
)

func TestItemsWithExpiredReservationsAreListed(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		c := client(t, nodetest.Start(t))
		reserved := func(sku, id string, minutes int) stock.StockReserved {
			return stock.StockReserved{SKU: sku, Location: "main", ReservationID: id, Quantity: 1, ExpiresAt: noon.Add(time.Duration(minutes) * time.Minute)}
		}
		add(t, c, "stock-main.A", "1", stock.StockReceived{SKU: "A", Location: "main", Quantity: 10},
			reserved("A", "late", 9), reserved("A", "a1", 2), reserved("A", "a2", 3), reserved("A", "committed", 1), reserved("A", "extended", 1),
			stock.StockCommitted{SKU: "A", Location: "main", ReservationID: "committed", Quantity: 1},
			stock.StockReservationExtended{SKU: "A", Location: "main", ReservationID: "extended", ExpiresAt: noon.Add(8 * time.Minute)})
		add(t, c, "stock-main.B", "1", reserved("B", "b1", 1), reserved("B", "released", 1),
			stock.StockReservationReleased{SKU: "B", Location: "main", ReservationID: "released", Quantity: 1, Reason: stock.Declined})
		r := open(t, projections.Stock{}, e.Another(t), c)
		defer func() { _ = r.Close() }()
		follow(t, r, c, 0, 512)
		q := projections.StockQueries{DB: r.Read()}
		for _, row := range []struct {
			name  string
			after time.Duration
			limit int
			want  []projections.ExpiredItem
		}{
			{"before any", time.Minute - time.Millisecond, 10, nil},
			{"at the first", time.Minute, 10, []projections.ExpiredItem{{SKU: "B", Location: "main", Reservations: 1}}},
			{"later", 3 * time.Minute, 10, []projections.ExpiredItem{{SKU: "A", Location: "main", Reservations: 2}, {SKU: "B", Location: "main", Reservations: 1}}},
			{"the oldest two", time.Hour, 2, []projections.ExpiredItem{{SKU: "A", Location: "main", Reservations: 1}, {SKU: "B", Location: "main", Reservations: 1}}},
		} {
			got, err := q.Expired(t.Context(), noon.Add(row.after), row.limit)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", row.name, diff)
			}
		}
		for before, want := range map[time.Duration]int{0: 0, time.Minute: 1, 3 * time.Minute: 3, time.Hour: 5} {
			if got, err := q.Expiring(t.Context(), noon.Add(before)); err != nil || got != want {
				t.Errorf("%d reservations end within %s, want %d; %v", got, before, want, err)
			}
		}
	})
}
