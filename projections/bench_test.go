package projections_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/domain/payment"
	"github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/projections"
)

// BenchmarkRebuild fills read models from pages of 512 events.
func BenchmarkRebuild(b *testing.B) {
	const events = 20 * 512
	for _, c := range []struct {
		name       string
		projection projections.Projection
		record     func(h *history, i int)
	}{
		{"stock", projections.Stock{}, func(h *history, i int) {
			sku := fmt.Sprint("SKU-", i%1000)
			h.record("stock-main."+sku, "c", stock.StockReserved{SKU: sku, Location: "main", ReservationID: "01890000-0000-7000-8000-000000000000", CheckoutID: "01890000-0000-7000-8000-000000000000", Quantity: 1})
		}},
		{"orders of 1 line", projections.Orders{}, func(h *history, i int) {
			id := fmt.Sprintf("0189%04x-0000-7000-8000-000000000000", i)
			h.record("order-"+id, "c", placed(id, fmt.Sprint(i), "A", 1))
		}},
		{"orders of 20 lines", projections.Orders{}, func(h *history, i int) {
			id := fmt.Sprintf("0189%04x-0000-7000-8000-000000000000", i)
			h.record("order-"+id, "c", placed(id, fmt.Sprint(i), "A", 20))
		}},
		{"search of orders of 3 lines", projections.Search{}, func(h *history, i int) {
			id := fmt.Sprintf("0189%04x-0000-7000-8000-000000000000", i)
			e := placed(id, fmt.Sprint(100_000+i), "A", 3)
			e.PlacedAt = historyStart.Add(time.Duration(i) * time.Millisecond)
			for l := range e.Lines {
				e.Lines[l].SKU, e.Lines[l].Title = fmt.Sprint("SKU-", i*7%1000+l), fmt.Sprintf("White hanging heart %d of %d", i*3%500, l)
			}
			h.record("order-"+id, "c", e)
		}},
		{"payments of orders that are placed", projections.Payments{}, func(h *history, i int) {
			id := fmt.Sprintf("0189%04x-0000-7000-8000-000000000000", i/2)
			if i%2 == 0 {
				h.record("payment-"+id, id, payment.PaymentAuthorisationRequested{PaymentID: id, OrderID: id, Method: "sandbox:approved", Gateway: "sandbox", Key: id})
			} else {
				h.record("payment-"+id, id, payment.PaymentAuthorised{PaymentID: id, GatewayRef: id, ExpiresAt: historyStart.AddDate(0, 0, 7)})
			}
		}},
		{"sales of orders of 2 lines", projections.Sales{}, func(h *history, i int) {
			id := fmt.Sprintf("0189%04x-0000-7000-8000-000000000000", i)
			e := placed(id, fmt.Sprint(i), "A", 2)
			e.Lines[0].SKU, e.Lines[1].SKU = fmt.Sprint("SKU-", i%1000), fmt.Sprint("SKU-", i%777)
			h.record("order-"+id, "c", e)
		}},
		{"timeline", projections.Timeline{}, func(h *history, i int) {
			id := fmt.Sprintf("0189%04x-0000-7000-8000-000000000000", i/2)
			if i%2 == 0 {
				h.record("checkout-"+id, id, checkout.CheckoutStarted{CheckoutID: id, OrderID: id})
			} else {
				h.record("checkout-"+id, id, checkout.CheckoutCompleted{CheckoutID: id, OrderID: id})
			}
		}},
		{"checkouts", projections.Checkouts{}, func(h *history, i int) {
			id := fmt.Sprintf("0189%04x-0000-7000-8000-000000000000", i/2)
			if i%2 == 0 {
				h.record("checkout-"+id, id, checkout.CheckoutStarted{CheckoutID: id, OrderID: id})
			} else {
				h.record("checkout-"+id, id, checkout.CheckoutCompleted{CheckoutID: id, OrderID: id})
			}
		}},
		{"tasks of orders that are placed", projections.Tasks{}, func(h *history, i int) {
			id := fmt.Sprintf("0189%04x-0000-7000-8000-000000000000", i/3)
			switch i % 3 {
			case 0:
				h.record("payment-"+id, id, payment.PaymentAuthorisationRequested{PaymentID: id, OrderID: id})
			case 1:
				h.record("payment-"+id, id, payment.PaymentAuthorised{PaymentID: id, ExpiresAt: historyStart.AddDate(0, 0, 7)})
			default:
				h.record("order-"+id, id, placed(id, fmt.Sprint(i), "A", 1))
			}
		}},
	} {
		for _, engine := range []struct {
			name string
			open func(testing.TB) databasetest.Engine
		}{{"SQLite", databasetest.SQLite}, {"Postgres", databasetest.Postgres}} {
			b.Run(c.name+"/"+engine.name, func(b *testing.B) {
				h, e := newHistory(b), engine.open(b)
				for i := range events {
					c.record(h, i)
				}
				for b.Loop() {
					b.StopTimer()
					for i, e := range h.events { // forget what was decoded
						h.events[i] = h.codec.Bind(e)
					}
					r := h.open(c.projection, e.Another(b))
					b.StartTimer()
					for i := 0; i < len(h.events); i += 512 {
						if err := r.Apply(b.Context(), h.page(c.projection, i, i+512)); err != nil {
							b.Fatal(err)
						}
					}
					b.StopTimer()
					_ = r.Close()
					b.StartTimer()
				}
				b.ReportMetric(float64(len(h.events))*float64(b.N)/b.Elapsed().Seconds(), "events/s")
			})
		}
	}
}
