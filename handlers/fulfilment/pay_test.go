package fulfilment_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/domain"
	domaincheckout "github.com/waybill-dev/waybill/domain/checkout"
	domainorder "github.com/waybill-dev/waybill/domain/order"
	domainpayment "github.com/waybill-dev/waybill/domain/payment"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/gateways/payment"
	"github.com/waybill-dev/waybill/handlers"
	"github.com/waybill-dev/waybill/handlers/checkout"
	"github.com/waybill-dev/waybill/handlers/fulfilment"
	"github.com/waybill-dev/waybill/handlers/orders"
	"github.com/waybill-dev/waybill/handlers/process"
)

// asking is a request to pay an order, under a key.
func asking(id, key string) orders.Request {
	return orders.Request{OrderID: id, Meta: eventstore.Metadata{CommandID: "pay/" + id + "/" + key, Fingerprint: "of " + key}}
}

func by(method string) fulfilment.Payment {
	return fulfilment.Payment{Method: "sandbox:" + method, ReturnURL: "https://shop.example/thanks"}
}

// unrenewed places an order whose authorisation runs out within a day and was
// not renewed: it is held.
func unrenewed(t *testing.T, s *shop, c cart) {
	t.Helper()
	sandboxed, err := s.Gateways.Provider("sandbox")
	if err != nil {
		t.Fatal(err)
	}
	s.place(t, c)
	refuses := &refusing{Provider: sandboxed}
	refuses.from(payment.Declined)
	s.Gateways = gateways{"sandbox": refuses}
	s.world.advance(week - 23*time.Hour)
	if err := s.do(t.Context(), c.id, process.Reauthorise, "p1-"+c.id); err == nil {
		t.Fatal("the renewal was not refused")
	}
	s.Gateways = gateways{"sandbox": sandboxed}
	if o := s.order(t, c.id); o.Status != domainorder.StatusOnHold {
		t.Fatalf("the order is %s", o.Status)
	}
}

// third is the payment after one that was declined.
func third(id string) string { return eventstore.DeriveID("next payment", second(id)) }

// held sums what the gateway itself holds for an order, and what it took.
func (s *shop) held(tb testing.TB, id string) (held, captured int64) {
	tb.Helper()
	entries, err := s.world.sandbox.Entries(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	known := s.chain(tb, s.order(tb, id))
	for _, e := range entries {
		if _, mine := known[e.Key]; !mine {
			continue
		}
		captured += e.Captured
		if e.Status == "authorised" && !e.Final {
			held += e.Amount - e.Captured
		}
	}
	return held, captured
}

func TestAnOrderIsPaidByAnotherPayment(t *testing.T) {
	t.Parallel()
	s := newWorld(t).shop(t)
	c := basic("o")
	unrenewed(t, s, c)
	paid, err := s.Pay(t.Context(), asking("o", "k"), by("approved"))
	if err != nil {
		t.Fatal(err)
	}
	o := s.order(t, "o")
	if p := paid.Payment; p.PaymentID != third("o") || p.Status != domainpayment.StatusAuthorised || p.Authorised != o.Totals.Grand || paid.Replayed || paid.Position == 0 {
		t.Errorf("paid: %+v", paid)
	}
	if o.Status != domainorder.StatusPlaced || o.Money().Held != o.Totals.Grand || len(o.PastHolds) != 1 {
		t.Errorf("the order is %s, %s held", o.Status, o.Money().Held)
	}
	if p := s.payment(t, "p1-o"); p.Status != domainpayment.StatusVoided {
		t.Errorf("what was about to run out is %s", p.Status)
	}
	again, err := s.Pay(t.Context(), asking("o", "k"), by("approved"))
	if err != nil || again.Payment.PaymentID != paid.Payment.PaymentID || !again.Replayed || again.Position != paid.Position {
		t.Errorf("again: %+v, %v", again, err)
	}
	s.parcel(t, "o", "a", 3, 2)
	if err := s.work(t, "o"); err != nil {
		t.Fatal(err)
	}
	if m := s.order(t, "o").Money(); m.Captured != o.Totals.Grand {
		t.Errorf("%s captured", m.Captured)
	}
	s.agree(t, c)
}

// The hold was released by hand, the order was shipped, and its capture fails:
// what was shipped is paid by the other payment at once.
func TestWhatWasShippedUnpaidIsCapturedWhenItIsPaid(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.shop(t)
	c := basic("o")
	unrenewed(t, s, c)
	s.tell(t, "o", domainorder.ReleaseHold{By: "me"})
	w.advance(week)
	s.parcel(t, "o", "a", 1, 1)
	s.must(t, "o", process.ShipStock, "a")
	if err := s.do(t.Context(), "o", process.Capture, "a"); err == nil {
		t.Fatal("captured what nobody has promised")
	}
	if _, err := s.Pay(t.Context(), asking("o", "k"), by("approved")); err != nil {
		t.Fatal(err)
	}
	if m := s.order(t, "o").Money(); m.Captured != eur(983) || m.Held != eur(1901) {
		t.Errorf("%s captured, %s held", m.Captured, m.Held)
	}
	s.must(t, "o", process.Capture, "a")
	s.agree(t, c)
}

func TestPaymentsThatAreRefused(t *testing.T) {
	t.Parallel()
	revision := eventstore.Revision(0)
	for name, c := range map[string]struct {
		before func(t *testing.T, s *shop, id string)
		change func(*orders.Request, *fulfilment.Payment)
		want   *domain.RuleError
	}{
		"nothing is to be paid": {
			before: func(t *testing.T, s *shop, id string) { t.Helper(); s.place(t, basic(id)) }, want: fulfilment.ErrPaid,
		},
		"all is captured": {
			before: func(t *testing.T, s *shop, id string) {
				t.Helper()
				s.place(t, basic(id))
				s.must(t, id, process.Capture, "order")
			}, want: fulfilment.ErrPaid,
		},
		"the renewal is to come": {
			before: func(t *testing.T, s *shop, id string) {
				t.Helper()
				s.place(t, basic(id))
				s.world.advance(week - time.Hour)
			}, want: fulfilment.ErrPaid,
		},
		"a capture is under way": {
			before: func(t *testing.T, s *shop, id string) {
				t.Helper()
				s.place(t, basic(id))
				s.pay(t, "p1-"+id, domainpayment.RequestCapture{CaptureID: "by-hand-" + id, Amount: eur(1901)})
			}, want: fulfilment.ErrPaid,
		},
		"another payment is under way": {
			before: func(t *testing.T, s *shop, id string) {
				t.Helper()
				unrenewed(t, s, basic(id))
				if _, err := s.Pay(t.Context(), asking(id, "first"), by("action")); err != nil {
					t.Fatal(err)
				}
			}, want: fulfilment.ErrPending,
		},
		"the order is being cancelled": {
			before: func(t *testing.T, s *shop, id string) {
				t.Helper()
				unrenewed(t, s, basic(id))
				s.tell(t, id, cancelled)
			}, want: domainorder.ErrTransition,
		},
		"the order is cancelled": {
			before: func(t *testing.T, s *shop, id string) {
				t.Helper()
				unrenewed(t, s, basic(id))
				s.tell(t, id, cancelled)
				s.must(t, id, process.Cancel, "x")
			}, want: fulfilment.ErrPaid,
		},
		"there is no such order": {
			before: func(*testing.T, *shop, string) {}, want: orders.ErrNotFound,
		},
		"the order was changed since it was read": {
			before: func(t *testing.T, s *shop, id string) { t.Helper(); unrenewed(t, s, basic(id)) },
			change: func(r *orders.Request, _ *fulfilment.Payment) { r.Expected = &revision }, want: handlers.ErrRevision,
		},
		"no gateway takes the method": {
			before: func(t *testing.T, s *shop, id string) { t.Helper(); unrenewed(t, s, basic(id)) },
			change: func(_ *orders.Request, p *fulfilment.Payment) { p.Method = "barter:goat" }, want: domaincheckout.ErrDeclined,
		},
		"the method is a card's number": {
			before: func(t *testing.T, s *shop, id string) { t.Helper(); unrenewed(t, s, basic(id)) },
			change: func(_ *orders.Request, p *fulfilment.Payment) { p.Method = "4242 4242 4242 4242" }, want: domainorder.ErrInvalid,
		},
		"the key was used for something else": {
			before: func(t *testing.T, s *shop, id string) {
				t.Helper()
				unrenewed(t, s, basic(id))
				if _, err := s.Pay(t.Context(), asking(id, "k"), by("declined")); err != nil {
					t.Fatal(err)
				}
			},
			change: func(r *orders.Request, _ *fulfilment.Payment) { r.Meta.Fingerprint = "other" }, want: domain.ErrKeyReused,
		},
		"so many were refused that no more are tried": {
			before: func(t *testing.T, s *shop, id string) {
				t.Helper()
				unrenewed(t, s, basic(id))
				for i := range fulfilment.MaxPayments {
					if _, err := s.Pay(t.Context(), asking(id, fmt.Sprint(i)), by("declined")); err != nil {
						t.Fatal(err)
					}
				}
			}, want: fulfilment.ErrTooMany,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newWorld(t).shop(t)
			c.before(t, s, "o")
			before, _ := s.held(t, "o")
			r, wanted := asking("o", "k"), by("approved")
			if c.change != nil {
				c.change(&r, &wanted)
			}
			if paid, err := s.Pay(t.Context(), r, wanted); !errors.Is(err, c.want) {
				t.Errorf("%+v, %v; want %v", paid, err, c.want)
			}
			if after, _ := s.held(t, "o"); after != before {
				t.Errorf("the gateway holds %d, before %d", after, before)
			}
		})
	}
}

func TestPaymentsThatCameToNothingAreForgottenAfterAnHour(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.shop(t)
	unrenewed(t, s, basic("o"))
	for i := range fulfilment.MaxPayments {
		if _, err := s.Pay(t.Context(), asking("o", fmt.Sprint(i)), by("declined")); err != nil {
			t.Fatal(err)
		}
		w.advance(time.Minute)
	}
	_, err := s.Pay(t.Context(), asking("o", "early"), by("approved"))
	rule, _ := errors.AsType[*domain.RuleError](err)
	if rule == nil || rule.Details["retry_at"] != w.now().Add(55*time.Minute) {
		t.Errorf("refused with %v", err)
	}
	w.advance(55 * time.Minute)
	if paid, err := s.Pay(t.Context(), asking("o", "k"), by("approved")); err != nil || paid.Payment.Status != domainpayment.StatusAuthorised {
		t.Errorf("%+v, %v", paid, err)
	}
}

// What becomes of a payment whose outcome the answer did not have.
func TestAPaymentIsPursued(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		method string
		first  domainpayment.Status
		then   func(t *testing.T, w *world)
		after  time.Duration
		last   domainpayment.Status
	}{
		"it is declined":                        {method: "declined", first: domainpayment.StatusDeclined, last: domainpayment.StatusDeclined},
		"nobody takes the method":               {method: "goat", first: domainpayment.StatusDeclined, last: domainpayment.StatusDeclined},
		"the gateway answers too late":          {method: "timeout", first: domainpayment.StatusUnknown, last: domainpayment.StatusAuthorised},
		"the gateway declines too late":         {method: "timeout-declined", first: domainpayment.StatusUnknown, last: domainpayment.StatusDeclined},
		"the gateway fails, and knows nothing":  {method: "error", first: domainpayment.StatusUnknown, after: 13 * time.Second, last: domainpayment.StatusNotFound},
		"it is early to say that it is unknown": {method: "error", first: domainpayment.StatusUnknown, after: 11 * time.Second, last: domainpayment.StatusUnknown},
		"the shopper confirms it": {method: "action", first: domainpayment.StatusActionRequired, then: func(t *testing.T, w *world) {
			t.Helper()
			if _, err := w.sandbox.Act(t.Context(), third("o"), true); err != nil {
				t.Fatal(err)
			}
		}, last: domainpayment.StatusAuthorised},
		"the shopper does not want to": {method: "action", first: domainpayment.StatusActionRequired, then: func(t *testing.T, w *world) {
			t.Helper()
			if _, err := w.sandbox.Act(t.Context(), third("o"), false); err != nil {
				t.Fatal(err)
			}
		}, last: domainpayment.StatusDeclined},
		"the shopper takes time":     {method: "action", first: domainpayment.StatusActionRequired, after: 14 * time.Minute, last: domainpayment.StatusActionRequired},
		"the shopper never confirms": {method: "action", first: domainpayment.StatusActionRequired, after: 15 * time.Minute, last: domainpayment.StatusDeclined},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			s := w.shop(t)
			unrenewed(t, s, basic("o"))
			paid, err := s.Pay(t.Context(), asking("o", "k"), by(c.method))
			if err != nil || paid.Payment.Status != c.first {
				t.Fatalf("%+v, %v", paid.Payment, err)
			}
			if c.then != nil {
				c.then(t, w)
			}
			w.advance(c.after)
			err = s.do(t.Context(), "o", process.Pay, third("o"))
			p := s.payment(t, third("o"))
			if p.Status != c.last {
				t.Errorf("the payment is %s, %v", p.Status, err)
			}
			if p.Settled() {
				s.must(t, "o", process.Pay, third("o"))
			} else {
				waits(t, err)
			}
			if c.last == domainpayment.StatusDeclined && c.method == "action" { // the shopper comes back
				if e, err := w.sandbox.Act(t.Context(), third("o"), true); err != nil || e.Status == "authorised" {
					t.Errorf("the gateway has %+v, %v", e, err)
				}
			}
			want := domainorder.StatusOnHold
			if c.last == domainpayment.StatusAuthorised {
				want = domainorder.StatusPlaced
			}
			if o := s.order(t, "o"); o.Status != want {
				t.Errorf("the order is %s, want %s", o.Status, want)
			}
		})
	}
}

// A hold for another reason stays.
func TestAnOrderThatIsHeldForAnotherReasonStaysHeld(t *testing.T) {
	t.Parallel()
	s := newWorld(t).shop(t)
	unrenewed(t, s, basic("o"))
	s.tell(t, "o", domainorder.Hold{HoldID: "h", Reason: domainorder.HoldFraud})
	if _, err := s.Pay(t.Context(), asking("o", "k"), by("approved")); err != nil {
		t.Fatal(err)
	}
	if o := s.order(t, "o"); o.Status != domainorder.StatusOnHold || o.Money().Held.Amount < 1901 {
		t.Errorf("the order is %s, %s held", o.Status, o.Money().Held)
	}
}

// The gateway is known to be away: nothing was asked, and the same request goes
// on when it is back.
func TestAPaymentWhileTheGatewayIsAway(t *testing.T) {
	t.Parallel()
	s := newWorld(t).shop(t)
	c := basic("o")
	unrenewed(t, s, c)
	open := s.Gateways
	s.Gateways = gateways{"sandbox": away{}}
	for range 2 {
		if _, err := s.Pay(t.Context(), asking("o", "k"), by("approved")); !errors.Is(err, checkout.ErrGatewayAway) {
			t.Errorf("%v", err)
		}
	}
	s.Gateways = open
	if paid, err := s.Pay(t.Context(), asking("o", "k"), by("approved")); err != nil || paid.Payment.Status != domainpayment.StatusAuthorised {
		t.Errorf("%+v, %v", paid, err)
	}
	s.agree(t, c)
}

// Whoever is told of a payment by the gateway records it; the task does what
// follows.
func TestAPaymentThatTheGatewayToldOf(t *testing.T) {
	t.Parallel()
	s := newWorld(t).shop(t)
	unrenewed(t, s, basic("o"))
	if _, err := s.Pay(t.Context(), asking("o", "k"), by("action")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.world.sandbox.Act(t.Context(), third("o"), true); err != nil {
		t.Fatal(err)
	}
	s.pay(t, third("o"), domainpayment.Authorise{GatewayRef: "told", Amount: eur(1901), ExpiresAt: s.world.now().Add(week)})
	s.list(t).workOff(s.again(t))
	if o := s.order(t, "o"); o.Status != domainorder.StatusPlaced || o.Money().Held != eur(1901) {
		t.Errorf("the order is %s, %s held", o.Status, o.Money().Held)
	}
}

// Four ask for the money at once, under keys of their own: one of them gets it.
func TestAnOrderIsPaidOnce(t *testing.T) {
	t.Parallel()
	s := newWorld(t).shop(t)
	unrenewed(t, s, basic("o"))
	var paid [4]fulfilment.Paid
	var failed [4]error
	together(4, func(i int) {
		paid[i], failed[i] = s.again(t).Pay(context.WithoutCancel(t.Context()), asking("o", fmt.Sprint(i)), by("approved"))
	})
	ids := map[string]bool{}
	for i, err := range failed {
		switch {
		case err == nil:
			ids[paid[i].Payment.PaymentID] = true
		case !errors.Is(err, fulfilment.ErrPending) && !errors.Is(err, fulfilment.ErrPaid):
			t.Error(err)
		}
	}
	held, _ := s.held(t, "o")
	if len(ids) != 1 || held != 1901 {
		t.Errorf("paid by %v, the gateway holds %d", ids, held)
	}
}

// The same request comes twice at once.
func TestTheSameRequestToPayComesTwice(t *testing.T) {
	t.Parallel()
	s := newWorld(t).shop(t)
	unrenewed(t, s, basic("o"))
	ids := make([]string, 4)
	together(4, func(i int) {
		paid, err := s.again(t).Pay(context.WithoutCancel(t.Context()), asking("o", "k"), by("approved"))
		if err != nil {
			t.Error(err)
		}
		ids[i] = paid.Payment.PaymentID
	})
	if len(slices.Compact(ids)) != 1 || ids[0] != third("o") {
		t.Errorf("paid by %q", ids)
	}
	if held, _ := s.held(t, "o"); held != 1901 {
		t.Errorf("the gateway holds %d", held)
	}
}
