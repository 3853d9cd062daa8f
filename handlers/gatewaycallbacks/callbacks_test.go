package gatewaycallbacks_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/domain"
	domaincheckout "github.com/waybill-dev/waybill/domain/checkout"
	callback "github.com/waybill-dev/waybill/domain/gatewaycallback"
	domainpayment "github.com/waybill-dev/waybill/domain/payment"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/gateways/payment"
	"github.com/waybill-dev/waybill/handlers/process"
)

func eur(amount int64) domain.Money { return domain.Money{Amount: amount, Currency: "EUR"} }

func (w *world) wantEffect(got callback.State, want callback.Effect) {
	w.t.Helper()
	if got.Effect != want || got.Unclaimed {
		w.t.Errorf("effect %q, unclaimed %v %s; want %q", got.Effect, got.Unclaimed, got.Reason, want)
	}
}

func TestACallbackIsStoredOnceAndHoldsFactsOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.place("k", "sandbox:timeout")
	c := w.next()
	id := w.receive(c)
	w.advance(time.Minute)
	if again := w.receive(c); again != id {
		t.Errorf("a repeat has another id: %s, %s", again, id)
	}
	got := w.callback(id).Received
	if got.PaymentID != o.Checkout.PaymentID || got.Authorisation.Status != "authorised" || !got.ReceivedAt.Equal(noon) || got.Authorisation.Amount != eur(1250) {
		t.Errorf("stored %+v", got)
	}
	for recorded, err := range w.store.ReadStream(t.Context(), callback.Decider.Stream(id), 0) {
		if err != nil || recorded.Revision > 0 {
			t.Errorf("%v: event %d", err, recorded.Revision)
		}
		if strings.Contains(string(recorded.Data), "sandbox:timeout") || strings.Contains(string(recorded.Data), "shop.example") {
			t.Errorf("more than facts: %s", recorded.Data)
		}
	}
	for range 2 { // the second time there is nothing to do
		if err := w.callbacks.Apply(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		w.wantEffect(w.callback(id), callback.Recorded)
	}
}

func TestWhatIsNotSignedIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.place("k", "sandbox:approved")
	c := w.next()
	for name, test := range map[string]struct {
		gateway string
		told    told
		later   time.Duration
		want    *domain.RuleError
	}{
		"an unknown gateway":    {"paypal", c, 0, errGateway},
		"no signature":          {"sandbox", told{http.Header{}, c.body}, 0, errSignature},
		"other content":         {"sandbox", c.tampered(), 0, errSignature},
		"nothing at all":        {"sandbox", told{http.Header{}, nil}, 0, errSignature},
		"an old one, once more": {"sandbox", c, 6 * time.Minute, errSignature},
	} {
		w.advance(test.later)
		_, err := w.callbacks.Receive(t.Context(), test.gateway, test.told.header, test.told.body)
		w.advance(-test.later)
		if !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
}

// The gateway charges and answers too late, but tells: the order is placed at
// once, and nobody waits for the time-out.
func TestACallbackEndsTheWaitForAnAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.checkouts.Config.GatewayTimeout = 40 * time.Second
	tell := func(c told) { // another goroutine than that of the test
		id, err := w.callbacks.Receive(context.WithoutCancel(t.Context()), "sandbox", c.header, c.body)
		if err == nil {
			err = w.callbacks.Apply(context.WithoutCancel(t.Context()), id)
		}
		if notYet := (*process.NotYetError)(nil); err != nil && !errors.As(err, &notYet) {
			t.Error(err)
		}
	}
	w.now.Store(&tell)
	begun := time.Now()
	o := w.place("k", "sandbox:timeout")
	if o.Order.OrderID == "" || time.Since(begun) > 20*time.Second {
		t.Fatalf("step %s, refused %v after %v", o.Checkout.Step, o.Refused, time.Since(begun))
	}
	if held := w.held(o.Order.PaymentID); held != "authorised" {
		t.Errorf("the gateway has %q", held)
	}
}

// The gateway tells before it answers: before our own append of the outcome.
func TestACallbackBeforeOurOwnAppend(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var id string
	tell := func(c told) {
		var err error
		if id, err = w.callbacks.Receive(context.WithoutCancel(t.Context()), "sandbox", c.header, c.body); err == nil {
			err = w.callbacks.Apply(context.WithoutCancel(t.Context()), id)
		}
		if notYet := (*process.NotYetError)(nil); !errors.As(err, &notYet) {
			t.Errorf("%v, want to be asked again: the request is being worked on", err)
		}
	}
	w.now.Store(&tell)
	o := w.place("k", "sandbox:callback-first")
	if o.Order.OrderID == "" {
		t.Fatalf("step %s, refused %v", o.Checkout.Step, o.Refused)
	}
	if err := w.callbacks.Apply(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	w.wantEffect(w.callback(id), callback.Known)
}

// The callback comes after the outcome was lost.
func TestACallbackResolvesAnUnknownOutcome(t *testing.T) {
	t.Parallel()
	for method, want := range map[string]domaincheckout.Step{
		"sandbox:timeout": domaincheckout.Completed, "sandbox:timeout-declined": domaincheckout.Failed,
	} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			o := w.place("k", method)
			if o.Checkout.Step != domaincheckout.Unknown {
				t.Fatalf("step %s", o.Checkout.Step)
			}
			w.wantEffect(w.apply(w.next()), callback.Recorded)
			if got := w.checkout(o.Checkout.CheckoutID); got.Step != want {
				t.Errorf("step %s, want %s", got.Step, want)
			}
		})
	}
}

func TestACallbackTellsWhatTheShopperDid(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		approve bool
		want    domaincheckout.Step
	}{"confirmed": {true, domaincheckout.Completed}, "declined": {false, domaincheckout.Declined}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			o := w.place("k", "sandbox:action")
			if o.Checkout.Step != domaincheckout.ActionRequired {
				t.Fatalf("step %s", o.Checkout.Step)
			}
			required := w.next()
			if _, err := w.sandbox.Act(t.Context(), o.Checkout.PaymentID, test.approve); err != nil {
				t.Fatal(err)
			}
			w.wantEffect(w.apply(w.next()), callback.Recorded)
			if got := w.checkout(o.Checkout.CheckoutID); got.Step != test.want {
				t.Errorf("step %s, want %s", got.Step, test.want)
			}
			// What was told first comes last, and is old.
			old := w.apply(required)
			if old.Unclaimed || w.held(o.Checkout.PaymentID) == "voided" {
				t.Errorf("effect %q, the gateway has %q", old.Effect, w.held(o.Checkout.PaymentID))
			}
		})
	}
}

// The process that asked is gone, nobody knows of an answer, and the callback
// comes before recovery.
func TestACallbackBeforeTheOutcomeIsRecorded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.checkouts.Fault = stopAt("gateway asked")
	_, err := w.checkouts.Place(t.Context(), cart("k", "sandbox:approved"))
	if !errors.Is(err, errStopped) {
		t.Fatal(err)
	}
	w.checkouts.Fault = nil
	w.wantEffect(w.apply(w.next()), callback.Recorded)
	o := w.place("k", "sandbox:approved")
	if o.Order.OrderID == "" || !o.Replayed {
		t.Errorf("step %s, refused %v", o.Checkout.Step, o.Refused)
	}
}

// Two processes are told the same thing at the same time.
func TestACallbackToldToTwoProcessesAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.place("k", "sandbox:timeout")
	c := w.next()
	other, done := w.process(), make(chan error)
	go func() {
		id, err := other.Receive(context.WithoutCancel(t.Context()), "sandbox", c.header, c.body)
		if err == nil {
			err = other.Apply(context.WithoutCancel(t.Context()), id)
		}
		done <- err
	}()
	id := w.receive(c)
	notYet := (*process.NotYetError)(nil)
	if err := errors.Join(w.callbacks.Apply(t.Context(), id), <-done); err != nil && !errors.As(err, &notYet) {
		t.Fatal(err)
	}
	w.advance(2 * time.Second)
	if err := w.sweeper(id).Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := w.checkout(o.Checkout.CheckoutID); got.Step != domaincheckout.Completed || w.callback(id).Open() {
		t.Errorf("step %s, open %v", got.Step, w.callback(id).Open())
	}
	authorised := 0
	for recorded, err := range w.store.ReadStream(t.Context(), domainpayment.Decider.Stream(o.Checkout.PaymentID), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if recorded.Type == "PaymentAuthorised" {
			authorised++
		}
	}
	if authorised != 1 {
		t.Errorf("authorised %d times", authorised)
	}
}

// Money that is held after the checkout was given up is let go at once.
func TestALateChargeIsVoidedByItsCallback(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.place("k", "sandbox:error")
	if o.Checkout.Step != domaincheckout.Unknown {
		t.Fatalf("step %s", o.Checkout.Step)
	}
	w.advance(time.Minute)
	if _, err := w.checkouts.Recover(t.Context(), o.Checkout.CheckoutID); err != nil {
		t.Fatal(err)
	}
	if got := w.checkout(o.Checkout.CheckoutID); got.Step != domaincheckout.Failed {
		t.Fatalf("step %s", got.Step)
	}
	if _, err := w.gateway.Authorise(t.Context(), payment.Authorise{Key: o.Checkout.PaymentID, Amount: eur(1250), Method: "sandbox:approved"}); err != nil {
		t.Fatal(err)
	}
	c := w.next()
	w.wantEffect(w.apply(c), callback.LetGo)
	if held := w.held(o.Checkout.PaymentID); held != "voided" || !w.checkout(o.Checkout.CheckoutID).LateVoided {
		t.Errorf("the gateway has %q, recorded %v", held, w.checkout(o.Checkout.CheckoutID).LateVoided)
	}
	w.wantKnown(w.next()) // of the voiding itself
}

// After a void an old callback tells that money is held. It is not believed.
func TestAnOldCallbackAfterAVoid(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.place("k", "sandbox:approved")
	authorised := w.next()
	w.do(o.Order.PaymentID, domainpayment.RequestVoid{Reason: "cancelled"})
	id := w.receive(authorised)
	if err, notYet := w.callbacks.Apply(t.Context(), id), (*process.NotYetError)(nil); !errors.As(err, &notYet) {
		t.Errorf("while it is being voided: %v, want to be asked later", err)
	}
	if _, err := w.gateway.Void(t.Context(), o.Order.PaymentID); err != nil {
		t.Fatal(err)
	}
	w.wantEffect(w.apply(w.next()), callback.Recorded) // that it is voided, before our own append
	if got := w.payment(o.Order.PaymentID).Status; got != domainpayment.StatusVoided {
		t.Errorf("status %s", got)
	}
	w.wantEffect(w.apply(authorised), callback.Known)
}

func TestWhatIsVoidedOrExpiresAtTheGatewayIsRecorded(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		happens func(*world, string) error
		want    domainpayment.Status
	}{
		"voided by hand": {func(w *world, key string) error { _, err := w.gateway.Void(t.Context(), key); return err }, domainpayment.StatusVoided},
		"time is up":     {func(w *world, key string) error { return w.sandbox.Expire(t.Context(), key) }, domainpayment.StatusExpired},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			o := w.place("k", "sandbox:approved")
			first := w.next()
			if err := test.happens(w, o.Order.PaymentID); err != nil {
				t.Fatal(err)
			}
			ended := w.next()
			w.wantEffect(w.apply(ended), callback.Recorded)
			if got := w.payment(o.Order.PaymentID).Status; got != test.want {
				t.Errorf("status %s, want %s", got, test.want)
			}
			w.wantKnown(ended)
			w.wantEffect(w.apply(first), callback.Known)
		})
	}
}

// Captures and refunds whose answers were lost are told; chargebacks come by
// callback only.
func TestMovementsAndChargebacks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.place("k", "sandbox:approved")
	id := o.Order.PaymentID
	w.next()
	w.do(id, domainpayment.RequestCapture{CaptureID: "cap-1", Amount: eur(1000)})
	if _, err := w.gateway.Capture(t.Context(), payment.Capture{Key: id, ID: "cap-1", Amount: eur(1000)}); err != nil {
		t.Fatal(err)
	}
	captured := w.next()
	if err := w.sandbox.ChargeBack(t.Context(), id, "case-1", 300); err != nil {
		t.Fatal(err)
	}
	chargeback := w.next()
	// The chargeback comes before anybody recorded the capture.
	early := w.receive(chargeback)
	if err, notYet := w.callbacks.Apply(t.Context(), early), (*process.NotYetError)(nil); !errors.As(err, &notYet) {
		t.Errorf("a chargeback before its capture: %v, want to be asked later", err)
	}
	w.wantEffect(w.apply(captured), callback.Recorded)
	w.wantKnown(captured)
	w.wantEffect(w.apply(chargeback), callback.Recorded)
	w.wantKnown(chargeback)

	w.do(id, domainpayment.RequestRefund{RefundID: "ref-1", Amount: eur(200)})
	if _, err := w.gateway.Refund(t.Context(), payment.Refund{Key: id, ID: "ref-1", Amount: eur(200)}); err != nil {
		t.Fatal(err)
	}
	w.wantEffect(w.apply(w.next()), callback.Recorded)
	w.do(id, domainpayment.RequestRefund{RefundID: "ref-2", Amount: eur(500)})
	// More than is left at the gateway's: refused there.
	if m, err := w.gateway.Refund(t.Context(), payment.Refund{Key: id, ID: "ref-2", Amount: eur(501)}); err != nil || m.Status != payment.Failed {
		t.Fatal(m, err)
	}
	refused := w.next()
	w.wantEffect(w.apply(refused), callback.Recorded)
	w.wantKnown(w.signed(refused, `"amount":501`, `"amount":500`))
	if again := w.receive(refused); again == "" {
		t.Error("a refund of another amount passes for the one that is recorded")
	}
	p := w.payment(id)
	if p.Captured() != eur(1000) || p.Refunded() != eur(200) || p.ChargedBack() != eur(300) || p.Refunds[1].Status != domainpayment.MovementFailed {
		t.Errorf("payment %+v", p)
	}
}

func TestACallbackNobodyClaimsIsTriedForADayAndThenSeen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.place("k", "sandbox:approved")
	w.next()
	// Somebody uses the gateway's account for something else, and captures by hand.
	if _, err := w.gateway.Authorise(t.Context(), payment.Authorise{Key: "not-ours", Amount: eur(1), Method: "sandbox:approved"}); err != nil {
		t.Fatal(err)
	}
	foreign := w.receive(w.next())
	if _, err := w.gateway.Capture(t.Context(), payment.Capture{Key: o.Order.PaymentID, ID: "by-hand", Amount: eur(1)}); err != nil {
		t.Fatal(err)
	}
	byHand := w.receive(w.next())
	sweeper := w.sweeper(foreign, byHand)
	for range 24 * 4 {
		w.advance(15 * time.Minute)
		if got := w.callback(foreign); !got.Open() {
			t.Fatalf("given up after %v", time.Duration(w.passed.Load()))
		}
		if err := sweeper.Round(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for id, want := range map[string]string{foreign: "payment-unknown", byHand: "movement-unknown"} {
		if got := w.callback(id); !got.Unclaimed || got.Reason != want {
			t.Errorf("unclaimed %v, %q; want %q", got.Unclaimed, got.Reason, want)
		}
	}
}

// A payment that comes to be known later has its callback applied.
func TestACallbackOfAPaymentThatIsNotThereYet(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	request := cart("k", "sandbox:approved")
	w.checkouts.Fault = stopAt("payment announced")
	if _, err := w.checkouts.Place(t.Context(), request); !errors.Is(err, errStopped) {
		t.Fatal(err)
	}
	w.checkouts.Fault = nil
	c := w.checkout(checkoutID(request))
	second := eventstore.DeriveID("payment", c.OrderID, "2")
	if _, err := w.gateway.Authorise(t.Context(), payment.Authorise{Key: second, Amount: eur(1250), Method: "sandbox:approved"}); err != nil {
		t.Fatal(err)
	}
	id := w.receive(w.next())
	sweeper := w.sweeper(id)
	for range 3 {
		w.advance(time.Second)
		if err := sweeper.Round(t.Context()); err != nil || !w.callback(id).Open() {
			t.Fatalf("%v, open %v", err, w.callback(id).Open())
		}
	}
	w.do(second, domainpayment.Request{PaymentID: second, OrderID: c.OrderID, Amount: eur(1250), Method: "sandbox:approved", Gateway: "sandbox", Key: second, At: noon})
	w.advance(2 * time.Second)
	if err := sweeper.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.wantEffect(w.callback(id), callback.Recorded)
	if got := w.payment(second).Status; got != domainpayment.StatusAuthorised {
		t.Errorf("status %s", got)
	}
}

func TestAGatewayHasNoSayInPaymentsOfAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.place("k", "sandbox:timeout")
	c := w.next()
	id, err := w.callbacks.Receive(t.Context(), "other", c.header, c.body)
	if err != nil {
		t.Fatal(err)
	}
	if err, notYet := w.callbacks.Apply(t.Context(), id), (*process.NotYetError)(nil); !errors.As(err, &notYet) {
		t.Errorf("%v, want nobody to claim it", err)
	}
	if got := w.payment(o.Checkout.PaymentID).Status; got != domainpayment.StatusUnknown {
		t.Errorf("status %s", got)
	}
}

// The process ends between any two steps of a callback; another one does it.
func TestACallbackWhoseProcessEnds(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"authorisation recorded", "callback done"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			o := w.place("k", "sandbox:timeout")
			id := w.receive(w.next())
			w.callbacks.Fault = stopAt(step)
			if err := w.callbacks.Apply(t.Context(), id); !errors.Is(err, errStopped) {
				t.Fatalf("%v, want to stop at %q", err, step)
			}
			w.advance(time.Second)
			if err := w.sweeper(id).Round(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := w.checkout(o.Checkout.CheckoutID).Step; got != domaincheckout.Completed || w.callback(id).Open() {
				t.Errorf("step %s, open %v", got, w.callback(id).Open())
			}
		})
	}
}

func TestARunningProcessAppliesWhatItIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- w.callbacks.Run(ctx) }()
	o := w.place("k", "sandbox:timeout")
	id := w.receive(w.next())
	for deadline := time.Now().Add(10 * time.Second); w.callback(id).Open(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the callback is not applied")
		}
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if got := w.checkout(o.Checkout.CheckoutID).Step; got != domaincheckout.Completed {
		t.Errorf("step %s", got)
	}
}
