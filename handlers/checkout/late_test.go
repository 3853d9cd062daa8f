package checkout_test

import (
	"context"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/domain"
	domaincheckout "github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/domain/order"
	domainpayment "github.com/waybill-dev/waybill/domain/payment"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/gateways/payment"
	"github.com/waybill-dev/waybill/handlers"
	"github.com/waybill-dev/waybill/handlers/checkout"
)

// delayedGateway lets something happen while a request is on its way to it.
type delayedGateway struct {
	payment.Provider
	meanwhile func()
}

func (g *delayedGateway) Authorise(ctx context.Context, request payment.Authorise) (payment.Authorisation, error) {
	g.meanwhile()
	return g.Provider.Authorise(ctx, request)
}

// A request takes so long that another process has given the checkout up before
// the gateway hears of it. Whoever hears the answer gives the money back
// at once: looking for late payments would find it an hour later.
func TestAnAnswerAfterTheCheckoutWasGivenUpIsVoidedAtOnce(t *testing.T) {
	t.Parallel()
	var c clock
	w := newWorld(t, "")
	p := w.process(t, &c)
	p.offer(t, "A", 5)
	request := place("k", "sandbox:approved", line("A", 2))
	id := checkout.ID(request.Credential, request.Key)
	other := w.process(t, &c).recovery(id)
	slow := &delayedGateway{meanwhile: func() {
		for _, pass := range []time.Duration{61 * time.Second, 13 * time.Second} {
			c.advance(pass)
			if err := other.Round(t.Context()); err != nil {
				t.Error(err)
			}
		}
	}}
	p.wrap(t, func(g payment.Provider) payment.Provider { slow.Provider = g; return slow })
	o, err := p.Place(t.Context(), request)
	refusedBy(t, must(t, o, err), domaincheckout.ErrDeclined)
	if status, asked := w.ledger(t, o.Checkout.PaymentID); status != "voided" || asked != 1 {
		t.Errorf("the gateway has %q, asked %d times", status, asked)
	}
	if p.item(t, "A").Available() != 5 {
		t.Error("the stock was not given back")
	}
}

// A process stands still between two steps for so long that another one gives
// its checkout up. When it goes on it asks nobody for money.
func TestAProcessThatStoodStillDoesNotAskTheGateway(t *testing.T) {
	t.Parallel()
	var c clock
	w := newWorld(t, "")
	p := w.process(t, &c)
	p.offer(t, "A", 5)
	request := place("k", "sandbox:approved", line("A", 2))
	other := w.process(t, &c).recovery(checkout.ID(request.Credential, request.Key))
	p.Fault = func(step string) error {
		if step != "stock reserved" {
			return nil
		}
		p.Fault = nil
		c.advance(61 * time.Second)
		return other.Round(t.Context())
	}
	o, err := p.Place(t.Context(), request)
	refusedBy(t, must(t, o, err), domaincheckout.ErrAbandoned)
	if entries, err := w.sandbox.Entries(t.Context()); err != nil || len(entries) != 0 {
		t.Errorf("the gateway was asked: %v, %v", entries, err)
	}
	if p.item(t, "A").Available() != 5 {
		t.Error("the stock was not given back")
	}
}

// A list of open checkouts that missed an order is told by recovery.
func TestACheckoutThatIsStillListedAfterItsOrderIsRecordedAsCompleted(t *testing.T) {
	t.Parallel()
	var c clock
	w := newWorld(t, "")
	p := w.process(t, &c)
	p.offer(t, "A", 5)
	o, err := p.Place(t.Context(), place("k", "sandbox:approved", line("A", 2)))
	id := must(t, o, err).Checkout.CheckoutID
	for range 2 {
		if o, err = p.Recover(t.Context(), id); must(t, o, err).Order.OrderID == "" {
			t.Errorf("outcome %+v", o)
		}
	}
	state, revision, err := eventstore.Load(t.Context(), p.Store, domaincheckout.Decider, id)
	if err != nil || state.Step != domaincheckout.Completed || revision != 4 {
		t.Errorf("step %s at %d, %v", state.Step, revision, err)
	}
}

// A gateway calls back that it refused, and then answers that it holds the
// money. The shopper may pay otherwise, so that it has to let go of it.
func TestMoneyThatIsHeldAfterARefusalWasToldIsLetGo(t *testing.T) {
	t.Parallel()
	var c clock
	w := newWorld(t, "")
	p := w.process(t, &c)
	p.offer(t, "A", 5)
	request := place("k", "sandbox:approved", line("A", 2))
	told := handlers.CommandHandler[domainpayment.State, domainpayment.Command, domainpayment.Event]{Store: p.Store, Decider: domainpayment.Decider}
	p.wrap(t, func(g payment.Provider) payment.Provider {
		return &delayedGateway{Provider: g, meanwhile: func() {
			id := paymentOf(t, p.Store, checkout.ID(request.Credential, request.Key), 1)
			refused := domainpayment.Decline{Code: "insufficient-funds", Message: "there is not enough money"}
			if _, err := told.Handle(t.Context(), id, eventstore.Metadata{CommandID: "callback"}, refused); err != nil {
				t.Error(err)
			}
		}}
	})
	o, err := p.Place(t.Context(), request)
	if must(t, o, err).Checkout.Step != domaincheckout.Declined {
		t.Errorf("the checkout is %s", o.Checkout.Step)
	}
	if status, asked := w.ledger(t, o.Checkout.PaymentID); status != "voided" || asked != 1 {
		t.Errorf("the gateway has %q, asked %d times", status, asked)
	}
}

// Goods for goods that came back cost nothing: nobody is asked to pay.
func TestAnOrderThatCostsNothingNeedsNoPayment(t *testing.T) {
	t.Parallel()
	var c clock
	w := newWorld(t, "")
	p := w.process(t, &c)
	p.offer(t, "A", 5)
	request := place("k", "", domaincheckout.RequestLine{SKU: "A", Quantity: 2, UnitPrice: &domain.Money{Currency: "EUR"}})
	request.Cart.External = domaincheckout.External{Source: "exchange", Ref: "ret-1", Time: noon}
	for range 2 {
		outcome, err := w.process(t, &c).Place(t.Context(), request)
		o := must(t, outcome, err).Order
		if o.Status != order.StatusPlaced || o.Totals.Grand.Amount != 0 || o.Authorised.Currency != "EUR" || o.PaymentID != "" ||
			o.External.Source != "exchange" || o.External.Ref != "ret-1" {
			t.Errorf("order %+v", o)
		}
	}
	if p.item(t, "A").Committed != 2 {
		t.Errorf("%d committed", p.item(t, "A").Committed)
	}
	if entries, err := w.sandbox.Entries(t.Context()); err != nil || len(entries) != 0 {
		t.Errorf("the gateway was asked: %v, %v", entries, err)
	}
}
