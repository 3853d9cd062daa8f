package checkout_test

import (
	"context"
	"testing"

	domaincheckout "github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/gateways/payment"
	"github.com/waybill-dev/waybill/handlers/checkout"
)

// shortGateway holds something else than it was asked for, and says so.
type shortGateway struct {
	payment.Provider
	change func(*payment.Authorisation)
	lost   bool // the first answer
}

func (g *shortGateway) Authorise(ctx context.Context, request payment.Authorise) (payment.Authorisation, error) {
	answer, err := g.Provider.Authorise(ctx, request)
	g.change(&answer)
	if g.lost {
		return payment.Authorisation{}, payment.ErrUnknownOutcome
	}
	return answer, err
}

func (g *shortGateway) Find(ctx context.Context, key string) (payment.Authorisation, error) {
	answer, err := g.Provider.Find(ctx, key)
	g.change(&answer)
	return answer, err
}

// Nobody orders for more than is held: what is held is let go of, whether it is
// the gateway's answer or found out later.
func TestAPaymentThatHoldsLessIsNoPayment(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*payment.Authorisation){
		"half of it":       func(a *payment.Authorisation) { a.Amount.Amount /= 2 },
		"another currency": func(a *payment.Authorisation) { a.Amount.Currency = "JPY" },
	} {
		for _, lost := range []bool{false, true} {
			var c clock
			w := newWorld(t, "")
			p := w.process(t, &c)
			p.offer(t, "A", 5)
			p.wrap(t, func(g payment.Provider) payment.Provider {
				return &shortGateway{Provider: g, change: change, lost: lost}
			})
			o, err := p.Place(t.Context(), place("k", "sandbox:approved", line("A", 2)))
			if lost && must(t, o, err).Checkout.Step == domaincheckout.Unknown {
				o, err = p.Recover(t.Context(), o.Checkout.CheckoutID)
			}
			refusedBy(t, must(t, o, err), domaincheckout.ErrDeclined)
			if o.Checkout.Step != domaincheckout.Failed || o.Checkout.DeclineCode != checkout.CodeShort {
				t.Errorf("%s, lost %v: %s by %q", name, lost, o.Checkout.Step, o.Checkout.DeclineCode)
			}
			if status, asked := w.ledger(t, o.Checkout.PaymentID); status != "voided" || asked != 1 {
				t.Errorf("%s, lost %v: the gateway has %q, asked %d times", name, lost, status, asked)
			}
			if p.item(t, "A").Available() != 5 {
				t.Errorf("%s, lost %v: the stock was not given back", name, lost)
			}
		}
	}
}

// More than was asked for is enough.
func TestAPaymentThatHoldsMoreIsOne(t *testing.T) {
	t.Parallel()
	var c clock
	w := newWorld(t, "")
	p := w.process(t, &c)
	p.offer(t, "A", 5)
	p.wrap(t, func(g payment.Provider) payment.Provider {
		return &shortGateway{Provider: g, change: func(a *payment.Authorisation) { a.Amount.Amount++ }}
	})
	o, err := p.Place(t.Context(), place("k", "sandbox:approved", line("A", 2)))
	if must(t, o, err).Checkout.Step != domaincheckout.Completed || o.Order.OrderID == "" {
		t.Errorf("%+v", o)
	}
}
