package projections_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/domain/payment"
	"github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/projections"
)

// partsHistory is an order whose goods went in two parcels and partly came back,
// and one with a parcel that did not arrive.
func partsHistory(t *testing.T) *history {
	t.Helper()
	h := newHistory(t)
	h.record("order-o1", "c1", placed("o1", "1", "A", 2))
	h.record("order-o1", "c1", order.OrderShipped{
		OrderID: "o1", ShipmentID: "s1", Lines: []order.Units{{LineID: "1", Quantity: 2}}, Carrier: "post", Tracking: "T1", ShippedAt: historyStart,
	})
	h.record("order-o1", "c1", order.OrderShipped{
		OrderID: "o1", ShipmentID: "s2", Lines: []order.Units{{LineID: "2", Quantity: 2}}, ShippedAt: historyStart.Add(time.Hour),
	})
	h.record("order-o1", "c1", order.OrderShipmentFailed{OrderID: "o1", ShipmentID: "s1", Reason: "nobody-home"})
	h.record("order-o1", "c1", order.OrderDelivered{OrderID: "o1", ShipmentID: "s1", At: historyStart.Add(3 * time.Hour)})
	h.record("order-o1", "c1", order.OrderReturnRequested{OrderID: "o1", ReturnID: "r1", Kind: order.ForRefund, Lines: []order.ReturnedUnits{{LineID: "1", Quantity: 2, Reason: "late"}}})
	h.record("order-o1", "c1", order.OrderReturnReceived{OrderID: "o1", ReturnID: "r1", Lines: []order.ReceivedUnits{{LineID: "1", Quantity: 1}}})
	h.record("order-o1", "c1", order.OrderReturnRequested{OrderID: "o1", ReturnID: "r2", Kind: order.ForExchange, Lines: []order.ReturnedUnits{{LineID: "1", Quantity: 1, Reason: "late"}}})
	h.record("order-o1", "c1", order.OrderReturnRejected{OrderID: "o1", ReturnID: "r2", Reason: "worn"})
	h.record("order-o2", "c2", placed("o2", "2", "A", 1))
	h.record("order-o2", "c2", order.OrderShipped{
		OrderID: "o2", ShipmentID: "s1", Lines: []order.Units{{LineID: "1", Quantity: 1}}, Carrier: "post", Tracking: "T2", ShippedAt: historyStart.Add(2 * time.Hour),
	})
	h.record("order-o2", "c2", order.OrderShipmentFailed{OrderID: "o2", ShipmentID: "s1", Reason: "lost"})
	return h
}

func fill(t *testing.T, h *history, p projections.Projection, e databasetest.Engine) *projections.Runner {
	t.Helper()
	r := h.open(p, e.Another(t))
	t.Cleanup(func() { _ = r.Close() })
	if err := r.Apply(t.Context(), h.page(p, 0, len(h.events))); err != nil {
		t.Fatal(err)
	}
	if blocked, err := r.Blocked(t.Context()); err != nil || len(blocked) > 0 {
		t.Fatalf("blocked %+v, %v", blocked, err)
	}
	return r
}

// names reads the names of rows, page by page of size.
func names[R any, K any](t *testing.T, list func(after *K, limit int) ([]R, error), name func(R) string, key func(R) K) (all []string) {
	t.Helper()
	var after *K
	for {
		rows, err := list(after, 1)
		if err != nil {
			t.Fatal(err)
		}
		if len(rows) == 0 {
			return all
		}
		k := key(rows[0])
		after, all = &k, append(all, name(rows[0]))
	}
}

func TestParcelsAndReturnsAreListed(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		q := projections.OrderQueries{DB: fill(t, partsHistory(t), projections.Orders{}, e).Read()}
		for name, row := range map[string]struct {
			filter projections.PartFilter
			want   []string
		}{
			"all":         {want: []string{"o2 s1 failed lost", "o1 s2 shipped ", "o1 s1 delivered "}},
			"of an order": {filter: projections.PartFilter{OrderID: "o1"}, want: []string{"o1 s2 shipped ", "o1 s1 delivered "}},
			"by status":   {filter: projections.PartFilter{Status: projections.ShipmentFailed}, want: []string{"o2 s1 failed lost"}},
			"by tracking": {filter: projections.PartFilter{Tracking: "T1"}, want: []string{"o1 s1 delivered "}},
			"by carrier":  {filter: projections.PartFilter{Carrier: "post"}, want: []string{"o2 s1 failed lost", "o1 s1 delivered "}},
			"by time":     {filter: projections.PartFilter{From: historyStart.Add(time.Hour), To: historyStart.Add(2 * time.Hour)}, want: []string{"o1 s2 shipped "}},
		} {
			got := names(t, func(after *projections.PartKey, limit int) ([]projections.ShipmentRow, error) {
				return q.Shipments(t.Context(), row.filter, after, limit)
			}, func(s projections.ShipmentRow) string {
				return s.OrderID + " " + s.ShipmentID + " " + s.Status + " " + s.Failure
			}, func(s projections.ShipmentRow) projections.PartKey {
				return projections.PartKey{At: s.ShippedAt, OrderID: s.OrderID, ID: s.ShipmentID}
			})
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("parcels %s (-want +got):\n%s", name, diff)
			}
		}
		returns, err := q.Returns(t.Context(), projections.PartFilter{Status: string(order.ReturnReceived)}, nil, 10)
		want := []projections.ReturnRow{{
			OrderID: "o1", ReturnID: "r1", Status: order.ReturnReceived, Kind: order.ForRefund, Units: 2, Received: 1,
			Lines:       []order.ReturnedUnits{{LineID: "1", Quantity: 2, Reason: "late"}},
			RequestedAt: historyStart.Add(6 * time.Millisecond), ChangedAt: historyStart.Add(7 * time.Millisecond),
		}}
		if diff := cmp.Diff(want, returns); err != nil || diff != "" {
			t.Errorf("returns (-want +got), %v:\n%s", err, diff)
		}
		if all, err := q.Returns(t.Context(), projections.PartFilter{}, nil, 10); err != nil || len(all) != 2 || all[0].Reason != "worn" {
			t.Errorf("all returns: %+v, %v", all, err)
		}
	})
}

func TestPaymentsAreListedWithTheirCapturesAndRefunds(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		h := newHistory(t)
		eur := func(n int64) domain.Money { return domain.Money{Amount: n, Currency: "EUR"} }
		pay := func(id string, events ...payment.Event) {
			for _, event := range append([]payment.Event{payment.PaymentAuthorisationRequested{
				PaymentID: id, OrderID: "o-" + id, Amount: eur(1000), Method: "sandbox:x", Gateway: "sandbox", Key: "k-" + id, RequestedAt: historyStart,
			}}, events...) {
				h.record("payment-"+id, id, event)
			}
		}
		authorised := payment.PaymentAuthorised{GatewayRef: "g", Amount: eur(1000), ExpiresAt: historyStart.Add(time.Hour)}
		pay("p1", authorised,
			payment.PaymentCaptureRequested{CaptureID: "c1", Amount: eur(400)}, payment.PaymentCaptured{CaptureID: "c1", Amount: eur(400), GatewayRef: "gc"},
			payment.PaymentCaptureRequested{CaptureID: "c2", Amount: eur(600)}, payment.PaymentCaptureFailed{CaptureID: "c2", Code: "gone"},
			payment.PaymentRefundRequested{RefundID: "m1", Amount: eur(100)}, payment.PaymentRefunded{RefundID: "m1", Amount: eur(100)},
			payment.PaymentChargedBack{Amount: eur(7), CaseRef: "x"}, payment.PaymentRefundRequested{RefundID: "m2", Amount: eur(1)})
		pay("p2", payment.PaymentDeclined{Code: "card-declined"})
		pay("p3", authorised, payment.PaymentVoidRequested{}, payment.PaymentVoidFailed{Code: "busy"}, payment.PaymentVoidRequested{})
		for _, size := range []int{1, 3, 512} { // the rows must not depend on it
			r := h.open(projections.Payments{}, e.Another(t))
			for i := 0; i < len(h.events); i += size {
				if err := r.Apply(t.Context(), h.page(projections.Payments{}, i, i+size)); err != nil {
					t.Fatal(err)
				}
			}
			q := projections.PaymentQueries{DB: r.Read()}
			got := names(t, func(after *projections.PaymentKey, limit int) ([]projections.PaymentRow, error) {
				return q.List(t.Context(), projections.PaymentFilter{}, after, limit)
			}, func(p projections.PaymentRow) string {
				return p.PaymentID + " " + string(p.Status) + " " + p.Captured.String() + " " + p.Refunded.String() + " " + p.ChargedBack.String() + " " + p.Code + p.VoidFailure
			}, func(p projections.PaymentRow) projections.PaymentKey {
				return projections.PaymentKey{RequestedAt: p.RequestedAt, PaymentID: p.PaymentID}
			})
			want := []string{"p3 void_requested 0.00 EUR 0.00 EUR 0.00 EUR ", "p2 declined 0.00 EUR 0.00 EUR 0.00 EUR card-declined", "p1 authorised 4.00 EUR 1.00 EUR 0.07 EUR "}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("pages of %d (-want +got):\n%s", size, diff)
			}
			one, err := q.List(t.Context(), projections.PaymentFilter{Status: "declined", OrderID: "o-p2", Gateway: "sandbox", From: historyStart, To: historyStart.Add(1)}, nil, 10)
			if err != nil || len(one) != 0 {
				t.Errorf("before the end of the time: %+v, %v", one, err)
			}
			moved := func(filter projections.MovementFilter) []string {
				return names(t, func(after *projections.MovementKey, limit int) ([]projections.MovementRow, error) {
					return q.Movements(t.Context(), filter, after, limit)
				}, func(m projections.MovementRow) string {
					return m.MovementID + " " + m.OrderID + " " + string(m.Status) + " " + m.Amount.String() + " " + m.GatewayRef + m.Code
				}, func(m projections.MovementRow) projections.MovementKey {
					return projections.MovementKey{RequestedAt: m.RequestedAt, PaymentID: m.PaymentID, MovementID: m.MovementID}
				})
			}
			if diff := cmp.Diff([]string{"m2 o-p1 requested 0.01 EUR ", "m1 o-p1 done 1.00 EUR "}, moved(projections.MovementFilter{Kind: projections.MovedRefund})); diff != "" {
				t.Errorf("refunds (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{"c2 o-p1 failed 6.00 EUR gone"}, moved(projections.MovementFilter{Kind: projections.MovedCapture, Status: "failed"})); diff != "" {
				t.Errorf("failed captures (-want +got):\n%s", diff)
			}
			_ = r.Close()
		}
	})
}

func TestOpenReservationsAreListedByWhenTheyExpire(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		h := newHistory(t)
		for i, sku := range []string{"A", "B", "A"} {
			id := string(rune('x' + i))
			h.record("stock-main."+sku, id, stock.StockReserved{
				SKU: sku, Location: "main", ReservationID: id, CheckoutID: "c" + id, Quantity: i + 1, ExpiresAt: historyStart.Add(time.Duration(5-i) * time.Minute),
			})
		}
		q := projections.StockQueries{DB: fill(t, h, projections.Stock{}, e).Read()}
		list := func(filter projections.ReservationFilter) []string {
			return names(t, func(after *projections.OpenReservation, limit int) ([]projections.OpenReservation, error) {
				return q.Reservations(t.Context(), filter, after, limit)
			}, func(r projections.OpenReservation) string { return r.SKU + " " + r.ReservationID + " " + r.CheckoutID },
				func(r projections.OpenReservation) projections.OpenReservation { return r })
		}
		if diff := cmp.Diff([]string{"A z cz", "B y cy", "A x cx"}, list(projections.ReservationFilter{})); diff != "" {
			t.Errorf("all (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"A z cz", "A x cx"}, list(projections.ReservationFilter{SKU: "A", Location: "main"})); diff != "" {
			t.Errorf("of a SKU (-want +got):\n%s", diff)
		}
		if got := list(projections.ReservationFilter{Location: "north"}); got != nil {
			t.Errorf("elsewhere: %v", got)
		}
	})
}
