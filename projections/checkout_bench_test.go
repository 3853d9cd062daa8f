package projections_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/domain/payment"
	"github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/projections"
)

// BenchmarkCheckouts applies what whole checkouts wrote, in pages as they are
// under load, and reports the processor time that an order takes of each read
// model, which does not depend on who else is busy.
func BenchmarkCheckouts(b *testing.B) {
	const orders, perPage = 4000, 80
	for _, p := range []projections.Projection{
		projections.Orders{},
		projections.Timeline{},
		projections.Stock{},
		projections.Checkouts{},
		projections.Customers{},
		projections.Tasks{},
		projections.Sales{},
	} {
		b.Run(p.Name(), func(b *testing.B) {
			h := newHistory(b)
			for first := 0; first < orders; first += perPage {
				h.checkouts(first, first+perPage)
			}
			for _, e := range h.events { // what is decoded is decoded for all read models
				if _, err := e.Decode(); err != nil {
					b.Fatal(err)
				}
			}
			page := len(h.events) / orders * perPage
			var used time.Duration
			for b.Loop() {
				b.StopTimer()
				r := h.open(p, databasetest.SQLite(b).Another(b))
				b.StartTimer()
				used -= processorTime(b)
				for i := -page / 2; i < len(h.events); i += page { // as it is, half-way through orders
					if err := r.Apply(b.Context(), h.page(p, max(i, 0), i+page)); err != nil {
						b.Fatal(err)
					}
				}
				used += processorTime(b)
				b.StopTimer()
				_ = r.Close()
				b.StartTimer()
			}
			b.ReportMetric(float64(used.Microseconds())/float64(orders*b.N), "processor-µs/order")
		})
	}
}

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// checkouts records whole checkouts that went on at the same time, a step of
// each after the other.
func (h *history) checkouts(from, to int) {
	h.tb.Helper()
	type one struct {
		n                              int
		checkout, order, payment, item string
	}
	all := make([]one, 0, to-from)
	for n := from; n < to; n++ {
		order := eventstore.DeriveIDAt(historyStart.AddDate(0, 0, n/3000), "order", fmt.Sprint(n))
		all = append(all, one{
			n: n, checkout: eventstore.DeriveID("checkout", fmt.Sprint(n)), order: order,
			payment: eventstore.DeriveIDBeside(order, "payment", "1"), item: fmt.Sprintf("BENCH-%d", n%100),
		})
	}
	step := func(event func(one) (stream string, e domain.Event)) {
		for _, o := range all {
			stream, e := event(o)
			h.record(stream, o.checkout, e)
			last := &h.events[len(h.events)-1]
			last.RawMetadata = fmt.Appendf(nil, `{"$correlationId":%q,"$causationId":%q,"traceparent":"00-%032x-%016x-01","$traceId":"%032x","$spanId":"%016x","schema":1,"actor":{"type":"api_key","id":"admin"},"command_id":%q}`,
				o.checkout, uuid.NewString(), o.n, o.n, o.n, o.n, uuid.NewString())
		}
	}
	amount := domain.Money{Amount: 1250, Currency: "EUR"}
	step(func(o one) (string, domain.Event) {
		return "checkout-" + o.checkout, checkout.CheckoutStarted{
			CheckoutID: o.checkout, OrderID: o.order, Number: fmt.Sprint(o.n), Request: checkout.Request{CustomerID: fmt.Sprint("u", o.n%1000)},
		}
	})
	step(func(o one) (string, domain.Event) {
		return "stock-main." + o.item, stock.StockReserved{SKU: o.item, Location: "main", ReservationID: o.order, CheckoutID: o.checkout, Quantity: 1}
	})
	step(func(o one) (string, domain.Event) {
		return "payment-" + o.payment, payment.PaymentAuthorisationRequested{PaymentID: o.payment, OrderID: o.order, Amount: amount}
	})
	step(func(o one) (string, domain.Event) {
		return "payment-" + o.payment, payment.PaymentAuthorised{PaymentID: o.payment, Amount: amount, ExpiresAt: historyStart.AddDate(0, 0, 7)}
	})
	step(func(o one) (string, domain.Event) {
		return "stock-main." + o.item, stock.StockCommitted{SKU: o.item, Location: "main", ReservationID: o.order, OrderID: o.order, Quantity: 1}
	})
	step(func(o one) (string, domain.Event) {
		return "checkout-" + o.checkout, checkout.CheckoutStockReserved{CheckoutID: o.checkout}
	})
	step(func(o one) (string, domain.Event) {
		return "checkout-" + o.checkout, checkout.CheckoutPaymentRequested{CheckoutID: o.checkout, PaymentID: o.payment, Attempt: 1}
	})
	step(func(o one) (string, domain.Event) {
		return "checkout-" + o.checkout, checkout.CheckoutPaymentAuthorised{CheckoutID: o.checkout}
	})
	step(func(o one) (string, domain.Event) {
		e := placed(o.order, fmt.Sprint(o.n), "A", 1)
		e.CheckoutID, e.PaymentID, e.CustomerID, e.PlacedAt = o.checkout, o.payment, fmt.Sprint("u", o.n%1000), historyStart
		e.Lines[0].SKU = o.item
		return "order-" + o.order, e
	})
}
