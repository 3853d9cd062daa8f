package fulfilment

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/domain/payment"
	"github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/gateways/warehouse"
)

// Why a cancellation is refused.
const (
	RefusedPicked     = "picked"
	RefusedUnanswered = "warehouse-unanswered"
)

// cancel undoes what was not shipped: the warehouse is stopped, what is held
// let go, what was captured for it given back, its stock released. What was
// shipped stays, and is captured first.
func (r *run) cancel(ctx context.Context) error {
	if r.order.Status != order.StatusCancelling {
		return r.afterCancel(ctx)
	}
	for _, step := range []func(context.Context) error{r.stop, r.shipAll, r.undoMoney, r.release} {
		if err := step(ctx); err != nil {
			return err
		}
		if err := r.load(ctx); err != nil {
			return err
		}
		if r.order.Status != order.StatusCancelling { // a parcel was faster, or the warehouse
			return r.afterCancel(ctx)
		}
	}
	voided, err := r.letGoOf(ctx)
	if err != nil {
		return err
	}
	return r.tellHere(ctx, "cancelled", order.Cancel{
		Refunded: r.money(r.refundedFor()), Voided: r.money(voided), Released: released(r.order),
	})
}

// stop asks the warehouse not to ship what it was asked for, and refuses the
// cancellation where it is too late or nobody answers for too long.
func (r *run) stop(ctx context.Context) error {
	for _, request := range r.open() {
		stopped, parcels, err := r.stopJob(ctx, request.RequestID)
		if fault := r.step("warehouse stopped"); fault != nil {
			return fault
		}
		deadline := r.task.OpenedAt.Add(r.config.WarehouseWait)
		switch {
		case err == nil && stopped == warehouse.Picked:
			return r.tell(ctx, "cancellation refused", order.RefuseCancel{Reason: RefusedPicked})
		case err == nil:
		case !r.Now().Before(deadline):
			return r.tell(ctx, "cancellation refused", order.RefuseCancel{Reason: RefusedUnanswered})
		default:
			return r.wait(min(r.config.Again, max(deadline.Sub(r.Now()), time.Millisecond)), "the warehouse: "+err.Error())
		}
		for _, p := range parcels {
			if err := r.heardOf(ctx, request, p); err != nil {
				return err
			}
		}
		if r.order.Status != order.StatusCancelling { // a parcel has left
			return nil
		}
	}
	return nil
}

// stopJob stops a job, and asks what of it has left before: the warehouse may
// have told, and was not heard.
func (r *run) stopJob(ctx context.Context, requestID string) (warehouse.Stopped, []warehouse.Parcel, error) {
	stopped, err := r.Warehouse.Stop(ctx, requestID, 2*r.cancellation()-1)
	if err != nil || stopped == warehouse.Picked {
		return stopped, nil, err
	}
	state, err := r.Warehouse.Look(ctx, requestID)
	if errors.Is(err, warehouse.ErrUnknown) { // it will not be done when it comes
		return stopped, nil, nil
	}
	return stopped, state.Parcels, err
}

// cancellation counts the cancellations of the order up to the one that the task
// is about: what a refused one asks of the warehouse must not undo what a later
// one asks.
func (r *run) cancellation() int {
	return 1 + slices.IndexFunc(r.order.CancelRequests, func(c order.OrderCancelRequested) bool { return c.RequestID == r.task.Ref })
}

// open lists the requests of which something is not shipped.
func (r *run) open() []order.OrderFulfilmentRequested {
	var all []order.OrderFulfilmentRequested
	for _, request := range r.order.Requests {
		if slices.ContainsFunc(request.Lines, func(u order.Units) bool { return r.order.Progress(u.LineID).Requested > 0 }) {
			all = append(all, request)
		}
	}
	return all
}

// afterCancel ends what a cancellation began that did not come about: jobs go
// on, what the gateway was asked to let go of is let go of, and an order whose
// stock is given back is held.
func (r *run) afterCancel(ctx context.Context) error {
	all, err := r.payments(ctx)
	if err != nil {
		return err
	}
	for _, p := range all {
		if p.state.Status == payment.StatusVoidRequested {
			if err := r.void(ctx, p, ReasonCancelled); err != nil {
				return err
			}
		}
	}
	if r.order.Status == order.StatusCancelled || left(r.order) == 0 {
		return nil
	}
	for _, request := range r.open() {
		if err := r.Warehouse.Resume(ctx, request.RequestID, 2*r.cancellation()); err != nil {
			return fmt.Errorf("resume job %s: %w", request.RequestID, err)
		}
		if err := r.step("warehouse resumed"); err != nil {
			return err
		}
	}
	return r.holdUnreserved(ctx)
}

// holdUnreserved holds an order whose units were released before a parcel
// overtook its cancellation.
func (r *run) holdUnreserved(ctx context.Context) error {
	for _, u := range reservations(r.order, r.order.Left) {
		item, err := r.peek(ctx, u.item)
		if err != nil {
			return err
		}
		held, known := item.Reservation(u.id)
		if !known || held.Status != stock.StatusReleased {
			continue
		}
		return r.hold(ctx, r.id("hold", "released", r.task.Ref))
	}
	return nil
}

// shipAll takes out of the stock what was shipped, so that it is not released.
func (r *run) shipAll(ctx context.Context) error {
	for _, p := range r.order.Shipments {
		if err := r.leave(ctx, p.Shipped); err != nil {
			return err
		}
	}
	return nil
}

// undoMoney captures what was shipped, lets go of the rest, and gives back what
// was captured beyond it.
func (r *run) undoMoney(ctx context.Context) error {
	if err := r.answered(ctx); err != nil {
		return err
	}
	if err := r.collect(ctx, worth(r.order, len(r.order.Shipments)), true, false); err != nil {
		return err
	}
	if err := r.letGo(ctx, ReasonCancelled); err != nil {
		return err
	}
	return r.giveBack(ctx, ReasonCancelled, r.task.Ref, nil, func() int64 {
		return r.over(worth(r.order, len(r.order.Shipments)))
	})
}

// answered waits for authorisations that are under way, and gives them up once
// nobody can be asking for them any more.
func (r *run) answered(ctx context.Context) error {
	all, err := r.payments(ctx)
	if err != nil {
		return err
	}
	for _, p := range all {
		switch p.state.Status {
		case payment.StatusRequested, payment.StatusUnknown, payment.StatusActionRequired:
		case "", payment.StatusAuthorised, payment.StatusDeclined, payment.StatusNotFound, payment.StatusVoidRequested,
			payment.StatusVoided, payment.StatusExpired:
			continue
		}
		if since := r.Now().Sub(p.state.RequestedAt); since < 2*r.config.GatewayTimeout {
			return r.wait(2*r.config.GatewayTimeout-since, "an authorisation to be answered")
		}
		if err := r.void(ctx, p, ReasonCancelled); err != nil {
			return err
		}
	}
	return nil
}

// release gives back the stock of what was not shipped.
func (r *run) release(ctx context.Context) error {
	for _, u := range reservations(r.order, r.order.Left) {
		if _, err := r.item(ctx, "released "+u.id, u.item, stock.Release{ReservationID: u.id, Reason: stock.Cancelled}); err != nil {
			return err
		}
	}
	return nil
}

func released(s order.State) []string {
	var ids []string
	for _, u := range reservations(s, s.Left) {
		ids = append(ids, u.id)
	}
	return ids
}

// refundedFor is what was given back for cancelling.
func (r *run) refundedFor() (n int64) {
	for _, c := range r.order.CancelRequests {
		n += r.given(ReasonCancelled, c.RequestID)
	}
	return n
}

// letGoOf is what was held and not captured, of the payments nobody renewed.
func (r *run) letGoOf(ctx context.Context) (n int64, err error) {
	all, err := r.payments(ctx)
	for i, p := range all {
		renewed := i+1 < len(all) && all[i+1].state.Authorised.Currency != ""
		if p.state.Status != payment.StatusExpired && !renewed {
			n += p.state.Authorised.Amount - p.state.Captured().Amount
		}
	}
	return n, err
}
