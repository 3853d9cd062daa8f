package fulfilment

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/domain/payment"
	"github.com/waybill-dev/waybill/eventstore"
	gateway "github.com/waybill-dev/waybill/gateways/payment"
	"github.com/waybill-dev/waybill/handlers/unwanted"
)

// errRenewal says why a new authorisation did not come about.
var errRenewal = errors.New("the payment was not authorised again, and the order is on hold")

// codeAuthentication declines a renewal that the shopper would have to confirm.
const codeAuthentication = "authentication-required"

// reauthorise has the gateway hold what is not captured yet for longer, by
// another payment with the same method, and lets go of what the first one
// holds.
func (r *run) reauthorise(ctx context.Context) error {
	p, err := r.payment(ctx, r.task.Ref)
	if err != nil {
		return err
	}
	switch r.order.Status {
	case order.StatusCancelling:
		return r.wait(r.config.Again, "the cancellation to end")
	case "", order.StatusCancelled:
		return nil
	case order.StatusPlaced, order.StatusOnHold, order.StatusProcessing, order.StatusPartiallyShipped, order.StatusShipped,
		order.StatusDelivered, order.StatusReturned, order.StatusCompleted:
	}
	for _, m := range p.state.Captures {
		if m.Status == payment.MovementRequested {
			return r.wait(r.config.Again, "a capture to end")
		}
	}
	if p.state.Capturable().Amount <= 0 {
		return errors.Join(r.finishVoid(ctx, p), r.letGoSurplus(ctx))
	}
	all, err := r.payments(ctx)
	if err != nil {
		return err
	}
	need := min(r.order.Totals.Grand.Amount-r.kept(all), p.state.Capturable().Amount)
	if need > 0 {
		next, err := r.renew(ctx, p, r.money(need))
		if err != nil || next == nil {
			return err
		}
	}
	return r.void(ctx, p, "authorised-again")
}

// finishVoid ends a void that was announced.
func (r *run) finishVoid(ctx context.Context, p *paid) error {
	if p.state.Status != payment.StatusVoidRequested {
		return nil
	}
	return r.void(ctx, p, "authorised-again")
}

// letGoSurplus gives up what is held for an order that is paid for: it may have
// been while another authorisation was under way.
func (r *run) letGoSurplus(ctx context.Context) error {
	all, err := r.payments(ctx)
	if err != nil || capturable(all) == 0 || r.kept(all) < r.order.Totals.Grand.Amount {
		return err
	}
	return r.letGo(ctx, "everything is captured")
}

// renew authorises an amount by the payment that follows another one, with the
// same method. Where the gateway refuses, the order is held: the error says why
// the first time, and afterwards there is no payment and no error.
func (r *run) renew(ctx context.Context, before *paid, amount domain.Money) (*paid, error) {
	next, err := r.successor(ctx, before)
	if err != nil {
		return nil, err
	}
	if next.state.ByHand && !next.state.Settled() {
		return nil, r.wait(r.config.Again, "a payment by hand to be answered")
	}
	fresh := next.state.Status == ""
	if fresh {
		err := r.payHere(ctx, next, "payment announced", payment.Request{
			PaymentID: next.id, OrderID: r.task.OrderID, Amount: amount, Method: before.state.Method, Gateway: before.state.Gateway,
			Key: next.id, At: r.Now(),
		})
		if err != nil {
			return nil, err
		}
	}
	if err := r.decideRenewal(ctx, next, fresh); err != nil {
		return nil, err
	}
	if err := r.copy(ctx, next); err != nil {
		return nil, err
	}
	if next.state.Status == payment.StatusAuthorised {
		return next, nil
	}
	return nil, r.holdUnpaid(ctx, next)
}

// renewLast renews the last payment that held money. One that was refused
// afterwards is not tried again: gateways count.
func (r *run) renewLast(ctx context.Context, all []*paid, amount int64) (*paid, error) {
	for _, p := range slices.Backward(all) {
		if p.state.Authorised.Currency != "" {
			return r.renew(ctx, p, r.money(amount))
		}
	}
	return nil, nil
}

// successor is the payment after another one, unless nothing came of it and the
// gateway was never asked, or somebody tried another method in vain.
func (r *run) successor(ctx context.Context, before *paid) (*paid, error) {
	for id := nextPayment(before.id); ; id = nextPayment(id) {
		p, err := r.payment(ctx, id)
		if err != nil || p.state.Status != payment.StatusNotFound && !p.inVain() {
			return p, err
		}
	}
}

// inVain reports whether somebody asked for the payment, and it came to nothing.
func (p *paid) inVain() bool {
	return p.state.ByHand && p.state.Settled() && p.state.Authorised.Currency == ""
}

// decideRenewal finds out what becomes of a payment that was announced. An
// order that is being cancelled by now gets no new payment: whoever cancels
// has seen the announcement, or this sees the cancellation. One that is
// cancelled gets what was shipped paid for.
func (r *run) decideRenewal(ctx context.Context, p *paid, fresh bool) error {
	if p.state.Settled() {
		return nil
	}
	g, err := r.provider(p)
	if err != nil {
		return err
	}
	answer, err := gateway.Authorisation{}, gateway.ErrNotFound
	if !fresh {
		answer, err = call(ctx, r, "renewal looked up", g.Find, p.state.Key)
	}
	if errors.Is(err, gateway.ErrNotFound) {
		if err := r.load(ctx); err != nil {
			return err
		}
		if needed, err := r.mayRenew(ctx, p); err != nil {
			return err
		} else if !needed {
			return r.giveUp(ctx, p)
		}
		answer, err = call(ctx, r, "renewal asked", g.Authorise, gateway.Authorise{Key: p.state.Key, Amount: p.state.Amount, Method: p.state.Method})
	}
	switch {
	case errors.Is(err, gateway.ErrUnsupportedMethod):
		return r.pay(ctx, p, "renewal declined", payment.Decline{Code: "unsupported-method", Message: "the payment method is not supported"})
	case err != nil:
		return fmt.Errorf("payment %s: authorise again: %w", p.id, err)
	}
	return r.recordRenewal(ctx, p, answer)
}

// mayRenew reports whether a payment that was announced is still wanted: money
// may have been captured since by the one before it.
func (r *run) mayRenew(ctx context.Context, p *paid) (bool, error) {
	if r.order.Status == order.StatusCancelling {
		return false, nil
	}
	all, err := r.payments(ctx)
	return p.state.Amount.Amount <= r.price()-r.kept(all), err
}

// price is what the order costs: once it is cancelled, what was shipped.
func (r *run) price() int64 {
	if r.order.Status == order.StatusCancelled {
		return worth(r.order, len(r.order.Shipments))
	}
	return r.order.Totals.Grand.Amount
}

// giveUp ends a payment that the gateway knows nothing of. Unless the order is
// cancelled, the task begins again: it may need another one, of less.
func (r *run) giveUp(ctx context.Context, p *paid) error {
	if err := r.forget(ctx, p, "renewal given up"); err != nil {
		return err
	}
	if s := r.order.Status; s == order.StatusCancelling || s == order.StatusCancelled {
		return nil
	}
	return eventstore.ErrConflict
}

func (r *run) recordRenewal(ctx context.Context, p *paid, answer gateway.Authorisation) error {
	switch answer.Status {
	case gateway.Authorised:
		err := r.pay(ctx, p, "renewal authorised", payment.Authorise{GatewayRef: answer.Ref, Amount: answer.Amount, ExpiresAt: answer.ExpiresAt})
		if errors.Is(err, payment.ErrTransition) {
			return r.contradicted(ctx, p, answer, err)
		}
		return err
	case gateway.ActionRequired: // nobody is there to act, and nobody shall later
		return r.declineAndLetGo(ctx, p, "renewal declined", payment.Decline{Code: codeAuthentication, Message: answer.Message})
	case gateway.Declined, gateway.Voided, gateway.Expired:
	}
	declined := payment.Decline{Code: answer.Code, Message: answer.Message}
	if answer.Code == "" {
		declined.Code = string(answer.Status)
	}
	return r.pay(ctx, p, "renewal declined", declined)
}

// contradicted gives up money that is held under a payment which was given up
// meanwhile. Whoever comes after this looks at the payment no more: what cannot
// be voided at once stands on the list of callbacks.
func (r *run) contradicted(ctx context.Context, p *paid, answer gateway.Authorisation, cause error) error {
	if err := r.read(ctx, p); err != nil {
		return err
	}
	if !unwanted.Is(p.state, answer) {
		return nil
	}
	if err := unwanted.Keep(ctx, r.Store, p.state, answer, r.Now()); err != nil {
		return errors.Join(cause, err)
	}
	if err := r.step("unwanted money kept"); err != nil {
		return err
	}
	return errors.Join(cause, r.letGoAt(ctx, p, "renewal voided"))
}

// letGoAt has the gateway hold nothing under a payment that has come to
// nothing, or is about to.
func (r *run) letGoAt(ctx context.Context, p *paid, step string) error {
	g, err := r.provider(p)
	if err != nil {
		return err
	}
	if _, err = call(ctx, r, step, g.Void, p.state.Key); err != nil && !errors.Is(err, gateway.ErrNotFound) {
		return fmt.Errorf("payment %s: void: %w", p.id, err)
	}
	return nil
}

// watch has a payment looked for that the gateway knows nothing of: a request
// for it may be under way.
func (r *run) watch(ctx context.Context, p *paid) error {
	if err := unwanted.Watch(ctx, r.Store, p.state, r.Now()); err != nil {
		return err
	}
	return r.step("payment watched")
}

// holdID names the hold of an order that is not paid, because of a payment.
func (r *run) holdID(p *paid) string { return r.id("hold", "payment", p.id) }

// holdUnpaid holds an order whose goods nobody has promised to pay for. An order
// that cannot be held has none left to ship.
func (r *run) holdUnpaid(ctx context.Context, p *paid) error {
	if s := r.order.Status; s == order.StatusCancelling || s == order.StatusCancelled {
		return nil
	}
	hold := r.holdID(p)
	for _, holds := range [][]order.OrderHeld{r.order.Holds, r.order.PastHolds} {
		for _, h := range holds {
			if h.HoldID == hold {
				return nil
			}
		}
	}
	err := r.tell(ctx, "held without payment", order.Hold{HoldID: hold, Reason: order.HoldManual})
	if errors.Is(err, order.ErrTransition) {
		return nil
	}
	return errors.Join(fmt.Errorf("payment %s: %w: %s", p.id, errRenewal, p.state.Code), err)
}
