package fulfilment_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	domainorder "github.com/waybill-dev/waybill/domain/order"
	domainpayment "github.com/waybill-dev/waybill/domain/payment"
	domainstock "github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/gateways/payment"
	"github.com/waybill-dev/waybill/handlers/process"
	"github.com/waybill-dev/waybill/handlers/stock"
)

const week = 7 * 24 * time.Hour

func second(id string) string { return eventstore.DeriveID("next payment", "p1-"+id) }

func TestAnAuthorisationIsRenewed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.shop(t)
	c := basic("o")
	s.place(t, c)
	s.parcel(t, "o", "a", 1, 1)
	s.must(t, "o", process.Capture, "a")
	w.advance(week - 24*time.Hour)
	s.must(t, "o", process.Reauthorise, "p1-o")
	s.must(t, "o", process.Reauthorise, "p1-o")
	if p, q := s.payment(t, "p1-o"), s.payment(t, second("o")); p.Status != domainpayment.StatusVoided || q.Status != domainpayment.StatusAuthorised || q.Authorised != eur(918) {
		t.Errorf("the first is %s, the second %s with %s", p.Status, q.Status, q.Authorised)
	}
	if o := s.order(t, "o"); o.Money().Held != eur(1901) || o.PaymentStatus() != domainorder.PartiallyCaptured {
		t.Errorf("%s held, %s", o.Money().Held, o.PaymentStatus())
	}
	s.parcel(t, "o", "b", 2, 1)
	if err := s.work(t, "o"); err != nil {
		t.Fatal(err)
	}
	if o := s.order(t, "o"); o.Money().Captured != eur(1901) || o.PaymentStatus() != domainorder.Captured {
		t.Errorf("%s captured, %s", o.Money().Captured, o.PaymentStatus())
	}
	s.agree(t, c)
}

// Many processes that renew an authorisation at the same time leave one.
func TestAnAuthorisationIsRenewedOnceByMany(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	carts := []cart{basic("o2"), basic("o6"), basic("o12")}
	for _, c := range carts {
		w.shop(t).place(t, c)
	}
	w.advance(week - 24*time.Hour)
	for i, processes := range []int{2, 6, 12} {
		c, s := carts[i], w.shop(t)
		together(processes, func(int) {
			next := w.shop(t)
			for range 3 {
				_ = next.do(t.Context(), c.id, process.Reauthorise, "p1-"+c.id) // others win
			}
		})
		s.eventually(t, c.id, process.Reauthorise, "p1-"+c.id)
		held := 0
		entries, err := w.sandbox.Entries(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if (e.Key == "p1-"+c.id || e.Key == second(c.id)) && e.Status == "authorised" {
				held++
			}
		}
		p, q := s.payment(t, "p1-"+c.id), s.payment(t, second(c.id))
		if held != 1 || p.Status != domainpayment.StatusVoided || q.Status != domainpayment.StatusAuthorised || q.Authorised != eur(1901) {
			t.Errorf("%d processes: %d hold money, the first is %s, the second %s with %s", processes, held, p.Status, q.Status, q.Authorised)
		}
		s.agree(t, c)
	}
}

func TestARenewalThatIsRefusedHoldsTheOrder(t *testing.T) {
	t.Parallel()
	for _, how := range []payment.Status{payment.Declined, payment.ActionRequired} {
		t.Run(string(how), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			s := w.shop(t)
			sandboxed, _ := s.Gateways.Provider("sandbox")
			refuses := &refusing{Provider: sandboxed}
			s.Gateways = gateways{"sandbox": refuses}
			s.place(t, basic("o"))
			refuses.from(how)
			err := s.do(t.Context(), "o", process.Reauthorise, "p1-o")
			if err == nil || !strings.Contains(err.Error(), map[payment.Status]string{payment.Declined: "card-declined", payment.ActionRequired: "authentication-required"}[how]) {
				t.Errorf("the reason is %v", err)
			}
			o := s.order(t, "o")
			if o.Status != domainorder.StatusOnHold || o.Holds[0].Reason != domainorder.HoldManual {
				t.Errorf("the order is %s, %+v", o.Status, o.Holds)
			}
			if p := s.payment(t, "p1-o"); p.Status != domainpayment.StatusAuthorised {
				t.Errorf("what is held is %s", p.Status)
			}
			if how == payment.ActionRequired { // the shopper comes back to it
				if entry, err := w.sandbox.Act(t.Context(), second("o"), true); err != nil || entry.Status != "voided" {
					t.Errorf("the gateway has the renewal as %+v, %v", entry, err)
				}
			}
			s.must(t, "o", process.Reauthorise, "p1-o") // people know
			s.tell(t, "o", domainorder.ReleaseHold{By: "me"})
			s.must(t, "o", process.Reauthorise, "p1-o")
			if o := s.order(t, "o"); o.Status != domainorder.StatusPlaced {
				t.Errorf("the order is %s again", o.Status)
			}
		})
	}
}

func TestNothingIsRenewedThatNobodyNeeds(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]func(t *testing.T, s *shop){
		"all is captured": func(t *testing.T, s *shop) {
			t.Helper()
			s.must(t, "o", process.Capture, "order")
		},
		"the order is cancelled": func(t *testing.T, s *shop) {
			t.Helper()
			s.tell(t, "o", cancelled)
			waits(t, s.do(t.Context(), "o", process.Reauthorise, "p1-o"))
			s.must(t, "o", process.Cancel, "x")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newWorld(t).shop(t)
			s.place(t, basic("o"))
			before(t, s)
			s.must(t, "o", process.Reauthorise, "p1-o")
			if p := s.payment(t, second("o")); p.Status != "" {
				t.Errorf("the second payment is %s", p.Status)
			}
			s.agree(t, basic("o"))
		})
	}
}

// A cancellation and a renewal meet: whichever is first, no money stays held.
func TestARenewalMeetsACancellation(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"payment announced", "renewal asked", "renewal authorised", "void announced", "void asked"} {
		for _, killed := range []bool{false, true} {
			t.Run(step, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				s := w.shop(t)
				c := basic("o")
				s.place(t, c)
				other := s.again(t)
				s.Fault = func(at string) error {
					if at != step {
						return nil
					}
					s.Fault = nil
					s.tell(t, "o", cancelled)
					_ = other.do(t.Context(), "o", process.Cancel, "x")
					if killed {
						return errKilled
					}
					return nil
				}
				_ = s.do(t.Context(), "o", process.Reauthorise, "p1-o")
				w.advance(time.Minute)
				next := s.again(t)
				for range 3 {
					_ = next.do(t.Context(), "o", process.Cancel, "x")
					_ = next.do(t.Context(), "o", process.Reauthorise, "p1-o")
				}
				if o := s.order(t, "o"); o.Status != domainorder.StatusCancelled {
					t.Errorf("the order is %s", o.Status)
				}
				if err := next.work(t, "o"); err != nil {
					t.Error(err)
				}
				s.agree(t, c)
			})
		}
	}
}

func TestHoldsEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.shop(t)
	s.place(t, basic("o"))
	s.tell(t, "o", domainorder.Hold{HoldID: "h1", Reason: domainorder.HoldFraud, Until: noon.Add(time.Hour)})
	s.tell(t, "o", domainorder.Hold{HoldID: "h2", Reason: domainorder.HoldAddress, Until: noon.Add(2 * time.Hour)})
	w.advance(time.Hour)
	s.must(t, "o", process.ReleaseHold, "h1")
	if o := s.order(t, "o"); o.Status != domainorder.StatusOnHold {
		t.Errorf("held for two reasons, and %s after the first", o.Status)
	}
	w.advance(time.Hour)
	s.must(t, "o", process.ReleaseHold, "h2")
	s.must(t, "o", process.ReleaseHold, "h2")
	if o := s.order(t, "o"); o.Status != domainorder.StatusPlaced {
		t.Errorf("the order is %s", o.Status)
	}
	s.tell(t, "o", domainorder.Hold{HoldID: "h3", Reason: domainorder.HoldManual})
	s.must(t, "o", process.ReleaseHold, "h1")
	if o := s.order(t, "o"); o.Status != domainorder.StatusOnHold {
		t.Errorf("an old hold released another one: %s", o.Status)
	}
}

func TestOrdersComplete(t *testing.T) {
	t.Parallel()
	c := basic("o")
	s := delivered(t, c)
	s.must(t, "o", process.Complete, "order") // refused, which is no failure
	s.tell(t, "o", domainorder.MarkDelivered{ShipmentID: "a", At: noon})
	s.tell(t, "o", refund("r", 1))
	s.must(t, "o", process.Complete, "order")
	if o := s.order(t, "o"); o.Status != domainorder.StatusDelivered {
		t.Errorf("the order is %s with an open refund", o.Status)
	}
	s.must(t, "o", process.Refund, "r")
	s.must(t, "o", process.Complete, "order")
	s.must(t, "o", process.Complete, "order")
	if o := s.order(t, "o"); o.Status != domainorder.StatusCompleted {
		t.Errorf("the order is %s", o.Status)
	}
}

func TestAShortageHoldsTheOrder(t *testing.T) {
	t.Parallel()
	s := newWorld(t).shop(t)
	c := basic("o")
	s.place(t, c)
	item := stock.Item{Location: "main", SKU: "o-0"}
	change := func(delta int, ref string) {
		t.Helper()
		if _, err := s.writer.Handle(t.Context(), meta(ref), item, domainstock.Adjust{Delta: delta, Reason: "counted", Ref: ref}); err != nil {
			t.Fatal(err)
		}
	}
	ref := "main.o-0#4"
	s.must(t, "o", process.HoldShortage, ref) // nothing is short
	change(-9, "lost")
	change(9, "found")
	s.must(t, "o", process.HoldShortage, ref) // it is back
	if o := s.order(t, "o"); o.Status != domainorder.StatusPlaced {
		t.Errorf("the order is %s", o.Status)
	}
	change(-9, "lost again")
	s.must(t, "o", process.HoldShortage, ref)
	s.must(t, "o", process.HoldShortage, ref)
	if o := s.order(t, "o"); o.Status != domainorder.StatusOnHold || len(o.Holds) != 1 || o.Holds[0].Reason != domainorder.HoldStockShortfall {
		t.Errorf("the order is %s, %+v", o.Status, o.Holds)
	}
	s.tell(t, "o", domainorder.ReleaseHold{By: "me"})
	s.must(t, "o", process.HoldShortage, ref)
	if o := s.order(t, "o"); o.Status != domainorder.StatusPlaced {
		t.Errorf("somebody let it go on, and the order is %s", o.Status)
	}
}

// A process dies after it announced a renewal; money is captured before another
// one goes on: no more is held than is still to be paid.
func TestARenewalThatWasNotAskedForHoldsNoMoreThanIsLeft(t *testing.T) {
	t.Parallel()
	s := newWorld(t).shop(t)
	c := basic("o")
	s.place(t, c)
	s.Fault = func(step string) error {
		if step == "payment announced" {
			return errKilled
		}
		return nil
	}
	if err := s.do(t.Context(), "o", process.Reauthorise, "p1-o"); !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	s = s.again(t)
	s.parcel(t, "o", "a", 1, 1)
	s.must(t, "o", process.ShipStock, "a")
	s.must(t, "o", process.Capture, "a")
	s.must(t, "o", process.Reauthorise, "p1-o")
	third := eventstore.DeriveID("next payment", second("o"))
	if p, q := s.payment(t, second("o")), s.payment(t, third); p.Status != domainpayment.StatusNotFound || q.Capturable() != eur(918) {
		t.Errorf("the second is %s, the third holds %s", p.Status, q.Capturable())
	}
	s.agree(t, c)
}
