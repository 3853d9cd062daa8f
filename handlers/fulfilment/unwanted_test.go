package fulfilment_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	domaincallback "github.com/waybill-dev/waybill/domain/gatewaycallback"
	domainorder "github.com/waybill-dev/waybill/domain/order"
	domainpayment "github.com/waybill-dev/waybill/domain/payment"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/gateways/payment"
	"github.com/waybill-dev/waybill/handlers"
	"github.com/waybill-dev/waybill/handlers/checkout"
	"github.com/waybill-dev/waybill/handlers/gatewaycallbacks"
	"github.com/waybill-dev/waybill/handlers/handlertest"
	"github.com/waybill-dev/waybill/handlers/process"
)

// losing loses requests on their way: they may arrive later.
type losing struct {
	payment.Provider
	lost payment.Authorise
}

func (l *losing) Authorise(_ context.Context, a payment.Authorise) (payment.Authorisation, error) {
	l.lost = a
	return payment.Authorisation{}, payment.ErrUnknownOutcome
}

// clinging voids nothing, and lets something happen before it is asked for money.
type clinging struct {
	payment.Provider
	meanwhile func()
}

func (c *clinging) Authorise(ctx context.Context, a payment.Authorise) (payment.Authorisation, error) {
	c.meanwhile()
	return c.Provider.Authorise(ctx, a)
}

func (*clinging) Void(context.Context, string) (payment.Authorisation, error) {
	return payment.Authorisation{}, payment.ErrUnknownOutcome
}

// kept does what stands on the list of callbacks about a payment.
func (s *shop) kept(tb testing.TB, what, paymentID string) domaincallback.State {
	tb.Helper()
	id := eventstore.DeriveID("gateway callback", "sandbox", what+":"+paymentID)
	service := gatewaycallbacks.New(gatewaycallbacks.Service{
		Store: s.Store, Gateways: s.Gateways, Checkouts: &checkout.Service{Store: s.Store, Now: s.Now}, Timeout: time.Minute, Now: s.Now,
		Logger: slog.New(slog.DiscardHandler),
	})
	_ = service.Apply(tb.Context(), id)
	state, _, err := eventstore.Load(tb.Context(), s.Store, domaincallback.Decider, id)
	if err != nil {
		tb.Fatal(err)
	}
	return state
}

func (s *shop) ledger(t *testing.T, key string) string {
	t.Helper()
	entries, err := s.world.sandbox.Entries(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Key == key {
			return e.Status
		}
	}
	return ""
}

// A request is under way for so long that nobody waits for it any more, and the
// gateway tells nobody when it arrives.
func TestAPaymentThatComesLateIsFoundAndVoided(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]time.Duration{"soon": time.Second, "after hours": 20 * time.Hour, "never": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			s := w.shop(t)
			unrenewed(t, s, basic("o"))
			sandboxed, _ := s.Gateways.Provider("sandbox")
			loses := &losing{Provider: sandboxed}
			s.Gateways = gateways{"sandbox": loses}
			if paid, err := s.Pay(t.Context(), asking("o", "k"), by("approved")); err != nil || paid.Payment.Status != domainpayment.StatusUnknown {
				t.Fatalf("%+v, %v", paid.Payment, err)
			}
			w.advance(13 * time.Second)
			s.must(t, "o", process.Pay, third("o"))
			if p := s.payment(t, third("o")); p.Status != domainpayment.StatusNotFound {
				t.Fatalf("the payment is %s", p.Status)
			}
			w.advance(after)
			if kept := s.kept(t, "unseen", third("o")); !kept.Open() {
				t.Fatalf("before it came: %+v", kept)
			}
			want, status := domaincallback.LetGo, "voided"
			if after == 0 {
				want, status = domaincallback.Known, ""
				w.advance(24 * time.Hour)
			} else if _, err := sandboxed.Authorise(t.Context(), loses.lost); err != nil {
				t.Fatal(err)
			}
			if kept := s.kept(t, "unseen", third("o")); kept.Effect != want {
				t.Errorf("kept: %+v", kept)
			}
			if got := s.ledger(t, third("o")); got != status {
				t.Errorf("the gateway has %q", got)
			}
		})
	}
}

// givenUp asks for a payment that is given up before the gateway answers.
func givenUp(method string) func(t *testing.T, s, other *shop, gateway *clinging) (paymentID string) {
	return func(t *testing.T, s, other *shop, gateway *clinging) string {
		t.Helper()
		unrenewed(t, other, basic("o"))
		gateway.meanwhile = func() {
			s.world.advance(13 * time.Second)
			other.must(t, "o", process.Pay, third("o"))
		}
		_, _ = s.Pay(t.Context(), asking("o", "k"), by(method))
		return third("o")
	}
}

// A gateway answers that it holds the money, or may come to, when the payment
// was given up, and cannot be reached to let go of it.
func TestAnAnswerThatNobodyWantsIsVoidedHoweverLongThatFails(t *testing.T) {
	t.Parallel()
	for name, ask := range map[string]func(t *testing.T, s, other *shop, gateway *clinging) (paymentID string){
		"of a payment by hand":                         givenUp("approved"),
		"of a payment by hand that is to be confirmed": givenUp("action"),
		"of a renewal": func(t *testing.T, s, other *shop, gateway *clinging) string {
			t.Helper()
			other.place(t, basic("o"))
			gateway.meanwhile = func() {
				gateway.meanwhile = func() {}
				other.parcel(t, "o", "a", 1, 1)
				other.must(t, "o", process.ShipStock, "a")
				other.must(t, "o", process.Capture, "a")
				other.must(t, "o", process.Reauthorise, "p1-o") // which needs one of less
			}
			_ = s.do(t.Context(), "o", process.Reauthorise, "p1-o")
			return second("o")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			s, other := w.shop(t), w.shop(t)
			sandboxed, _ := s.Gateways.Provider("sandbox")
			gateway := &clinging{Provider: sandboxed}
			s.Gateways = gateways{"sandbox": gateway}
			id := ask(t, s, other, gateway)
			if p, got := s.payment(t, id), s.ledger(t, id); p.Status != domainpayment.StatusNotFound || got != "authorised" && got != "action_required" {
				t.Fatalf("the payment is %s, the gateway has %q", p.Status, got)
			}
			if kept := s.kept(t, "answer", id); !kept.Open() {
				t.Errorf("while the gateway is away: %+v", kept)
			}
			w.advance(10 * time.Minute)
			if kept := other.kept(t, "answer", id); kept.Effect != domaincallback.LetGo {
				t.Errorf("when it is back: %+v", kept)
			}
			if got := s.ledger(t, id); got != "voided" {
				t.Errorf("the gateway has %q", got)
			}
		})
	}
}

// The shopper confirms in the moment when the time for it is up: the order does
// not go on with a payment that is voided.
func TestAConfirmationThatMeetsItsEndPaysNoOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s, other := w.shop(t), w.shop(t)
	s.Config.ActionHold = 5 * time.Minute
	unrenewed(t, s, basic("o"))
	if paid, err := s.Pay(t.Context(), asking("o", "k"), by("action")); err != nil || paid.Payment.Status != domainpayment.StatusActionRequired {
		t.Fatalf("%+v, %v", paid.Payment, err)
	}
	sandboxed, _ := s.Gateways.Provider("sandbox")
	s.Gateways = gateways{"sandbox": &handlertest.LateShopper{Provider: sandboxed, Confirm: func() {
		if _, err := w.sandbox.Act(t.Context(), third("o"), true); err != nil {
			t.Error(err)
		}
		told := handlers.CommandHandler[domainpayment.State, domainpayment.Command, domainpayment.Event]{Store: w.store, Decider: domainpayment.Decider}
		authorised := domainpayment.Authorise{GatewayRef: "told", Amount: eur(1901), ExpiresAt: w.now().Add(week)}
		if _, err := told.Handle(t.Context(), third("o"), eventstore.Metadata{CommandID: "callback"}, authorised); err == nil {
			_ = other.do(t.Context(), "o", process.Pay, third("o"))
		}
	}}}
	w.advance(5 * time.Minute)
	s.must(t, "o", process.Pay, third("o"))
	if p, got := s.payment(t, third("o")), s.ledger(t, third("o")); p.Status != domainpayment.StatusDeclined || got != "voided" {
		t.Errorf("the payment is %s, the gateway has %q", p.Status, got)
	}
	if o := s.order(t, "o"); o.Status != domainorder.StatusOnHold {
		t.Errorf("the order is %s", o.Status)
	}
}
