package fulfilment_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	domainorder "github.com/waybill-dev/waybill/domain/order"
	domainpayment "github.com/waybill-dev/waybill/domain/payment"
	"github.com/waybill-dev/waybill/handlers/process"
)

// A line that was taken out is not on the order any more when it is cancelled:
// its units are given back all the same.
func TestALineIsTakenOutAndTheOrderIsCancelled(t *testing.T) {
	t.Parallel()
	s := newWorld(t).shop(t)
	s.place(t, basic("o"))
	s.editLine(t, "e", 0, 0)
	s.tell(t, "o", cancelled)
	waits(t, s.do(t.Context(), "o", process.Edit, "e"))
	s.must(t, "o", process.Cancel, "x")
	s.must(t, "o", process.Edit, "e")
	s.agree(t, basic("o"))
}

// The money was given back before the parcel overtook the cancellation: what is
// shipped is paid for again.
func TestAParcelOvertakesACancellationThatHasPaidBack(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		parcel   []int
		captured int64 // beyond what was given back
	}{
		"a part of it": {[]int{1, 0}, 733},
		"all of it":    {[]int{3, 2}, 1901},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newWorld(t).shop(t)
			s.place(t, basic("o"))
			s.must(t, "o", process.Capture, "order")
			s.tell(t, "o", cancelled)
			s.Fault = func(step string) error {
				if strings.HasPrefix(step, "refund done") {
					s.Fault = nil
					s.parcel(t, "o", "a", c.parcel...)
				}
				return nil
			}
			s.must(t, "o", process.Cancel, "x")
			if len(s.order(t, "o").Holds) > 0 {
				s.tell(t, "o", domainorder.ReleaseHold{By: "me"})
			}
			if err := s.work(t, "o"); err != nil {
				t.Fatal(err)
			}
			if m := s.order(t, "o").Money(); m.Refunded != eur(1901) || m.Captured.Amount-m.Refunded.Amount != c.captured {
				t.Errorf("%s captured, %s given back", m.Captured, m.Refunded)
			}
			if err := s.world.sandbox.Audit(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// One of the two payments that a refund is taken from gives nothing back. The
// next attempt pays what is missing, not all of it once more.
func TestARefundThatFailedInPartIsNotPaidTwice(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		after func(t *testing.T, s *shop)
		ships bool
		want  int64
	}{
		"of a return": {func(t *testing.T, s *shop) {
			t.Helper()
			s.comeBack(t, "o", "back", domainorder.ForRefund, 3, 0)
		}, true, 1000},
		"of a cancellation": {func(t *testing.T, s *shop) {
			t.Helper()
			s.tell(t, "o", cancelled)
		}, false, 1168},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newWorld(t).shop(t)
			client := s.Gateways.(gateways)["sandbox"]
			picky := &declinesRefunds{Provider: once{client, ""}}
			s.Gateways = gateways{"sandbox": picky}
			s.place(t, basic("o"))
			s.parcel(t, "o", "a", 1, 0) // 7.33 of the first payment
			if err := s.work(t, "o"); err != nil {
				t.Fatal(err)
			}
			// The rest is taken by hand, of the second.
			s.pay(t, s.order(t, "o").Payments[1].PaymentID, domainpayment.RequestCapture{CaptureID: "rest", Amount: eur(1168)})
			if c.ships {
				s.parcel(t, "o", "b", 2, 2)
			}
			if err := s.work(t, "o"); err != nil {
				t.Fatal(err)
			}
			picky.after(1, 1)
			c.after(t, s)
			if err := s.work(t, "o"); err != nil {
				t.Fatal(err)
			}
			if m := s.order(t, "o").Money(); m.Refunded != eur(c.want) {
				t.Errorf("%s given back", m.Refunded)
			}
			s.agree(t, basic("o"))
		})
	}
}

// What was shipped is paid for although its authorisation ran out, and the rest
// was cancelled before anybody noticed.
func TestWhatWasShippedBeforeACancellationIsPaidFor(t *testing.T) {
	t.Parallel()
	s := newWorld(t).shop(t)
	s.place(t, basic("o"))
	s.world.advance(8 * 24 * time.Hour)
	s.parcel(t, "o", "a", 1, 0)
	s.tell(t, "o", cancelled)
	s.must(t, "o", process.Cancel, "x")
	if err := s.work(t, "o"); err != nil {
		t.Fatal(err)
	}
	o := s.order(t, "o")
	if m := o.Money(); o.Status != domainorder.StatusCancelled || m.Captured != eur(733) || m.Held != eur(733) {
		t.Errorf("%s, %s captured, %s held", o.Status, m.Captured, m.Held)
	}
	s.agree(t, basic("o"))
}

// An order is shipped and paid for while its authorisation is renewed: nothing
// more is held.
func TestNothingIsHeldThatNobodyNeeds(t *testing.T) {
	t.Parallel()
	s := newWorld(t).shop(t)
	s.place(t, basic("o"))
	s.world.advance(6 * 24 * time.Hour)
	s.Fault = func(step string) error {
		if step == "renewal asked" {
			s.Fault = nil
			s.parcel(t, "o", "a", 3, 2)
			s.must(t, "o", process.ShipStock, "a")
			s.must(t, "o", process.Capture, "a")
		}
		return nil
	}
	s.must(t, "o", process.Reauthorise, "p1-o")
	for id, p := range s.chain(t, s.order(t, "o")) {
		if p.Capturable().Amount > 0 {
			t.Errorf("%s holds %s", id, p.Capturable())
		}
	}
	s.agree(t, basic("o"))
}

// Somebody asks for a capture while the order is edited, and looked at what it
// cost before: what is too much is given back, once, wherever the process dies
// that takes the money.
func TestACaptureThatAnEditOvertookIsGivenBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	todo := w.shop(t).list(t)
	for gap, dead := 0, true; dead; gap++ {
		s := w.shop(t)
		c := basic(fmt.Sprint("o", gap))
		o := s.place(t, c)
		s.tell(t, c.id, fewer(o.Lines[0], "e", 1))
		todo.workOff(s)
		s.pay(t, "p1-"+c.id, domainpayment.RequestCapture{CaptureID: "by-hand-" + c.id, Amount: o.Totals.Grand})
		fault, killed := killAfter(gap)
		s.Fault = fault
		err := s.do(t.Context(), c.id, process.Movement, "p1-"+c.id+"/by-hand-"+c.id)
		if dead = killed(); dead != (err != nil) {
			t.Fatal(err)
		}
		last := s.again(t)
		todo.workOff(last)
		m, costs := s.order(t, c.id).Money(), s.order(t, c.id).Totals.Grand
		if m.Captured != o.Totals.Grand || m.Captured.Amount-m.Refunded.Amount != costs.Amount {
			t.Errorf("killed at gap %d: %s captured, %s given back, for an order of %s", gap, m.Captured, m.Refunded, costs)
		}
		last.agree(t, c)
	}
}
