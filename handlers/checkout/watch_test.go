package checkout_test

import (
	"context"
	"testing"
	"time"

	domaincheckout "github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/gateways/payment"
)

// lostGateway loses requests on their way: they may arrive later.
type lostGateway struct {
	payment.Provider
	request *payment.Authorise
}

func (g *lostGateway) Authorise(_ context.Context, request payment.Authorise) (payment.Authorisation, error) {
	g.request = &request
	return payment.Authorisation{}, payment.ErrUnknownOutcome
}

// lose has this process reach the gateway through one that loses requests.
func (p *process) lose(tb testing.TB) *lostGateway {
	tb.Helper()
	lost := &lostGateway{}
	p.wrap(tb, func(g payment.Provider) payment.Provider { lost.Provider = g; return lost })
	return lost
}

// arrive is the request arriving at last.
func (g *lostGateway) arrive(t *testing.T) {
	t.Helper()
	if _, err := g.Provider.Authorise(t.Context(), *g.request); err != nil {
		t.Fatal(err)
	}
}

// A request is under way for so long that the gateway twice says it knows
// nothing; then it arrives, and whoever sent it is long gone.
func TestALateChargeIsFoundAndVoided(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]time.Duration{"soon": time.Second, "after hours": 20 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var c clock
			w := newWorld(t, "")
			p := w.process(t, &c)
			lost := &lostGateway{}
			p.wrap(t, func(g payment.Provider) payment.Provider { lost.Provider = g; return lost })
			p.offer(t, "A", 5)
			o, err := p.Place(t.Context(), place("k", "sandbox:approved", line("A", 2)))
			id := must(t, o, err).Checkout.CheckoutID
			other := w.process(t, &c).recovery(id)
			round := func(pass time.Duration) domaincheckout.State {
				t.Helper()
				c.advance(pass)
				if err := other.Round(t.Context()); err != nil {
					t.Fatal(err)
				}
				o, err := p.Get(t.Context(), id)
				return must(t, o, err).Checkout
			}
			if got := round(13 * time.Second); got.Step != domaincheckout.Failed || got.Watch != got.PaymentID {
				t.Fatalf("step %s, watches %q", got.Step, got.Watch)
			}
			round(after)
			lost.arrive(t)
			if status, _ := w.ledger(t, o.Checkout.PaymentID); status != "authorised" {
				t.Fatalf("the gateway has %q", status)
			}
			if got := round(10 * time.Minute); !got.LateVoided {
				t.Error("the late charge was not found")
			}
			if status, asked := w.ledger(t, o.Checkout.PaymentID); status != "voided" || asked != 1 {
				t.Errorf("the gateway has %q, asked %d times", status, asked)
			}
		})
	}
}

func TestALateChargeIsNotLookedForForEver(t *testing.T) {
	t.Parallel()
	var c clock
	w := newWorld(t, "")
	p := w.process(t, &c)
	lost := p.lose(t)
	id := p.buy(t, "sandbox:approved").Checkout.CheckoutID
	asks := &countingFinds{Provider: lost.Provider}
	other := w.process(t, &c)
	other.wrap(t, func(payment.Provider) payment.Provider { return asks })
	recovery := other.recovery(id)
	for range 40 {
		c.advance(time.Hour)
		if err := recovery.Round(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	// Once to settle, then each hour of a day.
	if asks.n != 24 {
		t.Errorf("asked %d times, want 24", asks.n)
	}
}

type countingFinds struct {
	payment.Provider
	n int
}

func (g *countingFinds) Find(ctx context.Context, key string) (payment.Authorisation, error) {
	g.n++
	return g.Provider.Find(ctx, key)
}

// stuckGateway neither finds nor voids.
type stuckGateway struct {
	deafGateway
	voids int
}

func (g *stuckGateway) Void(context.Context, string) (payment.Authorisation, error) {
	g.voids++
	return payment.Authorisation{}, payment.ErrUnknownOutcome
}

// A gateway that will not void is asked ever less often, for ever, and somebody
// is told.
func TestAVoidThatFailsIsTriedForEverAndAlarms(t *testing.T) {
	t.Parallel()
	var c clock
	w := newWorld(t, "")
	w.patient = impatient
	p := w.process(t, &c)
	o := p.buy(t, "sandbox:timeout")
	id := o.Checkout.CheckoutID
	stuck := &stuckGateway{}
	other := w.process(t, &c)
	other.wrap(t, func(g payment.Provider) payment.Provider { stuck.Provider = g; return stuck })
	recovery := other.recovery(id)
	c.advance(25 * time.Hour)
	_ = recovery.Round(t.Context())
	begun := stuck.voids
	for range 2 * 60 * 60 {
		c.advance(time.Second)
		_ = recovery.Round(t.Context())
	}
	// After 1 s, 5 s, 30 s, 2 min, 10 min, 30 min and an hour.
	if got := stuck.voids - begun; begun != 1 || got < 6 || got > 8 {
		t.Errorf("voided %d times, then %d in two hours", begun, got)
	}
	if recovery.Alarms() != 1 {
		t.Error("nobody is told")
	}
	next := w.process(t, &c)
	if err := next.recovery(id).Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	o, err := p.Get(t.Context(), id)
	refusedBy(t, must(t, o, err), domaincheckout.ErrUnresolved)
	if status, _ := w.ledger(t, o.Checkout.PaymentID); status != "voided" || p.item(t, "A").Available() != 5 {
		t.Errorf("the gateway has %q, %d available", status, p.item(t, "A").Available())
	}
}
