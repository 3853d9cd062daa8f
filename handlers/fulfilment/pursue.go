package fulfilment

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/domain/payment"
	gateway "github.com/waybill-dev/waybill/gateways/payment"
	"github.com/waybill-dev/waybill/handlers/checkout"
)

// codeChanged declines a payment of an order that changed before the gateway
// was asked.
const codeChanged = "order-changed"

// askFor is how long after it was announced a payment may be asked for: nobody
// expects one that comes later.
const askFor = time.Minute

// pursueTask finds out what became of a payment that somebody asked for, and
// does what follows from it.
func (r *run) pursueTask(ctx context.Context) error { return r.pursue(ctx, false, true) }

// pursue is done by the task, or here and now by the request itself: only that
// asks the gateway for the money. One that may have been asked for before is
// looked for first.
func (r *run) pursue(ctx context.Context, here, look bool) error {
	p, err := r.payment(ctx, r.task.Ref)
	if err != nil || !p.state.ByHand {
		return err
	}
	if !p.state.Settled() {
		if err := r.outcome(ctx, p, here, look); err != nil {
			return err
		}
	}
	switch p.state.Status {
	case payment.StatusAuthorised:
		return r.paidFor(ctx, p)
	case payment.StatusUnknown:
		since := r.Now().Sub(p.state.RequestedAt)
		return r.wait(min(max(since, 2*time.Second), 5*time.Minute), "the gateway to know of the payment")
	case payment.StatusActionRequired:
		return r.wait(min(3*r.config.Again, max(p.state.ActionExpiresAt.Sub(r.Now()), time.Second)), "the shopper to confirm the payment")
	case "", payment.StatusRequested, payment.StatusDeclined, payment.StatusNotFound, payment.StatusVoidRequested, payment.StatusVoided,
		payment.StatusExpired:
	}
	return nil
}

// outcome finds out what becomes of a payment. That the gateway knows nothing
// is believed once nobody can be asking any more.
func (r *run) outcome(ctx context.Context, p *paid, here, look bool) error {
	g, err := r.provider(p)
	if err != nil {
		return err
	}
	answer, err := gateway.Authorisation{}, gateway.ErrNotFound
	if look {
		answer, err = call(ctx, r, "payment looked up", g.Find, p.state.Key)
	}
	since, patience := r.Now().Sub(p.state.RequestedAt), 2*r.config.GatewayTimeout
	switch unknown := errors.Is(err, gateway.ErrNotFound); {
	case err == nil:
		return r.recordOutcome(ctx, p, answer)
	case unknown && here && p.state.Status == payment.StatusRequested && since < askFor:
		return r.authorise(ctx, p, g)
	case unknown && since < patience:
		return r.wait(patience-since, "whoever asks for the payment")
	case unknown:
		if err := r.forget(ctx, p, "payment not found"); err != nil {
			return err
		}
		return r.letGoAt(ctx, p, "payment voided") // keeps it from being made later, where that is possible
	case since >= r.config.PollFor:
		return r.void(ctx, p, "unresolved")
	}
	return fmt.Errorf("payment %s: look it up: %w", p.id, err)
}

// forget ends a payment that the gateway knows nothing of: whoever hears of it
// after that lets go of it. Somebody may have asked and died, so that it is
// looked for as well.
func (r *run) forget(ctx context.Context, p *paid, step string) error {
	if err := r.watch(ctx, p); err != nil {
		return err
	}
	return r.pay(ctx, p, step, payment.Resolve{As: payment.AsNotFound, By: payment.ByPoll})
}

// authorise asks the gateway once, unless the order has changed since the
// payment was announced: whoever changed it has seen the announcement, or this
// sees the change.
func (r *run) authorise(ctx context.Context, p *paid, g gateway.Provider) error {
	if err := r.load(ctx); err != nil {
		return err
	}
	all, err := r.payments(ctx)
	if err != nil {
		return err
	}
	if r.order.Status == order.StatusCancelling || r.unpaid(all) < p.state.Amount.Amount {
		return r.pay(ctx, p, "payment given up", payment.Decline{Code: codeChanged, Message: "the order changed before the payment was asked for", Retryable: true})
	}
	begun := r.Now()
	answer, err := call(ctx, r, "payment asked", g.Authorise, gateway.Authorise{
		Key: p.state.Key, Amount: p.state.Amount, Method: p.state.Method, ReturnURL: p.state.ReturnURL,
	})
	switch {
	case errors.Is(err, gateway.ErrUnsupportedMethod):
		return r.pay(ctx, p, "payment declined", unsupported())
	case errors.Is(err, gateway.ErrUnknownOutcome):
		return r.pay(ctx, p, "payment lost", payment.LoseSight{Cause: checkout.Cause(err), After: r.Now().Sub(begun)})
	case err != nil:
		return fmt.Errorf("payment %s: %w", p.id, err)
	}
	return r.recordOutcome(ctx, p, answer)
}

func unsupported() payment.Decline {
	return payment.Decline{Code: checkout.CodeUnsupported, Message: checkout.Unsupported, Retryable: true}
}

// recordOutcome records what the gateway has of a payment.
func (r *run) recordOutcome(ctx context.Context, p *paid, answer gateway.Authorisation) error {
	resolve := payment.Resolve{By: payment.ByPoll, As: payment.AsDeclined}
	var command payment.Command
	switch answer.Status {
	case gateway.ActionRequired:
		return r.requireAction(ctx, p, answer)
	case gateway.Authorised:
		resolve.As, resolve.Authorised = payment.AsAuthorised, payment.Authorise{GatewayRef: answer.Ref, Amount: answer.Amount, ExpiresAt: answer.ExpiresAt}
		command = resolve.Authorised
	case gateway.Declined, gateway.Voided, gateway.Expired:
		resolve.Declined = declined(answer)
		command = resolve.Declined
	}
	if p.state.Status == payment.StatusUnknown {
		command = resolve
	}
	err := r.pay(ctx, p, "payment "+string(resolve.As), command)
	if errors.Is(err, payment.ErrTransition) && answer.Status == gateway.Authorised {
		return r.contradicted(ctx, p, answer, err)
	}
	return err
}

// declined is how a payment that holds nothing is declined.
func declined(answer gateway.Authorisation) payment.Decline {
	d := payment.Decline{Code: answer.Code, Message: answer.Message, Retryable: answer.Status != gateway.Voided}
	if d.Code == "" {
		d.Code = string(answer.Status)
	}
	return d
}

// requireAction waits for the shopper, for a while. Then the payment is declined,
// and the gateway kept from taking a confirmation. So it is where somebody has
// given the payment up.
func (r *run) requireAction(ctx context.Context, p *paid, answer gateway.Authorisation) error {
	waits := p.state.Status == payment.StatusActionRequired
	if waits && r.Now().Before(p.state.ActionExpiresAt) {
		return nil
	}
	if !waits {
		deadline := r.Now().Add(r.config.ActionHold)
		if e := answer.ExpiresAt; !e.IsZero() && e.Before(deadline) {
			deadline = e
		}
		err := r.pay(ctx, p, "action required", payment.RequireAction{URL: answer.ActionURL, ExpiresAt: deadline})
		if err != nil || !p.state.Settled() {
			return err
		}
		return r.contradicted(ctx, p, answer, nil)
	}
	return r.declineAndLetGo(ctx, p, "action expired", payment.Decline{
		Code: checkout.CodeActionExpired, Message: "the shopper did not confirm the payment in time", Retryable: true,
	})
}

// declineAndLetGo declines a payment that may come to hold money, and then has
// the gateway let go of it. The other way round the order would go on with a
// payment that is confirmed in between, and voided.
func (r *run) declineAndLetGo(ctx context.Context, p *paid, step string, d payment.Decline) error {
	if err := r.watch(ctx, p); err != nil {
		return err
	}
	if err := r.pay(ctx, p, step, d); err != nil {
		return err
	}
	return r.letGoAt(ctx, p, "payment voided")
}

// paidFor lets an order go on that somebody has paid: it hears of the money,
// what was about to run out is let go, and what was shipped is captured.
func (r *run) paidFor(ctx context.Context, p *paid) error {
	if err := r.copy(ctx, p); err != nil {
		return err
	}
	all, err := r.payments(ctx)
	if err != nil {
		return err
	}
	for i, old := range all {
		if err := r.replaced(ctx, old, all[i+1:], r.unpaid(all) > 0); err != nil {
			return err
		}
	}
	if err := r.releaseUnpaid(ctx, all); err != nil {
		return err
	}
	if r.order.Status == order.StatusOnHold || r.order.Status == order.StatusCancelling {
		return nil // which capture by themselves when they are over
	}
	target, last := worth(r.order, len(r.order.Shipments)), left(r.order) == 0
	if r.order.Placed.Capture == order.CapturePlaced {
		target, last = r.price(), true
	}
	if err := r.collect(ctx, target, last, false); err != nil || !last {
		return err
	}
	return r.letGo(ctx, "everything is captured")
}

// replaced lets go of what is about to run out, unless it is needed, and ends a
// void that was announced.
func (r *run) replaced(ctx context.Context, old *paid, later []*paid, needed bool) error {
	if old.state.Status == payment.StatusVoidRequested {
		return r.void(ctx, old, "paid-again")
	}
	if old.state.Capturable().Amount == 0 || needed || !r.runsOut(old, later) {
		return nil
	}
	if _, err := r.look(ctx, old); err != nil || old.state.Capturable().Amount == 0 {
		return err
	}
	return r.void(ctx, old, "paid-again")
}

// releaseUnpaid lets an order go on that was held because it was not paid, and
// for nothing else.
func (r *run) releaseUnpaid(ctx context.Context, all []*paid) error {
	if r.order.Status != order.StatusOnHold || r.unpaid(all) > 0 {
		return nil
	}
	for _, h := range r.order.Holds {
		if !slices.ContainsFunc(all, func(p *paid) bool { return h.HoldID == r.holdID(p) }) {
			return nil
		}
	}
	return r.tellHere(ctx, "hold released", order.ReleaseHold{By: "fulfilment"})
}
