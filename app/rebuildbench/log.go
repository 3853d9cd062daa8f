package rebuildbench

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/domain/payment"
	"github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/node"
)

// writers is how many append at once: the node writes what comes together in
// one go.
const writers = 256

// fill writes what orders leave behind.
func fill(ctx context.Context, n *node.Node, o Options) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next, done atomic.Int64
	var writing sync.WaitGroup
	for range writers {
		writing.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= o.Orders {
					return
				}
				if err := place(ctx, n, i); err != nil {
					cancel(err)
					return
				}
				if d := int(done.Add(1)); d%1000 == 0 || d == o.Orders {
					o.Advance("orders", d, o.Orders)
				}
			}
		})
	}
	writing.Wait()
	return context.Cause(ctx)
}

// place writes what one order leaves behind: seven events in four streams.
func place(ctx context.Context, n *node.Node, i int) error {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(i) * time.Second)
	c := eventstore.DeriveIDAt(at, "checkout", fmt.Sprint(i)) // in the order of time, as those of the platform
	p, o := eventstore.DeriveIDBeside(c, "payment"), eventstore.DeriveIDBeside(c, "order")
	sku := fmt.Sprintf("SKU-%04d", i%4000)
	price := domain.Money{Amount: int64(500 + i%5000), Currency: "EUR"}
	total := domain.Money{Amount: 2 * price.Amount, Currency: "EUR"}
	for _, step := range []struct {
		stream string
		events []domain.Event
	}{
		{"checkout-" + c, []domain.Event{checkout.CheckoutStarted{CheckoutID: c, OrderID: o, StartedAt: at}}},
		{"stock-main." + sku, []domain.Event{
			stock.StockReserved{SKU: sku, Location: "main", ReservationID: c, CheckoutID: c, Quantity: 2},
			stock.StockCommitted{SKU: sku, Location: "main", ReservationID: c, OrderID: o, Quantity: 2},
		}},
		{"payment-" + p, []domain.Event{
			payment.PaymentAuthorisationRequested{PaymentID: p, OrderID: o, Amount: total, Method: "sandbox:approved"},
			payment.PaymentAuthorised{PaymentID: p, Amount: total, ExpiresAt: at.AddDate(0, 0, 7)},
		}},
		{"order-" + o, []domain.Event{order.OrderPlaced{
			OrderID: o, Number: fmt.Sprint(100_000 + i), CheckoutID: c, CustomerID: fmt.Sprintf("customer-%d", i%50_000), Currency: "EUR",
			Lines:  []order.Line{{LineID: "1", SKU: sku, Title: "A white hanging heart", Quantity: 2, UnitPrice: price, Total: total, Location: "main", ReservationID: c}},
			Totals: order.Totals{Subtotal: total, Grand: total}, PaymentID: p, Authorised: total, PlacedAt: at,
		}}},
		{"checkout-" + c, []domain.Event{checkout.CheckoutCompleted{CheckoutID: c, OrderID: o}}},
	} {
		if err := write(ctx, n, step.stream, c, step.events); err != nil {
			return err
		}
	}
	return nil
}

func write(ctx context.Context, n *node.Node, stream, correlation string, events []domain.Event) error {
	meta := fmt.Appendf(nil, `{"$correlationId":%q,"$causationId":%q,"traceparent":"00-%s-00f067aa0ba902b7-01","schema":1,"actor":{"type":"api_key","id":"bench"}}`,
		correlation, correlation, uuid.MustParse(correlation).String())
	a := node.Append{Stream: stream, Expected: node.ExpectAny}
	for _, e := range events {
		data, err := json.Marshal(e)
		if err != nil {
			return err
		}
		a.Events = append(a.Events, node.Event{ID: uuid.New(), Type: e.EventName(), JSON: true, Data: data, Metadata: meta})
	}
	_, err := n.Append(ctx, a)
	return err
}
