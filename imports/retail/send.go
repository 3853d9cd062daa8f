package retail

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"github.com/waybill-dev/waybill/client"
)

// placed remembers which order an invoice became.
type placed struct {
	mu  sync.Mutex
	ids map[string]string
}

func (p *placed) set(invoice, id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ids == nil {
		p.ids = map[string]string{}
	}
	p.ids[invoice] = id
}

func (p *placed) get(invoice string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ids[invoice]
}

// ship sends everything of an order in one parcel. That was long ago, which
// only the order's own external time says: what follows a parcel follows now.
func (i *Importer) ship(ctx context.Context, order, invoice string) error {
	_, err := i.API.ShipOrder(ctx, order, client.Change{Key: source + ":" + invoice + ":shipped"}, client.ShipOrder{ID: invoice})
	return err
}

// ordersReturned are the returns of each order, in the order of their time: two
// of one order at once would only be in each other's way.
func ordersReturned(plans []Plan) [][]Return {
	index := map[string]int{}
	var orders [][]Return
	for _, plan := range plans {
		for _, r := range plan.Returns {
			at, known := index[r.Of]
			if !known {
				at = len(orders)
				index[r.Of] = at
				orders = append(orders, nil)
			}
			orders[at] = append(orders[at], r)
		}
	}
	return orders
}

// giveBack books the returns of one order. The platform restocks the goods and
// gives the money back by itself.
func (i *Importer) giveBack(ctx context.Context, order string, returns []Return) (refusals []*client.Problem, err error) {
	for _, r := range returns {
		err := i.patiently(ctx, func() error {
			key := source + ":" + r.Invoice + ":" + r.Of
			in := client.RequestReturn{ID: r.Invoice, Kind: "refund", Lines: r.Lines, External: &client.External{Source: source, Ref: r.Invoice, Time: r.Time}}
			if _, err := i.API.RequestReturn(ctx, order, client.Change{Key: key}, in); err != nil {
				return err
			}
			received := client.ReceiveReturn{}
			for _, l := range r.Lines {
				received.Lines = append(received.Lines, client.ReceivedUnits{LineID: l.LineID, Quantity: l.Quantity, Restock: true})
			}
			_, err := i.API.ReceiveReturn(ctx, order, r.Invoice, client.Change{Key: key + ":received"}, received)
			return err
		})
		refusal, err := refused(err)
		if err != nil {
			return nil, fmt.Errorf("cancelled invoice %s: %w", r.Invoice, err)
		}
		refusals = append(refusals, refusal)
	}
	return refusals, nil
}

// refused tells a refusal, which is counted, from a failure, which ends the
// import.
func refused(err error) (*client.Problem, error) {
	var problem *client.Problem
	if errors.As(err, &problem) && problem.Status < http.StatusInternalServerError &&
		problem.Status != http.StatusUnauthorized && problem.Status != http.StatusForbidden {
		return problem, nil
	}
	return nil, err
}

// errRefundOpen says that the money of a return was not given back yet.
var errRefundOpen = errors.New("refund is still open")

// awaitRefund waits until the platform has given back so much of an order.
func (i *Importer) awaitRefund(ctx context.Context, id string, pence int64) error {
	return i.patiently(ctx, func() error {
		order, _, err := i.API.Order(ctx, id)
		if err != nil {
			return err
		}
		refunded := int64(0)
		for _, payment := range order.Payments {
			refunded += payment.Refunded.Amount
		}
		if refunded < pence {
			return fmt.Errorf("order %s: %s of %s: %w", order.Number, pounds(refunded), pounds(pence), errRefundOpen)
		}
		return nil
	})
}

// sendReturns books every return of orders that were placed, then waits for
// their refunds.
func (i *Importer) sendReturns(ctx context.Context, plans []Plan, report *Report) error {
	orders := ordersReturned(plans)
	due := make([]int64, len(orders))
	var mu sync.Mutex
	err := i.each(ctx, "returns", len(orders), func(ctx context.Context, n int) error {
		refusals := make([]*client.Problem, len(orders[n]))
		id := i.orders.get(orders[n][0].Of)
		if id != "" { // else the order was refused
			var err error
			if refusals, err = i.giveBack(ctx, id, orders[n]); err != nil {
				return err
			}
		}
		mu.Lock()
		defer mu.Unlock()
		for k, r := range orders[n] {
			if report.addReturn(r, id != "", refusals[k]) {
				due[n] += r.Pence
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return i.each(ctx, "refunds", len(orders), func(ctx context.Context, n int) error {
		if due[n] == 0 {
			return nil
		}
		if err := i.awaitRefund(ctx, i.orders.get(orders[n][0].Of), due[n]); err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		report.Refunded += due[n]
		return nil
	})
}
