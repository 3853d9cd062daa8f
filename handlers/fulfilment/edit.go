package fulfilment

import (
	"context"
	"slices"

	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/domain/stock"
	writer "github.com/waybill-dev/waybill/handlers/stock"
)

// edit releases the units that an edit took out, and gives back what was
// captured beyond what the order costs after it. What is captured later, because
// somebody asked for it before the edit was known, opens the task again.
func (r *run) edit(ctx context.Context) error {
	i := slices.IndexFunc(r.order.Edits, func(e order.OrderEdited) bool { return e.EditID == r.task.Ref })
	if i < 0 {
		return nil
	}
	switch r.order.Status {
	case order.StatusCancelling:
		return r.wait(r.config.Again, "the cancellation to end")
	case order.StatusCancelled:
		// It gave back all the money, and the stock of the lines there were.
		return r.trim(ctx, r.order.Edits[i])
	case "", order.StatusPlaced, order.StatusOnHold, order.StatusProcessing, order.StatusPartiallyShipped, order.StatusShipped,
		order.StatusDelivered, order.StatusReturned, order.StatusCompleted:
	}
	if err := r.trim(ctx, r.order.Edits[i]); err != nil {
		return err
	}
	if _, err := r.settled(ctx); err != nil {
		return err
	}
	return r.giveBack(ctx, ReasonEdited, r.task.Ref, nil, r.surplus)
}

// surplus is what was captured beyond what the order costs, and not given back.
func (r *run) surplus() int64 { return r.over(r.order.Totals.Grand.Amount) }

// trim leaves each reservation that an edit touched the units that the order
// has of it by now.
func (r *run) trim(ctx context.Context, e order.OrderEdited) error {
	keep := map[string]int{}
	for _, u := range reservations(r.order, func(l order.Line) int { return l.Quantity }) {
		keep[u.id] = u.quantity
	}
	for _, c := range e.Changes {
		if c.ReservationID == "" || c.QuantityTo >= c.QuantityFrom {
			continue
		}
		item := writer.Item{Location: c.Location, SKU: c.SKU}
		_, err := r.item(ctx, "trimmed "+c.ReservationID, item, stock.Release{
			ReservationID: c.ReservationID, Reason: stock.Cancelled, Keep: keep[c.ReservationID],
		})
		if err != nil {
			return err
		}
	}
	return nil
}
