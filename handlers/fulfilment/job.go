package fulfilment

import (
	"context"
	"fmt"
	"slices"

	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/gateways/warehouse"
)

// fulfil hands a job to the warehouse.
func (r *run) fulfil(ctx context.Context) error {
	open := r.open()
	i := slices.IndexFunc(open, func(e order.OrderFulfilmentRequested) bool { return e.RequestID == r.task.Ref })
	if i < 0 {
		return nil
	}
	switch r.order.Status {
	case order.StatusOnHold:
		return r.wait(r.config.HeldAgain, "the hold to be released")
	case order.StatusCancelling:
		return r.wait(r.config.Again, "the cancellation to end")
	case "", order.StatusCancelled:
		return nil
	case order.StatusPlaced, order.StatusProcessing, order.StatusPartiallyShipped, order.StatusShipped, order.StatusDelivered,
		order.StatusReturned, order.StatusCompleted:
	}
	job := warehouse.Job{
		RequestID: open[i].RequestID, OrderID: r.task.OrderID, OrderNumber: r.order.Number,
		Location: open[i].Location, ShipToRef: r.order.ShipToRef,
	}
	for _, u := range open[i].Lines {
		l, _ := r.order.Line(u.LineID)
		job.Lines = append(job.Lines, warehouse.Line{LineID: u.LineID, SKU: l.SKU, Title: l.Title, Quantity: u.Quantity})
	}
	if err := r.Warehouse.Submit(ctx, job); err != nil {
		return fmt.Errorf("submit job %s: %w", job.RequestID, err)
	}
	return r.step("job submitted")
}
