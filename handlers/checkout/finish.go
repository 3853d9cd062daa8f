package checkout

import (
	"context"
	"errors"

	"github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/domain/payment"
	"github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/eventstore"
	gateway "github.com/waybill-dev/waybill/gateways/payment"
)

// finish commits the stock, and only then places the order: a placed order
// always has its stock. Where the stock is lost the checkout is undone.
func (s *Service) finish(ctx context.Context, r *run) error {
	if r.checkout.state.Attempt > 0 {
		if err := s.readPayment(ctx, r); err != nil {
			return err
		}
	}
	committed, err := s.commit(ctx, r)
	if err != nil {
		return err
	}
	if err := s.fault("stock committed"); err != nil {
		return err
	}
	if !committed {
		return s.compensate(ctx, r, checkout.ErrStockLost)
	}
	// From here on the checkout cannot be undone. Who comes second, to place
	// the order or to undo, meets a conflict here and does neither.
	if err := s.record(ctx, r, "authorised", checkout.AuthorisePayment{At: s.Now()}); err != nil {
		return err
	}
	if err := s.fault("authorised"); err != nil {
		return err
	}
	if err := s.placeOrder(ctx, r); err != nil {
		return err
	}
	if err := s.fault("order placed"); err != nil {
		return err
	}
	return s.complete(r)
}

// placeOrder is done once, whoever does it: the order is read back unless this
// run has been alone with the checkout.
func (s *Service) placeOrder(ctx context.Context, r *run) error {
	r.order = fresh(order.Decider, r.checkout.state.OrderID)
	if r.asked {
		if err := r.order.load(ctx, s.Store); err != nil {
			return err
		}
	}
	if r.order.revision != eventstore.NoStream {
		return nil
	}
	cause, err := r.order.do(ctx, s.Store, r.meta("place"), order.Place{Order: s.order(r)})
	if err == nil {
		r.cause = cause
	}
	return err
}

func (s *Service) order(r *run) order.OrderPlaced {
	c, p := r.checkout.state, r.payment.state
	o := order.OrderPlaced{
		OrderID: c.OrderID, Number: c.Number, CheckoutID: r.id, CustomerID: c.CustomerID,
		ContactRef: c.Request.ContactRef, ShipToRef: c.Request.ShipToRef, BillToRef: c.Request.BillToRef, ShipToCountry: c.Request.ShipToCountry, Currency: c.Request.Currency,
		Totals: order.Totals(c.Totals), PaymentID: p.PaymentID, Authorised: p.Authorised,
		External: order.External(c.Request.External), PlacedAt: s.Now(), Capture: s.Config.Capture,
		Channel: c.Request.Channel, Shipping: order.Shipping(c.Request.Shipping),
	}
	for _, discount := range c.Request.Discounts {
		o.Discounts = append(o.Discounts, order.Discount(discount))
	}
	if c.Free() && c.Attempt == 0 {
		o.Authorised = c.Totals.Grand
	}
	for _, line := range c.Lines {
		o.Lines = append(o.Lines, order.Line(line))
	}
	return o
}

// undo gives stock and money back. Each part may be repeated; the checkout
// fails when all of it is done.
func (s *Service) undo(ctx context.Context, r *run) error {
	reason := stock.Compensation
	if r.checkout.state.Reason == checkout.ErrDeclined.Code {
		reason = stock.Declined
	}
	released, err := s.giveBack(ctx, r, reason)
	if err != nil {
		return err
	}
	if err := s.fault("stock released"); err != nil {
		return err
	}
	done, err := s.void(ctx, r)
	if err != nil {
		return err
	}
	if err := s.tellFailure(ctx, r); err != nil {
		return err
	}
	if err := s.record(ctx, r, "failed", checkout.Fail{
		Released: released, Voided: done.voided, Unseen: done.unseen, At: s.Now(),
	}); err != nil {
		return err
	}
	return s.fault("failed")
}

// voiding is what came of making sure that no money is held.
type voiding struct {
	voided bool // money might have been held
	unseen bool // the gateway knew nothing of it
}

// void makes sure that the last attempt holds no money. Attempts before it
// were declined.
func (s *Service) void(ctx context.Context, r *run) (done voiding, err error) {
	if r.checkout.state.Attempt == 0 {
		return done, nil
	}
	if err := s.readPayment(ctx, r); err != nil {
		return done, err
	}
	if status := r.payment.state.Status; status == "" || status == payment.StatusDeclined {
		return done, nil
	}
	reason := r.checkout.state.Reason
	if err := s.recordPayment(ctx, r, "void requested", payment.RequestVoid{Reason: reason}); err != nil {
		return done, err
	}
	if err := s.fault("void requested"); err != nil {
		return done, err
	}
	err = s.voidAt(ctx, r)
	done = voiding{voided: true, unseen: errors.Is(err, gateway.ErrNotFound)}
	if err != nil && !done.unseen {
		return done, errors.Join(errVoid, err)
	}
	if err := s.fault("gateway voided"); err != nil {
		return done, err
	}
	return done, s.recordPayment(ctx, r, "voided", payment.Void{})
}

// voidAt asks the gateway to let go of the last attempt's money.
func (s *Service) voidAt(ctx context.Context, r *run) error {
	provider, err := s.gateway(r)
	if err != nil {
		return err
	}
	calling, cancel := context.WithTimeout(ctx, s.Config.withDefaults().GatewayTimeout)
	defer cancel()
	_, err = provider.Void(calling, r.payment.state.Key)
	return err
}

// errVoid says that money could not be given back yet. Recovery tries again.
var errVoid = errors.New("the gateway did not void the payment")
