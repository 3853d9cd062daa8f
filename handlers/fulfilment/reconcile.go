package fulfilment

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/gateways/warehouse"
)

// reconcileJob asks what became of a job of which something is not shipped: the
// warehouse may have told, and was not heard. What it says is recorded as if it
// had come by itself. It is asked again until nothing of the job is open.
func (r *run) reconcileJob(ctx context.Context) error {
	request, open := r.job()
	if !open {
		return nil
	}
	state, err := r.Warehouse.Look(ctx, request.RequestID)
	switch {
	case errors.Is(err, warehouse.ErrUnknown):
		return r.submitAgain(ctx, request)
	case err != nil:
		return fmt.Errorf("look for job %s: %w", request.RequestID, err)
	case state.Status == warehouse.ByHand:
		return nil
	}
	for _, p := range state.Parcels {
		if err := r.heardOf(ctx, request, p); err != nil {
			return err
		}
	}
	if _, open := r.job(); !open {
		return nil
	}
	if state.Refused != nil {
		if err := r.holdRefused(ctx, request, *state.Refused); err != nil {
			return err
		}
	}
	return r.askAgain()
}

// job is the request that the task is about, where something of it is open.
func (r *run) job() (order.OrderFulfilmentRequested, bool) {
	open := r.open()
	i := slices.IndexFunc(open, func(e order.OrderFulfilmentRequested) bool { return e.RequestID == r.task.Ref })
	if i < 0 || r.order.Status == order.StatusCancelled {
		return order.OrderFulfilmentRequested{}, false
	}
	return open[i], true
}

func (r *run) askAgain() error {
	return r.wait(r.config.AskWarehouse, "the warehouse to ship the rest of the job")
}

// submitAgain asks for a job that the warehouse lost, unless the order is to
// wait.
func (r *run) submitAgain(ctx context.Context, request order.OrderFulfilmentRequested) error {
	if r.order.Status != order.StatusOnHold && r.order.Status != order.StatusCancelling {
		if err := r.submit(ctx, request); err != nil {
			return err
		}
	}
	return r.askAgain()
}

// heardOf records a parcel, unless that was done. It is decided on what was
// read: where the warehouse tells of it at the same moment, the task begins
// again.
func (r *run) heardOf(ctx context.Context, request order.OrderFulfilmentRequested, p warehouse.Parcel) error {
	c := order.Ship{ShipmentID: p.ID, Carrier: p.Carrier, Tracking: p.Tracking, At: r.Now().UTC()}
	if !p.ShippedAt.IsZero() && p.ShippedAt.Before(c.At) {
		c.At = p.ShippedAt.UTC()
	}
	for _, u := range p.Lines {
		c.Lines = append(c.Lines, order.Units(u))
	}
	for _, known := range r.order.Shipments {
		switch {
		case known.Shipped.ShipmentID != p.ID:
		case !maps.Equal(quantities(known.Shipped.Lines), quantities(c.Lines)):
			return fmt.Errorf("job %s: the order has a shipment %q with other units; the id of a parcel has to be unique within the order", request.RequestID, p.ID)
		default:
			return nil
		}
	}
	err := r.tellHere(ctx, "parcel "+p.ID, c)
	if errors.Is(err, order.ErrOnHold) {
		return r.wait(r.config.HeldAgain, "the hold to be released")
	}
	return err
}

func quantities(lines []order.Units) map[string]int {
	n := map[string]int{}
	for _, u := range lines {
		n[u.LineID] += u.Quantity
	}
	return n
}

// holdRefused holds an order of which the warehouse cannot ship the rest. A
// refusal holds it once, whatever people decide then.
func (r *run) holdRefused(ctx context.Context, request order.OrderFulfilmentRequested, refused warehouse.Refusal) error {
	c := order.Hold{HoldID: cmp.Or(refused.ID, request.RequestID), Reason: order.HoldReason(refused.Reason)}
	switch c.Reason {
	case order.HoldStockShortfall, order.HoldAddress, order.HoldManual:
	default:
		return fmt.Errorf("job %s: the warehouse refused it for %q; known are stock_shortfall, address and manual", request.RequestID, refused.Reason)
	}
	mine := func(h order.OrderHeld) bool { return h.HoldID == c.HoldID }
	if slices.ContainsFunc(r.order.Holds, mine) || slices.ContainsFunc(r.order.PastHolds, mine) || r.order.Status == order.StatusCancelling {
		return nil
	}
	return r.tellHere(ctx, "refused "+c.HoldID, c)
}
