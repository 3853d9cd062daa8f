package fulfilment_test

import (
	"errors"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/domain"
	domainorder "github.com/waybill-dev/waybill/domain/order"
	domainpayment "github.com/waybill-dev/waybill/domain/payment"
	"github.com/waybill-dev/waybill/handlers/orders"
	"github.com/waybill-dev/waybill/handlers/process"
)

// captures are the amounts that were captured, in their order.
func captures(p domainpayment.State) (amounts []int64) {
	for _, m := range p.Captures {
		if m.Status == domainpayment.MovementDone {
			amounts = append(amounts, m.Amount.Amount)
		}
	}
	return amounts
}

func waits(t *testing.T, err error) {
	t.Helper()
	if _, waits := errors.AsType[*process.NotYetError](err); !waits {
		t.Errorf("got %v, want to wait", err)
	}
}

// The shipping is paid with the first parcel, and the last unit of a line takes
// what is left of its price.
func TestEachParcelIsPaidFor(t *testing.T) {
	t.Parallel()
	s := newWorld(t).shop(t)
	c := basic("o")
	s.place(t, c)
	s.parcel(t, "o", "a", 1, 0)
	s.must(t, "o", process.ShipStock, "a")
	s.must(t, "o", process.Capture, "a")
	s.parcel(t, "o", "b", 1, 1)
	s.must(t, "o", process.Capture, "b")
	if o := s.order(t, "o"); o.PaymentStatus() != domainorder.PartiallyCaptured || o.Money().Captured != eur(733+583) {
		t.Errorf("the order is %s with %s", o.PaymentStatus(), o.Money().Captured)
	}
	s.parcel(t, "o", "c", 1, 1)
	if err := s.work(t, "o"); err != nil {
		t.Fatal(err)
	}
	p := s.payment(t, "p1-o")
	if got := captures(p); len(got) != 3 || got[0] != 733 || got[1] != 583 || got[2] != 585 || !p.Captures[2].Final || p.Captures[1].Final {
		t.Errorf("captured %v, %+v", got, p.Captures)
	}
	if o := s.order(t, "o"); o.PaymentStatus() != domainorder.Captured {
		t.Errorf("the order is %s", o.PaymentStatus())
	}
	s.agree(t, c)
}

func TestACaptureWaits(t *testing.T) {
	t.Parallel()
	s := newWorld(t).shop(t)
	c := basic("o")
	s.place(t, c)
	s.parcel(t, "o", "a", 1, 0)
	s.tell(t, "o", domainorder.Hold{HoldID: "h", Reason: domainorder.HoldFraud})
	waits(t, s.do(t.Context(), "o", process.Capture, "a"))
	s.tell(t, "o", domainorder.ReleaseHold{By: "me"})
	s.tell(t, "o", domainorder.RequestCancel{RequestID: "x", Reason: "late", By: "me"})
	waits(t, s.do(t.Context(), "o", process.Capture, "a"))
	s.tell(t, "o", domainorder.RefuseCancel{Reason: "no"})
	if got := captures(s.payment(t, "p1-o")); len(got) > 0 {
		t.Fatalf("captured %v too early", got)
	}
	s.must(t, "o", process.Capture, "a")
	s.must(t, "o", process.ShipStock, "a")
	if got := captures(s.payment(t, "p1-o")); len(got) != 1 || got[0] != 733 {
		t.Errorf("captured %v", got)
	}
	s.agree(t, c)
}

// A gateway that captures and answers too late is looked up, one that fails is
// asked again with the same id, and one that refuses with another.
func TestACaptureThatDoesNotSucceedAtOnce(t *testing.T) {
	t.Parallel()
	s := newWorld(t).shop(t)
	for _, how := range []string{"timeout", "error", "declined"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			c := basic("o-" + how)
			c.method = "sandbox:capture-" + how
			s.place(t, c)
			s.parcel(t, c.id, "a", 3, 2)
			s.must(t, c.id, process.ShipStock, "a")
			if err := s.do(t.Context(), c.id, process.Capture, "a"); err == nil {
				t.Error("that is a failure")
			}
			err := s.do(t.Context(), c.id, process.Capture, "a")
			p := s.payment(t, "p1-"+c.id)
			switch how {
			case "timeout":
				if got := captures(p); err != nil || len(got) != 1 || got[0] != 1901 {
					t.Errorf("captured %v, %v", got, err)
				}
			case "error":
				if err == nil || len(p.Captures) != 1 || p.Captures[0].Status != domainpayment.MovementRequested {
					t.Errorf("%+v, %v", p.Captures, err)
				}
				return // under way
			case "declined":
				if err == nil || len(p.Captures) != 2 || p.Captures[0].ID == p.Captures[1].ID {
					t.Errorf("%+v, %v", p.Captures, err)
				}
			}
			s.agree(t, c)
		})
	}
}

func TestMoneyTakenByHandIsNotTakenAgain(t *testing.T) {
	t.Parallel()
	s := newWorld(t).shop(t)
	c := basic("o")
	s.place(t, c)
	s.pay(t, "p1-o", domainpayment.RequestCapture{CaptureID: "by-hand", Amount: eur(1000)})
	s.parcel(t, "o", "a", 1, 0)
	s.must(t, "o", process.Movement, "p1-o/by-hand")
	s.must(t, "o", process.Movement, "p1-o/by-hand")
	s.must(t, "o", process.Capture, "a") // 7.33 are paid for
	s.parcel(t, "o", "b", 2, 2)
	if err := s.work(t, "o"); err != nil {
		t.Fatal(err)
	}
	if got := captures(s.payment(t, "p1-o")); len(got) != 2 || got[0] != 1000 || got[1] != 901 {
		t.Errorf("captured %v", got)
	}
	s.agree(t, c)
}

func TestAnOrderCapturedAtOnce(t *testing.T) {
	t.Parallel()
	s := newWorld(t).shop(t)
	c := basic("o")
	s.place(t, c)
	s.must(t, "o", process.Capture, "order")
	s.parcel(t, "o", "a", 3, 2)
	if err := s.work(t, "o"); err != nil {
		t.Fatal(err)
	}
	if got := captures(s.payment(t, "p1-o")); len(got) != 1 || got[0] != 1901 {
		t.Errorf("captured %v", got)
	}
	s.agree(t, c)
}

// What is held runs out before anything is shipped: the same method is charged
// again, by another payment.
func TestAnAuthorisationThatRanOutIsReplaced(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.shop(t)
	c := basic("o")
	s.place(t, c)
	s.parcel(t, "o", "a", 1, 1)
	s.must(t, "o", process.Capture, "a")
	w.advance(8 * 24 * time.Hour)
	s.parcel(t, "o", "b", 2, 1)
	if err := s.work(t, "o"); err != nil {
		t.Fatal(err)
	}
	o := s.order(t, "o")
	if len(o.Payments) != 2 || o.PaymentStatus() != domainorder.Captured || o.Money().Captured != eur(1901) || !o.Payments[0].Expired {
		t.Errorf("%s of %+v", o.PaymentStatus(), o.Payments)
	}
	s.agree(t, c)
}

func TestTheOrderHearsWhatHappenedToItsPayment(t *testing.T) {
	t.Parallel()
	s := newWorld(t).shop(t)
	c := basic("o")
	s.place(t, c)
	s.must(t, "o", process.Capture, "order")
	if err := s.world.sandbox.ChargeBack(t.Context(), "p1-o", "case", 500); err != nil {
		t.Fatal(err)
	}
	s.pay(t, "p1-o", domainpayment.ChargeBack{CaseRef: "case", Amount: eur(500)})
	s.must(t, "o", process.CopyPayment, "p1-o")
	s.must(t, "o", process.CopyPayment, "p1-o")
	if o := s.order(t, "o"); o.PaymentStatus() != domainorder.ChargedBack || o.Refundable() != eur(1401) {
		t.Errorf("%s, %s may be given back", o.PaymentStatus(), o.Refundable())
	}
	s.must(t, "nobody", process.CopyPayment, "p1-o")
}

// Whatever ends what a payment holds is told to the order, once, and moves its
// money and nothing else.
func TestTheOrderHearsHowAPaymentEnds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ends   []domainpayment.Command
		status domainorder.PaymentStatus
		kind   domainorder.PaymentKind
		held   int64
	}{
		"it expires": {[]domainpayment.Command{domainpayment.Expire{}}, domainorder.Expired, domainorder.PaymentExpired, 0},
		"it is let go": {
			[]domainpayment.Command{domainpayment.RequestVoid{Reason: "asked"}, domainpayment.Void{}}, domainorder.Voided, domainorder.PaymentVoided, 0,
		},
		"it is not let go": {
			[]domainpayment.Command{domainpayment.RequestVoid{Reason: "asked"}, domainpayment.FailVoid{Code: "no"}},
			domainorder.Authorised, domainorder.PaymentFailed, 1901,
		},
		"a capture fails": {
			[]domainpayment.Command{domainpayment.RequestCapture{CaptureID: "c", Amount: eur(100)}, domainpayment.FailCapture{CaptureID: "c", Code: "no"}},
			domainorder.Authorised, domainorder.PaymentFailed, 1901,
		},
		"it expires after a part was captured": {
			[]domainpayment.Command{
				domainpayment.RequestCapture{CaptureID: "c", Amount: eur(100)}, domainpayment.Capture{CaptureID: "c", GatewayRef: "r"}, domainpayment.Expire{},
			},
			domainorder.Captured, domainorder.PaymentExpired, 100,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newWorld(t).shop(t)
			s.place(t, basic("o"))
			for _, command := range c.ends {
				s.pay(t, "p1-o", command)
			}
			s.must(t, "o", process.CopyPayment, "p1-o")
			s.must(t, "o", process.CopyPayment, "p1-o")
			o := s.order(t, "o")
			if o.PaymentStatus() != c.status || o.Payments[0].Last.Kind != c.kind || o.Money().Held != eur(c.held) || o.Status != domainorder.StatusPlaced {
				t.Errorf("the order is %s and %s after %s, with %s held", o.Status, o.PaymentStatus(), o.Payments[0].Last.Kind, o.Money().Held)
			}
		})
	}
}

// Two capture at once: one of them has looked at the payment before the other
// one captured.
func TestTwoCapturesAtOnce(t *testing.T) {
	t.Parallel()
	s := newWorld(t).shop(t)
	c := basic("o")
	s.place(t, c)
	s.parcel(t, "o", "a", 1, 1)
	s.parcel(t, "o", "b", 1, 0)
	other := s.again(t)
	s.Fault = func(step string) error {
		if step == "authorisation looked up" {
			s.Fault = nil
			other.must(t, "o", process.Capture, "a")
			other.must(t, "o", process.Capture, "b")
		}
		return nil
	}
	s.must(t, "o", process.Capture, "b")
	if got := captures(s.payment(t, "p1-o")); len(got) != 2 || got[0] != 983 || got[1] != 333 {
		t.Errorf("captured %v", got)
	}
}

// What was given back because the order came to cost less may be captured by
// hand once it costs more again, and no more than that.
func TestMoneyGivenBackForAnEditIsOwedAgain(t *testing.T) {
	t.Parallel()
	s := newWorld(t).shop(t)
	c := basic("o")
	s.place(t, c)
	service := &orders.Service{Store: s.Store, Now: s.Now}
	capture := func(id string, amount *domain.Money) (orders.Captured, error) {
		return service.Capture(t.Context(), orders.Request{OrderID: "o", Meta: meta("by hand", id)}, orders.Capture{CaptureID: id, Amount: amount})
	}
	most := eur(1501)
	if _, err := capture("most", &most); err != nil {
		t.Fatal(err)
	}
	s.editLine(t, "fewer", 0, 0) // 10.00 less: 6.00 is given back
	if err := s.work(t, "o"); err != nil {
		t.Fatal(err)
	}
	if _, err := capture("nothing", nil); !errors.Is(err, domainpayment.ErrExceedsAuthorised) {
		t.Errorf("9.01 of 9.01 is paid: %v", err)
	}
	s.tell(t, "o", domainorder.Edit{EditID: "more", Lines: []domainorder.Line{{
		LineID: "l9", SKU: c.sku(1), Title: "Mug", Quantity: 1, UnitPrice: eur(400), Discount: eur(0), Tax: eur(0), Total: eur(400), Location: "main", ReservationID: "r-more",
	}}})
	much := eur(401)
	if _, err := capture("much", &much); !errors.Is(err, domainorder.ErrExceedsAuthorised) {
		t.Errorf("more than the 4.00 that are owed again: %v", err)
	}
	if done, err := capture("rest", nil); err != nil || done.Movement.Amount != eur(400) {
		t.Errorf("of the rest %s is captured, %v", done.Movement.Amount, err)
	}
	if err := s.work(t, "o"); err != nil {
		t.Fatal(err)
	}
	if m := s.order(t, "o").Money(); m.Captured != eur(1901) || m.Refunded != eur(600) {
		t.Errorf("%s captured, %s given back", m.Captured, m.Refunded)
	}
}
