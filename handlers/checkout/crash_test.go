package checkout_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	domaincheckout "github.com/waybill-dev/waybill/domain/checkout"
	domainorder "github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/gateways/payment"
	"github.com/waybill-dev/waybill/handlers/checkout"
	"github.com/waybill-dev/waybill/handlers/handlertest"
)

// deafGateway finds nothing out.
type deafGateway struct{ payment.Provider }

func (deafGateway) Find(context.Context, string) (payment.Authorisation, error) {
	return payment.Authorisation{}, payment.ErrUnknownOutcome
}

var errKilled = errors.New("killed")

// killAfter ends a process's work after so many steps.
func killAfter(steps int) (fault func(string) error, done func() (string, bool)) {
	n, last, killed := 0, "", false
	return func(step string) error {
			if n++; n > steps {
				last, killed = step, true
				return errKilled
			}
			return nil
		}, func() (string, bool) {
			return last, killed
		}
}

// A process is killed between every two steps of every kind of checkout, then
// another one at a random step of recovery, after a random while: in the end
// there is one order with its stock and its money, or nothing at all.
func TestWhateverIsInterruptedIsFinishedOrUndone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	w.patient = impatient
	w.store = handlertest.Connect(t, w.address)
	w.contacts = &contacts{refs: map[string]any{}}
	for _, method := range []string{"sandbox:approved", "sandbox:declined", "sandbox:timeout", "sandbox:error", "sandbox:action"} {
		for _, cart := range []string{"one", "three", "short"} {
			for seed := range uint64(3) {
				name := fmt.Sprintf("%s-%s-%d", method[len("sandbox:"):], cart, seed)
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					for gap := 0; ; gap++ {
						random := rand.New(rand.NewPCG(seed, uint64(gap)))
						if !interrupt(t, w, fmt.Sprintf("%s-%d", name, gap), method, cart, gap, random) {
							return
						}
					}
				})
			}
		}
	}
}

// interrupt reports false when the checkout was done before the gap.
func interrupt(t *testing.T, w *world, name, method, cart string, gap int, random *rand.Rand) bool {
	t.Helper()
	var c clock
	p := w.process(t, &c)
	units := map[string]int{}
	var lines []domaincheckout.RequestLine
	for i := range 3 {
		sku := fmt.Sprintf("%s-%d", name, i)
		units[sku] = 10
		if cart == "short" && i == 1 {
			units[sku] = 0
		}
		if cart != "one" || i == 0 {
			lines = append(lines, line(sku, 1+i), line(sku, 1))
		}
		p.offer(t, sku, units[sku])
	}
	request := place(name, method, lines...)
	request.Cart.ReturnURL = back
	request.Subject, request.Contact, request.ShipTo, request.BillTo = "u", "a@example.com", "1 High Street", "2 High Street"
	id := checkout.ID(request.Credential, request.Key)

	fault, state := killAfter(gap)
	p.Fault = fault
	_, err := p.Place(t.Context(), request)
	at, killed := state()
	if errors.Is(err, checkout.ErrGatewayAway) {
		killed = true // a busy machine: the gateway could not be reached in time
	} else if killed != errors.Is(err, errKilled) || !killed && err != nil {
		t.Fatalf("killed at %q: %v", at, err)
	}
	if decides := random.IntN(3); method == "sandbox:action" && decides > 0 {
		// The shopper confirms or not, where there is something to confirm.
		_, _ = w.sandbox.Act(t.Context(), eventstore.DeriveID("payment", eventstore.DeriveID("order", id), "1"), decides == 1)
	}
	for range random.IntN(3) {
		c.advance([]time.Duration{time.Second, 16 * time.Second, 61 * time.Second}[random.IntN(3)])
		next := w.process(t, &c)
		next.Fault, _ = killAfter(random.IntN(4))
		if random.IntN(2) == 0 {
			_, err = next.Place(t.Context(), request)
		} else {
			err = next.recovery(id).Round(t.Context())
		}
		if err != nil && !errors.Is(err, errKilled) && !errors.Is(err, checkout.ErrGatewayAway) {
			t.Fatalf("after %q: %v", at, err)
		}
	}
	// Two processes recover at once, for as long as anything is open.
	a, b := w.process(t, &c).recovery(id), w.process(t, &c).recovery(id)
	for range 6 {
		c.advance(16 * time.Second)
		together(t, a, b)
	}
	for range 4 {
		c.advance(6 * time.Minute)
		together(t, a, b)
	}
	if check(t, w, p, id, units); t.Failed() {
		t.Fatalf("killed first at gap %d, %q", gap, at)
	}
	return killed
}

func together(t *testing.T, a, b *checkout.Recovery) {
	t.Helper()
	done := make(chan error)
	go func() { done <- a.Round(t.Context()) }()
	err := b.Round(t.Context())
	if err := errors.Join(err, <-done); err != nil {
		t.Fatal(err)
	}
}

func check(t *testing.T, w *world, p *process, id string, units map[string]int) {
	t.Helper()
	if err := w.sandbox.Audit(t.Context()); err != nil {
		t.Error(err)
	}
	c, _, err := eventstore.Load(t.Context(), p.Store, domaincheckout.Decider, id)
	if err != nil {
		t.Fatal(err)
	}
	if c.Step == "" { // killed before anything was written
		c.OrderID = eventstore.DeriveID("order", id)
	}
	o, _, err := eventstore.Load(t.Context(), p.Store, domainorder.Decider, c.OrderID)
	if err != nil {
		t.Fatal(err)
	}
	if o.Status != "" {
		w.contacts.check(t, o, "u")
	}
	if placed := o.Status == domainorder.StatusPlaced; c.Step.Open() || placed != (c.Step == domaincheckout.Completed) {
		t.Errorf("checkout %s, order %q", c.Step, o.Status)
	}
	want := map[string]int{}
	for _, line := range o.Lines {
		want[line.SKU] += line.Quantity
	}
	for sku := range units {
		if s := p.item(t, sku); s.Reserved != 0 || s.Committed != want[sku] {
			t.Errorf("%s: %d reserved, %d committed; want 0, %d", sku, s.Reserved, s.Committed, want[sku])
		}
	}
	for attempt := 1; attempt <= c.Attempt; attempt++ {
		key := eventstore.DeriveID("payment", c.OrderID, fmt.Sprint(attempt))
		status, _ := w.ledger(t, key)
		if held := status == "authorised"; held != (o.PaymentID == key) {
			t.Errorf("attempt %d: the gateway has %q, the order %q was paid with %q", attempt, status, o.Status, o.PaymentID)
		}
	}
}
