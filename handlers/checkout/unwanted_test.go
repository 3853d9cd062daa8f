package checkout_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	domaincheckout "github.com/waybill-dev/waybill/domain/checkout"
	domaincallback "github.com/waybill-dev/waybill/domain/gatewaycallback"
	domainpayment "github.com/waybill-dev/waybill/domain/payment"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/gateways/payment"
	"github.com/waybill-dev/waybill/handlers"
	"github.com/waybill-dev/waybill/handlers/checkout"
	"github.com/waybill-dev/waybill/handlers/gatewaycallbacks"
	"github.com/waybill-dev/waybill/handlers/handlertest"
)

// clingingGateway voids nothing.
type clingingGateway struct{ payment.Provider }

func (clingingGateway) Void(context.Context, string) (payment.Authorisation, error) {
	return payment.Authorisation{}, payment.ErrUnknownOutcome
}

// kept applies what is on the list of callbacks about a payment that holds money
// for nothing, as the sweeper of any process does.
func (p *process) kept(t *testing.T, c *clock, paymentID string) domaincallback.State {
	t.Helper()
	id := eventstore.DeriveID("gateway callback", "sandbox", "answer:"+paymentID)
	service := gatewaycallbacks.New(gatewaycallbacks.Service{
		Store: p.Store, Gateways: p.Gateways, Checkouts: p.Service, Timeout: time.Minute, Now: c.now, Logger: slog.New(slog.DiscardHandler),
	})
	_ = service.Apply(t.Context(), id)
	state, _, err := eventstore.Load(t.Context(), p.Store, domaincallback.Decider, id)
	if err != nil {
		t.Fatal(err)
	}
	return state
}

// The gateway called back that it refused, then answers that it holds the money,
// or may come to, and cannot be reached when it is to let go of it. The shopper
// has paid by another method by the time that it can.
func TestMoneyThatNobodyWantsIsLetGoAlthoughTheFirstVoidFails(t *testing.T) {
	t.Parallel()
	for method, status := range map[string]string{"sandbox:approved": "authorised", "sandbox:action": "action_required"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			var c clock
			w := newWorld(t, "")
			p, other := w.process(t, &c), w.process(t, &c)
			p.offer(t, "A", 5)
			request := place("k", method, line("A", 2))
			request.Cart.ReturnURL = back
			id := checkout.ID(request.Credential, request.Key)
			p.refuseMeanwhile(t, id)
			o, err := p.Place(t.Context(), request)
			if must(t, o, err).Checkout.Step != domaincheckout.Declined {
				t.Errorf("the checkout is %s", o.Checkout.Step)
			}
			first := o.Checkout.PaymentID
			if got, _ := w.ledger(t, first); got != status {
				t.Fatalf("the gateway has %q", got)
			}
			o, err = other.Pay(t.Context(), checkout.Pay{CheckoutID: id, RequestID: "r", Method: "sandbox:approved"})
			if must(t, o, err).Order.PaymentID == "" {
				t.Fatalf("no order: %+v", o)
			}
			if kept := p.kept(t, &c, first); !kept.Open() {
				t.Errorf("while the gateway is away: %+v", kept)
			}
			c.advance(48 * time.Hour)
			if kept := other.kept(t, &c, first); kept.Effect != domaincallback.LetGo {
				t.Errorf("when it is back: %+v", kept)
			}
			if got, asked := w.ledger(t, first); got != "voided" || asked != 1 {
				t.Errorf("the gateway has %q, asked %d times", got, asked)
			}
			if got, _ := w.ledger(t, o.Order.PaymentID); got != "authorised" {
				t.Errorf("the gateway has %q of the order", got)
			}
		})
	}
}

// refuseMeanwhile has the gateway call back that it refused, while it is asked
// for a checkout's first payment, and keeps it from voiding anything.
func (p *process) refuseMeanwhile(t *testing.T, id string) {
	t.Helper()
	told := handlers.CommandHandler[domainpayment.State, domainpayment.Command, domainpayment.Event]{Store: p.Store, Decider: domainpayment.Decider}
	p.wrap(t, func(g payment.Provider) payment.Provider {
		return &delayedGateway{Provider: clingingGateway{g}, meanwhile: func() {
			refused := domainpayment.Decline{Code: "insufficient-funds", Message: "there is not enough money", Retryable: true}
			if _, err := told.Handle(t.Context(), paymentOf(t, p.Store, id, 1), eventstore.Metadata{CommandID: "callback"}, refused); err != nil {
				t.Error(err)
			}
		}}
	})
}

// A late charge is found, and the gateway does not let go of it for longer than
// late charges are looked for.
func TestALateChargeIsVoidedHoweverLongThatFails(t *testing.T) {
	t.Parallel()
	var c clock
	w := newWorld(t, "")
	p := w.process(t, &c)
	lost := p.lose(t)
	o := p.buy(t, "sandbox:approved")
	id := o.Checkout.CheckoutID
	clinging, other := w.process(t, &c), w.process(t, &c)
	clinging.wrap(t, func(g payment.Provider) payment.Provider { return clingingGateway{g} })
	c.advance(13 * time.Second)
	if err := other.recovery(id).Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	lost.arrive(t)
	recovery := clinging.recovery(id)
	for range 30 {
		c.advance(time.Hour)
		_ = recovery.Round(t.Context())
	}
	if status, _ := w.ledger(t, o.Checkout.PaymentID); status != "authorised" {
		t.Fatalf("the gateway has %q", status)
	}
	if kept := other.kept(t, &c, o.Checkout.PaymentID); kept.Effect != domaincallback.LetGo {
		t.Errorf("what is left to do: %+v", kept)
	}
	if status, asked := w.ledger(t, o.Checkout.PaymentID); status != "voided" || asked != 1 {
		t.Errorf("the gateway has %q, asked %d times", status, asked)
	}
	if o, err := p.Get(t.Context(), id); !must(t, o, err).Checkout.LateVoided {
		t.Error("the checkout does not tell that a late charge was voided")
	}
}

// The shopper confirms in the moment when the time for it is up: there is no
// order with a payment that is voided.
func TestAConfirmationThatMeetsItsEndIsNoPayment(t *testing.T) {
	t.Parallel()
	var c clock
	w := newWorld(t, "")
	p, other := w.process(t, &c), w.process(t, &c)
	p.offer(t, "A", 5)
	request := place("k", "sandbox:action", line("A", 2))
	request.Cart.ReturnURL = back
	o, err := p.Place(t.Context(), request)
	id, key := must(t, o, err).Checkout.CheckoutID, o.Checkout.PaymentID
	callbacks := gatewaycallbacks.New(gatewaycallbacks.Service{
		Store: other.Store, Gateways: other.Gateways, Checkouts: other.Service, Timeout: time.Minute, Now: c.now, Logger: slog.New(slog.DiscardHandler),
	})
	p.wrap(t, func(g payment.Provider) payment.Provider {
		return &handlertest.LateShopper{Provider: g, Confirm: func() {
			if _, err := w.sandbox.Act(t.Context(), key, true); err != nil {
				t.Error(err)
			}
			answer, err := g.Find(t.Context(), key)
			if err != nil {
				t.Error(err)
			}
			told := aboutAuthorisation(key, answer)
			received, err := callbacks.Receive(t.Context(), "sandbox", told.header, told.body)
			if err == nil {
				err = callbacks.Apply(t.Context(), received)
			}
			if err != nil {
				t.Error(err)
			}
		}}
	})
	c.advance(15 * time.Minute)
	if err := p.recovery(id).Round(t.Context()); err != nil {
		t.Error(err)
	}
	o, err = other.Get(t.Context(), id)
	if status, _ := w.ledger(t, key); must(t, o, err).Order.OrderID != "" || status != "voided" {
		t.Errorf("order %q, the gateway has %q", o.Order.OrderID, status)
	}
	if o.Checkout.Step != domaincheckout.Declined {
		t.Errorf("the checkout is %s", o.Checkout.Step)
	}
}
