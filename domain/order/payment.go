package order

import (
	"slices"

	"github.com/waybill-dev/waybill/domain"
)

// Payment is a payment as far as the order knows it.
type Payment struct {
	PaymentID       string
	Totals          PaymentTotals
	ChargedBack     domain.Money
	Voided, Expired bool
	Final           bool                // captured for the last time
	Moved           []Moved             // captured and refunded
	Last            OrderPaymentUpdated // its revision is -1 before the first
}

// Moved is money that a payment captured or refunded.
type Moved struct {
	Kind   PaymentKind
	Ref    string
	Amount domain.Money
}

// held is what may be captured of a payment or has been.
func (p Payment) held() domain.Money {
	if p.Voided || p.Expired || p.Final {
		return p.Totals.Captured
	}
	return p.Totals.Authorised
}

// PaymentStatus is how far the money of an order is.
type PaymentStatus string

// How far the money of an order may be.
const (
	Authorised        PaymentStatus = "authorised"
	PartiallyCaptured PaymentStatus = "partially_captured"
	Captured          PaymentStatus = "captured"
	PartiallyRefunded PaymentStatus = "partially_refunded"
	Refunded          PaymentStatus = "refunded"
	Voided            PaymentStatus = "voided"
	Expired           PaymentStatus = "expired"
	ChargedBack       PaymentStatus = "charged_back"
)

// PaymentStatus returns how far the money is, over all payments. It follows
// from the updates of payments alone.
func (s State) PaymentStatus() PaymentStatus {
	money := s.Money()
	ended := func(is func(Payment) bool) bool {
		return len(s.Payments) > 0 && !slices.ContainsFunc(s.Payments, func(p Payment) bool { return !p.Voided && !p.Expired }) &&
			slices.ContainsFunc(s.Payments, is)
	}
	switch {
	case money.ChargedBack.Amount > 0:
		return ChargedBack
	case money.Refunded.Amount > 0 && money.Refunded.Amount >= money.Captured.Amount:
		return Refunded
	case money.Refunded.Amount > 0:
		return PartiallyRefunded
	case money.Captured.Amount > 0 && money.Captured.Amount >= money.Held.Amount:
		return Captured
	case money.Captured.Amount > 0:
		return PartiallyCaptured
	case ended(func(p Payment) bool { return p.Expired }):
		return Expired
	case ended(func(p Payment) bool { return p.Voided }):
		return Voided
	}
	return Authorised
}

// Money is the sums of all payments of an order.
type Money struct {
	Held        domain.Money // captured, or authorised and still to be captured
	Captured    domain.Money
	Refunded    domain.Money
	ChargedBack domain.Money
}

// Money returns the sums of all payments.
func (s State) Money() Money {
	money, _ := s.money()
	return money
}

func (s State) money() (Money, error) {
	m := Money{s.amount(0), s.amount(0), s.amount(0), s.amount(0)}
	sum := sums{}
	for _, p := range s.Payments {
		m.Held = sum.add(m.Held, p.held())
		m.Captured = sum.add(m.Captured, p.Totals.Captured)
		m.Refunded = sum.add(m.Refunded, p.Totals.Refunded)
		m.ChargedBack = sum.add(m.ChargedBack, p.ChargedBack)
	}
	return m, sum.err
}

// countable refuses sums that are too large to be added up.
func (s State) countable() error {
	m, err := s.money()
	if err != nil {
		return err
	}
	sum := sums{}
	sum.add(sum.add(m.Captured, m.ChargedBack), m.Refunded)
	return sum.err
}

// Refundable is what may be given back: captured, and neither given back nor
// about to be. A refund counts once, whether the order or the payment has heard
// of it, or both.
func (s State) Refundable() domain.Money {
	m := s.Money()
	return s.amount(max(m.Captured.Amount-m.ChargedBack.Amount-m.Refunded.Amount-s.promised(), 0))
}

// Covered is how much the order may cost without another authorisation.
func (s State) Covered() domain.Money {
	m := s.Money()
	return s.amount(max(m.Held.Amount-m.ChargedBack.Amount-m.Refunded.Amount-s.promised(), 0))
}

// promised is the sum of what payments have not reported of the refunds that
// did not fail.
func (s State) promised() int64 {
	var n int64
	for _, r := range s.Refunds {
		if r.Status != RefundFailed {
			n += s.unreported(r)
		}
	}
	return n
}

// unreported is how much of a refund no payment has reported.
func (s State) unreported(r Refund) int64 {
	return max(r.Requested.Amount.Amount-s.Reported(r.Requested.RefundID), 0)
}

// Reported is how much of a refund payments have reported.
func (s State) Reported(refundID string) (n int64) {
	for _, p := range s.Payments {
		for _, m := range p.Moved {
			if m.Kind == PaymentRefunded && m.Ref == refundID {
				n += m.Amount.Amount
			}
		}
	}
	return n
}
