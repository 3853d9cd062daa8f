package order

import (
	"fmt"
	"slices"

	"github.com/waybill-dev/waybill/domain"
)

// inCurrency wants amounts of the order's currency.
func (s State) inCurrency(amounts ...domain.Money) error {
	for _, amount := range amounts {
		if amount.Currency != s.Currency {
			return domain.ErrCurrencyMismatch.With("currencies", []string{s.Currency, amount.Currency})
		}
	}
	return nil
}

func (s State) amount(n int64) domain.Money { return domain.Money{Amount: n, Currency: s.Currency} }

func (s State) updatePayment(c UpdatePayment) ([]Event, error) {
	e := OrderPaymentUpdated{s.OrderID, c.PaymentID, c.Revision, c.Kind, c.Ref, c.Amount, c.Totals, c.Final}
	var m mistakes
	m.name(c.PaymentID, "/payment_id")
	m.unless(c.Revision >= 0, "/payment_revision", "not negative")
	m.unless(slices.Contains(paymentKinds, c.Kind), "/kind", "authorised, captured, refunded, voided, failed, charged_back or expired")
	if c.Kind == PaymentCaptured || c.Kind == PaymentRefunded {
		m.name(c.Ref, "/ref")
	}
	t := c.Totals
	for _, amount := range []domain.Money{c.Amount, t.Authorised, t.Captured, t.Refunded} {
		m.unless(amount.Amount >= 0, "/totals", "no amount is negative")
	}
	if err := m.err(); err != nil {
		return nil, err
	}
	if err := s.inCurrency(c.Amount, t.Authorised, t.Captured, t.Refunded); err != nil {
		return nil, err
	}
	if p, known := s.payment(c.PaymentID); known && c.Revision <= p.Last.PaymentRevision {
		if c.Revision < p.Last.PaymentRevision {
			return nil, nil // it was overtaken: the totals of the later one include it
		}
		return nil, once(p.Last, e, "payment_revision", c.Revision)
	}
	switch {
	case t.Captured.Amount > t.Authorised.Amount:
		return nil, ErrExceedsAuthorised.With("payment_id", c.PaymentID)
	case t.Refunded.Amount > t.Captured.Amount:
		return nil, ErrExceedsCaptured.With("payment_id", c.PaymentID)
	}
	if err := s.updated(e).countable(); err != nil {
		return nil, err
	}
	return []Event{e}, nil
}

var paymentKinds = []PaymentKind{
	PaymentAuthorised, PaymentCaptured, PaymentRefunded, PaymentVoided, PaymentFailed, PaymentChargedBack, PaymentExpired,
}

func (s State) payment(id string) (Payment, bool) {
	return find(s.Payments, func(p Payment) bool { return p.PaymentID == id })
}

func (s State) requestRefund(c RequestRefund) ([]Event, error) {
	e := OrderRefundRequested{s.OrderID, c.RefundID, c.Amount, c.Reason, some(c.Lines)}
	if first, known := s.refund(c.RefundID); known {
		return nil, once(first.Requested, e, "refund_id", c.RefundID)
	}
	var m mistakes
	m.name(c.RefundID, "/refund_id")
	m.word(c.Reason, "/reason")
	m.unless(c.Amount.Amount > 0, "/amount", "more than nothing")
	if len(c.Lines) > 0 {
		m.units(s, c.Lines)
	}
	if err := m.err(); err != nil {
		return nil, err
	}
	if err := s.inCurrency(c.Amount); err != nil {
		return nil, err
	}
	if limit := s.Refundable(); c.Amount.Amount > limit.Amount {
		return nil, ErrExceedsCaptured.With("requested", c.Amount.String()).With("available", limit.String())
	}
	return []Event{e}, nil
}

func (s State) refund(id string) (Refund, bool) {
	return find(s.Refunds, func(r Refund) bool { return r.Requested.RefundID == id })
}

func (s State) completeRefund(c CompleteRefund) ([]Event, error) {
	r, known := s.refund(c.RefundID)
	switch {
	case !known:
		return nil, ErrUnknown.With("refund_id", c.RefundID)
	case r.Requested.Amount != c.Amount:
		return nil, ErrIDReused.With("refund_id", c.RefundID)
	case r.Status == RefundDone:
		return nil, nil
	case r.Status == RefundFailed:
		return nil, ErrTransition.With("state", string(r.Status)).With("command", "complete-refund").With("allowed", []string{})
	}
	return []Event{OrderRefunded{s.OrderID, c.RefundID, c.Amount}}, nil
}

func (s State) failRefund(c FailRefund) ([]Event, error) {
	var m mistakes
	m.name(c.Code, "/code")
	if err := m.err(); err != nil {
		return nil, err
	}
	r, known := s.refund(c.RefundID)
	switch {
	case !known:
		return nil, ErrUnknown.With("refund_id", c.RefundID)
	case r.Status == RefundFailed:
		return nil, once(r.Code, c.Code, "refund_id", c.RefundID)
	case r.Status == RefundDone || s.unreported(r) == 0:
		return nil, ErrTransition.With("state", string(RefundDone)).With("command", "fail-refund").With("allowed", []string{})
	}
	return []Event{OrderRefundFailed{s.OrderID, c.RefundID, c.Code}}, nil
}

func (s State) edit(c Edit) ([]Event, error) {
	if first, known := find(s.Edits, func(e OrderEdited) bool { return e.EditID == c.EditID }); known {
		wanted := make([]Line, len(first.Changes))
		for i, change := range first.Changes {
			wanted[i] = change.line()
		}
		return nil, once(wanted, slices.Clone(c.Lines), "edit_id", c.EditID)
	}
	e := OrderEdited{OrderID: s.OrderID, EditID: c.EditID, Totals: s.Totals}
	if _, err := s.record(e); err != nil {
		return nil, err
	}
	var m mistakes
	m.name(c.EditID, "/edit_id")
	m.unless(len(c.Lines) > 0, "/lines", "nothing changes")
	for i, line := range c.Lines {
		s.checkLine(&m, c.Lines[:i], line, fmt.Sprintf("/lines/%d", i))
		old, _ := s.Line(line.LineID)
		e.Changes = append(e.Changes, Change{
			LineID: line.LineID, SKU: line.SKU, Title: line.Title, QuantityFrom: old.Quantity, QuantityTo: line.Quantity,
			UnitPrice: line.UnitPrice, Discount: line.Discount, Tax: line.Tax, Total: line.Total, Location: line.Location, ReservationID: line.ReservationID,
		})
	}
	if err := m.err(); err != nil {
		return nil, err
	}
	return s.price(e)
}

func (c Change) line() Line {
	return Line{
		LineID: c.LineID, SKU: c.SKU, Title: c.Title, Quantity: c.QuantityTo, UnitPrice: c.UnitPrice,
		Discount: c.Discount, Tax: c.Tax, Total: c.Total, Location: c.Location, ReservationID: c.ReservationID,
	}
}

// checkLine wants a line that the order can have. What a line is of cannot
// change, and units beyond those reserved for it are another line.
func (s State) checkLine(m *mistakes, before []Line, l Line, pointer string) {
	m.name(l.LineID, pointer+"/line_id")
	m.unless(!slices.ContainsFunc(before, func(o Line) bool { return o.LineID == l.LineID }), pointer+"/line_id", "the line is there twice")
	m.unless(domain.ValidSKU(l.SKU), pointer+"/sku", "not a SKU")
	m.unless(domain.ValidLocation(l.Location), pointer+"/location", "not a location")
	m.unless(l.Quantity >= 0 && l.Quantity <= MaxQuantity, pointer+"/quantity", fmt.Sprintf("0 to %d", MaxQuantity))
	m.unless(l.UnitPrice.Amount >= 0 && l.Discount.Amount >= 0 && l.Tax.Amount >= 0 && l.Total.Amount >= 0, pointer, "no amount is negative")
	old, known := s.Line(l.LineID)
	if !known {
		m.name(l.ReservationID, pointer+"/reservation_id")
		m.unless(l.Quantity > 0, pointer+"/quantity", "a new line has units")
		return
	}
	m.unless(old.SKU == l.SKU && old.Title == l.Title && old.Location == l.Location && old.ReservationID == l.ReservationID,
		pointer, "the sku, title, location and reservation of a line do not change")
	m.unless(l.Quantity <= old.Quantity, pointer+"/quantity", "more units are a line of their own")
}

// price calculates what an edited order costs, and refuses more than is
// authorised, or less than is on its way.
func (s State) price(e OrderEdited) ([]Event, error) {
	after := s.edited(e)
	if after.count(func(l Line, _ Progress) int { return l.Quantity }) == 0 {
		return nil, ErrNoLines
	}
	if len(after.Lines) > MaxLines {
		return nil, ErrInvalid.Because(domain.Mistake{Pointer: "/lines", Code: "invalid", Detail: fmt.Sprintf("at most %d lines", MaxLines)})
	}
	for _, change := range e.Changes {
		p := s.PerLine[change.LineID]
		if taken := p.Cancelled + p.Requested + p.Shipped; change.QuantityTo < taken {
			return nil, ErrQuantity.With("line_id", change.LineID).With("taken", taken)
		}
	}
	if s.shipped() > 0 && after.left() == 0 {
		return nil, ErrQuantity.With("left", 0) // taking out what is left is a cancellation
	}
	shippingTax := s.amount(s.Shipping.Tax.Amount)
	var err error
	if e.Totals, err = total(s.Currency, after.Lines, s.Totals.Shipping, shippingTax); err != nil {
		return nil, err
	}
	if e.Delta, err = e.Totals.Grand.Sub(s.Totals.Grand); err != nil {
		return nil, err
	}
	if limit := s.Covered(); e.Delta.Amount > 0 && e.Totals.Grand.Amount > limit.Amount {
		return nil, ErrExceedsAuthorised.With("requested", e.Totals.Grand.String()).With("available", limit.String())
	}
	return s.record(e)
}
