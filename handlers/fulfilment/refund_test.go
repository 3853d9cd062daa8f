package fulfilment_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	domainorder "github.com/waybill-dev/waybill/domain/order"
	domainpayment "github.com/waybill-dev/waybill/domain/payment"
	"github.com/waybill-dev/waybill/handlers/process"
)

func refund(id string, amount int64) domainorder.RequestRefund {
	return domainorder.RequestRefund{RefundID: id, Amount: eur(amount), Reason: "goodwill"}
}

func TestARefund(t *testing.T) {
	t.Parallel()
	for how, want := range map[string]domainorder.RefundStatus{
		"approved": domainorder.RefundDone, "refund-timeout": domainorder.RefundDone,
		"refund-error": domainorder.RefundPending, "refund-declined": domainorder.RefundFailed,
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			s := newWorld(t).shop(t)
			c := basic("o")
			c.method = "sandbox:" + how
			s.place(t, c)
			s.must(t, "o", process.Capture, "order")
			s.tell(t, "o", refund("r1", 600))
			for range 3 {
				_ = s.do(t.Context(), "o", process.Refund, "r1")
			}
			o := s.order(t, "o")
			if o.Refunds[0].Status != want || len(s.payment(t, "p1-o").Refunds) != 1 {
				t.Errorf("the refund is %s, the payment has %+v", o.Refunds[0].Status, s.payment(t, "p1-o").Refunds)
			}
			s.agree(t, c)
		})
	}
}

// twoPayments is an order of which 9.83 were captured by one payment, and
// 9.18 by the one that replaced it.
func twoPayments(t *testing.T, id string) (*world, *shop, cart) {
	t.Helper()
	w := newWorld(t)
	s := w.shop(t)
	c := basic(id)
	s.place(t, c)
	s.parcel(t, id, "a", 1, 1)
	s.must(t, id, process.Capture, "a")
	w.advance(8 * 24 * time.Hour)
	s.parcel(t, id, "b", 2, 1)
	if err := s.work(t, id); err != nil {
		t.Fatal(err)
	}
	return w, s, c
}

func TestARefundOutOfTwoPayments(t *testing.T) {
	t.Parallel()
	_, s, c := twoPayments(t, "o")
	s.tell(t, "o", refund("r1", 983+100))
	s.must(t, "o", process.Refund, "r1")
	s.tell(t, "o", refund("r2", 918-100))
	s.must(t, "o", process.Refund, "r2")
	o := s.order(t, "o")
	if o.Refunds[0].Status != domainorder.RefundDone || o.Refunds[1].Status != domainorder.RefundDone ||
		o.PaymentStatus() != domainorder.Refunded || o.Refundable() != eur(0) {
		t.Errorf("%+v, %s", o.Refunds, o.PaymentStatus())
	}
	s.agree(t, c)
}

// A bank took the money back, and the order has not heard: the refund fails.
func TestARefundOfMoneyThatIsGone(t *testing.T) {
	t.Parallel()
	s := newWorld(t).shop(t)
	c := basic("o")
	s.place(t, c)
	s.must(t, "o", process.Capture, "order")
	s.pay(t, "p1-o", domainpayment.ChargeBack{CaseRef: "case", Amount: eur(1901)})
	s.tell(t, "o", refund("r1", 600))
	s.must(t, "o", process.Refund, "r1")
	if o := s.order(t, "o"); o.Refunds[0].Status != domainorder.RefundFailed {
		t.Errorf("%+v", o.Refunds)
	}
}

// A gateway that captures once lets go of the rest, which is authorised anew.
func TestAGatewayThatCapturesOnce(t *testing.T) {
	t.Parallel()
	s := newWorld(t).shop(t)
	sandboxed, _ := s.Gateways.Provider("sandbox")
	s.Gateways = gateways{"sandbox": once{sandboxed, ""}}
	c := basic("o")
	s.place(t, c)
	s.parcel(t, "o", "a", 1, 1)
	if err := s.work(t, "o"); err != nil {
		t.Fatal(err)
	}
	if p := s.payment(t, "p1-o"); len(p.Captures) != 1 || !p.Captures[0].Final {
		t.Errorf("%+v", p.Captures)
	}
	if o := s.order(t, "o"); len(o.Payments) != 2 || o.Money().Held != eur(1901) {
		t.Errorf("%s is held by %+v", o.Money().Held, o.Payments)
	}
	s.parcel(t, "o", "b", 2, 1)
	if err := s.work(t, "o"); err != nil {
		t.Fatal(err)
	}
	if o := s.order(t, "o"); o.PaymentStatus() != domainorder.Captured || o.Money().Captured != eur(1901) {
		t.Errorf("%s of %s", o.PaymentStatus(), o.Money().Captured)
	}
	s.agree(t, c)
}

// Two capture the money for a parcel at once, by a payment that was renewed for
// more than that: one of them before the other one knows of it.
func TestARenewalIsCapturedOnce(t *testing.T) {
	t.Parallel()
	s := newWorld(t).shop(t)
	sandboxed, _ := s.Gateways.Provider("sandbox")
	s.Gateways = gateways{"sandbox": once{sandboxed, "p1"}}
	c := basic("o")
	s.place(t, c)
	s.parcel(t, "o", "a", 1, 1)
	at := func(when string, do func() error) {
		s.Fault = func(step string) error {
			if !strings.HasPrefix(step, when) {
				return nil
			}
			s.Fault = nil
			return do()
		}
	}
	at("capture done", func() error { return errKilled })
	if err := s.do(t.Context(), "o", process.Capture, "a"); !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	s.parcel(t, "o", "b", 1, 0)
	at("payment p1-o copied", func() error {
		other := s.again(t)
		other.must(t, "o", process.Capture, "a")
		other.must(t, "o", process.Capture, "b")
		return nil
	})
	s.must(t, "o", process.Capture, "b")
	if m := s.order(t, "o").Money(); m.Captured != eur(983+333) {
		t.Errorf("%s captured", m.Captured)
	}
	if err := s.work(t, "o"); err != nil {
		t.Error(err)
	}
	s.agree(t, c)
}
