package fulfilment

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/gateways/warehouse"
	"github.com/waybill-dev/waybill/vault"
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
	return r.submit(ctx, open[i])
}

// submit asks for a job to be done, which changes nothing where it is known.
func (r *run) submit(ctx context.Context, request order.OrderFulfilmentRequested) error {
	job := warehouse.Job{
		RequestID: request.RequestID, OrderID: r.task.OrderID, OrderNumber: r.order.Number,
		Location: request.Location,
	}
	var err error
	if job.ShipTo, err = r.shipTo(ctx); err != nil {
		return fmt.Errorf("read where order %s goes: %w", r.task.OrderID, err)
	}
	for _, u := range request.Lines {
		l, _ := r.order.Line(u.LineID)
		job.Lines = append(job.Lines, warehouse.Line{LineID: u.LineID, SKU: l.SKU, Title: l.Title, Quantity: u.Quantity})
	}
	if err := r.Warehouse.Submit(ctx, job); err != nil {
		return fmt.Errorf("submit job %s: %w", job.RequestID, err)
	}
	return r.step("job submitted")
}

// shipTo reads where the parcel goes; nil where that was never said. Who gets
// it is the customer, unless the address says otherwise.
func (r *run) shipTo(ctx context.Context) (*warehouse.Address, error) {
	if r.order.ShipToRef == "" || r.People == nil {
		return nil, nil
	}
	var to vault.Address
	if err := r.People.Get(ctx, r.order.ShipToRef, &to); err != nil {
		return nil, err
	}
	if r.order.ContactRef != "" && (to.Name == "" || to.Phone == "") {
		var customer vault.Contact
		if err := r.People.Get(ctx, r.order.ContactRef, &customer); err != nil {
			return nil, err
		}
		to.Name, to.Phone = cmp.Or(to.Name, customer.Name), cmp.Or(to.Phone, customer.Phone)
	}
	return (*warehouse.Address)(&to), nil
}
