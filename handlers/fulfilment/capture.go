package fulfilment

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/domain/payment"
	"github.com/waybill-dev/waybill/eventstore"
	gateway "github.com/waybill-dev/waybill/gateways/payment"
)

// whole is the reference of the capture of an order that is captured at once.
const whole = "order"

// Failures of captures that people have to look at.
var (
	errDeclined = errors.New("the gateway refused the capture")
	errNothing  = errors.New("nothing more is held to capture")
)

// capture takes the money for what was shipped up to a shipment, or all of it.
func (r *run) capture(ctx context.Context) error {
	switch r.order.Status {
	case "":
		return nil
	case order.StatusCancelling:
		return r.wait(r.config.Again, "the cancellation to end")
	case order.StatusOnHold:
		return r.wait(r.config.HeldAgain, "the hold to be released")
	case order.StatusPlaced, order.StatusProcessing, order.StatusPartiallyShipped, order.StatusShipped, order.StatusDelivered,
		order.StatusReturned, order.StatusCompleted, order.StatusCancelled:
	}
	target, last := r.target()
	if err := r.collect(ctx, target, last, true); err != nil {
		return err
	}
	if last {
		return r.letGo(ctx, "everything is captured")
	}
	return r.holdRest(ctx)
}

// target is what is to be captured by the end of the task, and whether that is
// all that will ever be.
func (r *run) target() (amount int64, last bool) {
	if r.task.Ref == whole {
		return r.price(), true
	}
	i := slices.IndexFunc(r.order.Shipments, func(s order.Shipment) bool { return s.Shipped.ShipmentID == r.task.Ref })
	return worth(r.order, i+1), i+1 == len(r.order.Shipments) && left(r.order) == 0
}

// collect captures what of an amount is not captured yet. What was captured
// for whatever reason counts, so that a task that is done again, and one whose
// money somebody took by hand, take nothing; but not what was given back for a
// cancellation that did not come about.
func (r *run) collect(ctx context.Context, target int64, last, renew bool) error {
	all, err := r.settled(ctx)
	if err != nil {
		return err
	}
	for _, p := range all {
		need := target - r.kept(all)
		if need <= 0 {
			return nil
		}
		if err := r.take(ctx, p, need, last); err != nil {
			return err
		}
	}
	need := target - r.kept(all)
	if need <= 0 || !renew {
		return nil
	}
	if slices.ContainsFunc(all, func(p *paid) bool { return p.state.ByHand && !p.state.Settled() }) {
		return r.wait(r.config.Again, "a payment by hand to be answered")
	}
	if p, err := r.renewLast(ctx, all, need); err != nil {
		return err
	} else if p == nil {
		return fmt.Errorf("order %s: %w", r.task.OrderID, errNothing)
	}
	// Somebody else may have renewed it before, and captured of it since.
	return r.collect(ctx, target, last, false)
}

// settled reads the payments, once no capture is under way any more.
func (r *run) settled(ctx context.Context) ([]*paid, error) {
	all, err := r.payments(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range all {
		for _, m := range p.state.Captures {
			if m.Status != payment.MovementRequested {
				continue
			}
			if err := r.finishCapture(ctx, p, m, false); err != nil {
				return nil, err
			}
		}
		if err := r.copy(ctx, p); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// take captures as much of an amount as a payment has.
func (r *run) take(ctx context.Context, p *paid, need int64, last bool) error {
	if p.state.Capturable().Amount <= 0 {
		return nil
	}
	once, err := r.look(ctx, p)
	if err != nil {
		return err
	}
	amount := min(need, p.state.Capturable().Amount)
	if amount <= 0 {
		return nil
	}
	request := payment.RequestCapture{
		CaptureID: r.captureID(p), Amount: r.money(amount), Final: once || last && amount == need,
	}
	if err := r.payHere(ctx, p, "capture announced "+request.CaptureID, request); err != nil {
		return err
	}
	m, _ := find(p.state.Captures, request.CaptureID)
	if err := r.finishCapture(ctx, p, m, true); err != nil {
		return err
	}
	if err := r.copy(ctx, p); err != nil {
		return err
	}
	switch m, _ = find(p.state.Captures, m.ID); {
	case m.Code == payment.CodeExceedsOrder: // somebody else took it at the same moment
		return eventstore.ErrConflict
	case m.Status == payment.MovementFailed:
		return fmt.Errorf("payment %s: %w: %s", p.id, errDeclined, m.Code)
	}
	return nil
}

// captureID names the task's next attempt at a payment.
func (r *run) captureID(p *paid) string {
	for attempt := 1; ; attempt++ {
		id := r.id("capture", string(r.task.Kind), r.task.Ref, p.id, strconv.Itoa(attempt))
		if _, used := find(p.state.Captures, id); !used {
			return id
		}
	}
}

// look asks the gateway what has become of an authorisation, records where it
// holds nothing any more, and reports whether it can be captured only once.
func (r *run) look(ctx context.Context, p *paid) (once bool, err error) {
	g, err := r.provider(p)
	if err != nil {
		return false, err
	}
	answer, err := call(ctx, r, "authorisation looked up", g.Find, p.state.Key)
	if err != nil {
		return false, fmt.Errorf("payment %s: look it up: %w", p.id, err)
	}
	switch answer.Status {
	case gateway.Expired:
		err = r.pay(ctx, p, "expired", payment.Expire{})
	case gateway.Voided:
		if err = r.pay(ctx, p, "void found", payment.RequestVoid{Reason: "voided-at-gateway"}); err == nil {
			err = r.pay(ctx, p, "voided", payment.Void{})
		}
	case gateway.Authorised, gateway.Declined, gateway.ActionRequired:
		return answer.Once, nil
	}
	if err != nil {
		return false, err
	}
	return answer.Once, r.copy(ctx, p)
}

// letGo gives up what is held beyond what the order costs.
func (r *run) letGo(ctx context.Context, why string) error {
	all, err := r.settled(ctx)
	if err != nil {
		return err
	}
	for _, p := range all {
		if p.state.Status == payment.StatusVoidRequested || p.state.Capturable().Amount > 0 {
			if err := r.void(ctx, p, why); err != nil {
				return err
			}
		}
	}
	return nil
}

// holdRest has the gateway hold what is yet to be shipped, where capturing a
// part has let go of the rest.
func (r *run) holdRest(ctx context.Context) error {
	all, err := r.payments(ctx)
	if err != nil {
		return err
	}
	if err := r.load(ctx); err != nil {
		return err
	}
	rest := r.order.Totals.Grand.Amount - r.kept(all)
	if left(r.order) == 0 || rest <= 0 || capturable(all) > 0 {
		return nil
	}
	_, err = r.renewLast(ctx, all, rest)
	return err
}

// void gives up what a payment holds and was not captured. One that was
// announced before is looked up first.
func (r *run) void(ctx context.Context, p *paid, why string) error {
	fresh := p.state.Status != payment.StatusVoidRequested
	if err := r.payHere(ctx, p, "void announced", payment.RequestVoid{Reason: code(why)}); err != nil {
		return err
	}
	if p.state.Status != payment.StatusVoidRequested {
		return r.copy(ctx, p)
	}
	g, err := r.provider(p)
	if err != nil {
		return err
	}
	var answer gateway.Authorisation
	if !fresh {
		answer, err = call(ctx, r, "void looked up", g.Find, p.state.Key)
	}
	if fresh || err == nil && (answer.Status == gateway.Authorised || answer.Status == gateway.ActionRequired) {
		_, err = call(ctx, r, "void asked", g.Void, p.state.Key)
	}
	return errors.Join(r.recordVoid(ctx, p, err), r.copy(ctx, p))
}

func (r *run) recordVoid(ctx context.Context, p *paid, err error) error {
	var refused *gateway.RefusedError
	switch {
	case errors.As(err, &refused):
		return errors.Join(fmt.Errorf("payment %s: void: %w", p.id, refused), r.pay(ctx, p, "void failed", payment.FailVoid{Code: code(refused.Code)}))
	case errors.Is(err, gateway.ErrNotFound):
		if err := r.watch(ctx, p); err != nil {
			return err
		}
	case err != nil:
		return fmt.Errorf("payment %s: void: %w", p.id, err)
	}
	return r.pay(ctx, p, "voided", payment.Void{})
}
