package payment_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/payment"
)

// model is the money of a payment as the specification has it: sums, and
// nothing of how they came about.
type model struct {
	authorised, captured, capturing, refunded, refunding, chargedBack int64
	final                                                             bool
	amounts                                                           map[string]int64
}

// follow adds an event up.
func (m *model) follow(e payment.Event) {
	switch e := e.(type) {
	case payment.PaymentAuthorised:
		m.authorised = e.Amount.Amount
	case payment.PaymentCaptureRequested:
		m.capturing += e.Amount.Amount
		m.amounts[e.CaptureID] = e.Amount.Amount
		if e.Final {
			m.amounts["final"+e.CaptureID], m.final = 1, true
		}
	case payment.PaymentCaptured:
		m.capturing -= m.amounts[e.CaptureID]
		m.captured += e.Amount.Amount
	case payment.PaymentCaptureFailed:
		m.capturing -= m.amounts[e.CaptureID]
		m.final = m.final && m.amounts["final"+e.CaptureID] == 0
	case payment.PaymentRefundRequested:
		m.refunding += e.Amount.Amount
		m.amounts[e.RefundID] = e.Amount.Amount
	case payment.PaymentRefunded:
		m.refunding -= m.amounts[e.RefundID]
		m.refunded += e.Amount.Amount
	case payment.PaymentRefundFailed:
		m.refunding -= m.amounts[e.RefundID]
	case payment.PaymentChargedBack:
		m.chargedBack += e.Amount.Amount
	default: // moves no money
	}
}

// allows says whether the model lets a capture, refund or case of a new id begin.
func (m *model) allows(c payment.Command) bool {
	switch c := c.(type) {
	case payment.RequestCapture:
		return !m.final && m.captured+m.capturing+c.Amount.Amount <= m.authorised
	case payment.RequestRefund:
		return m.refunded+m.refunding+m.chargedBack+c.Amount.Amount <= m.captured
	case payment.ChargeBack:
		return m.chargedBack+c.Amount.Amount <= m.captured
	default:
		return true
	}
}

// Whatever comes in whichever order: no more is captured than authorised and
// no more refunded than captured, exactly what the model allows is allowed, an
// accepted command causes nothing the second time, and no state changes by
// what is folded onto it.
func TestMoneyIsTakenAndGivenBackWithinLimits(t *testing.T) {
	t.Parallel()
	var captures, refunds, refusals int
	for seed := range uint64(400) {
		random := rand.New(rand.NewPCG(seed, 11))
		s := payment.State{}
		m := model{amounts: map[string]int64{}}
		for _, e := range given() {
			s = payment.Decider.Evolve(s, e)
			m.follow(e)
		}
		for range 60 {
			c := anyCommand(random)
			before := fmt.Sprintf("%+v", s)
			got, err := payment.Decider.Decide(s, c)
			next := payment.Decider.Fold(s, got...)
			if after := fmt.Sprintf("%+v", s); after != before {
				t.Fatalf("seed %d: %#v changed the state it was decided on:\n%s\n%s", seed, c, before, after)
			}
			if err == nil {
				if again, err := payment.Decider.Decide(next, c); err != nil || len(again) > 0 {
					t.Fatalf("seed %d: %#v again: %v, %v", seed, c, again, err)
				}
			}
			if len(got) > 0 && !m.allows(c) {
				t.Fatalf("seed %d: %#v was allowed at %+v", seed, c, m)
			}
			if tooMuch(err) {
				refusals++
				if m.allows(c) {
					t.Fatalf("seed %d: %#v was refused at %+v: %v", seed, c, m, err)
				}
			}
			for _, e := range got {
				m.follow(e)
			}
			s = next
			m.holds(t, s)
		}
		captures += len(s.Captures)
		refunds += len(s.Refunds)
	}
	if captures < 400 || refunds < 200 || refusals < 400 {
		t.Errorf("%d captures, %d refunds, %d refusals: too few to show anything", captures, refunds, refusals)
	}
}

func tooMuch(err error) bool {
	return errors.Is(err, payment.ErrExceedsAuthorised) || errors.Is(err, payment.ErrExceedsCaptured)
}

func (m *model) holds(t *testing.T, s payment.State) {
	t.Helper()
	if m.captured+m.capturing > m.authorised || m.refunded+m.refunding > m.captured || m.chargedBack > m.captured {
		t.Fatalf("more than there is: %+v", m)
	}
	if s.Captured() != eur(m.captured) || s.Refunded() != eur(m.refunded) || s.ChargedBack() != eur(m.chargedBack) {
		t.Fatalf("the state has %v, %v and %v, the model %+v", s.Captured(), s.Refunded(), s.ChargedBack(), m)
	}
	refundable := max(0, m.captured-m.refunded-m.refunding-m.chargedBack)
	if s.Refundable() != eur(refundable) {
		t.Fatalf("refundable is %v at %+v", s.Refundable(), m)
	}
	capturable := m.authorised - m.captured - m.capturing
	if m.final || s.Status != payment.StatusAuthorised {
		capturable = 0
	}
	if s.Capturable() != eur(capturable) {
		t.Fatalf("capturable is %v in %s at %+v", s.Capturable(), s.Status, m)
	}
	if s.Status == payment.StatusVoided && m.capturing > 0 {
		t.Fatalf("voided while a capture is under way: %+v", m)
	}
}

func anyCommand(random *rand.Rand) payment.Command {
	id := fmt.Sprint(random.IntN(6))
	amount := domain.Money{Amount: int64(1 + random.IntN(4)*400), Currency: "EUR"}
	switch random.IntN(60) {
	case 0:
		return payment.RequestVoid{Reason: "x"}
	case 1:
		return payment.Void{}
	case 2:
		return payment.Expire{}
	case 3, 4:
		return payment.FailVoid{Code: "x"}
	case 5, 6:
		return payment.ChargeBack{CaseRef: id, Amount: amount}
	case 7:
		return payment.Decline{Code: "x"}
	case 8:
		return payment.Authorise{GatewayRef: "ref", Amount: eur(9000)}
	case 9:
		return payment.RequireAction{URL: "u"}
	}
	switch random.IntN(6) {
	case 0:
		return payment.RequestCapture{CaptureID: "c" + id, Amount: amount, Final: random.IntN(8) == 0}
	case 1:
		return payment.Capture{CaptureID: "c" + id, GatewayRef: "ch"}
	case 2:
		return payment.FailCapture{CaptureID: "c" + id, Code: "x"}
	case 3:
		return payment.RequestRefund{RefundID: "r" + id, Amount: amount}
	case 4:
		return payment.Refund{RefundID: "r" + id, GatewayRef: "re"}
	}
	return payment.FailRefund{RefundID: "r" + id, Code: "x"}
}
