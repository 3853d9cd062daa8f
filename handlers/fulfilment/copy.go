package fulfilment

import (
	"context"
	"fmt"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/domain/payment"
)

// copyPayment tells the order what happened to a payment.
func (r *run) copyPayment(ctx context.Context) error {
	p, err := r.payment(ctx, r.task.Ref)
	if err != nil {
		return err
	}
	return r.copy(ctx, p)
}

// copy tells the order everything that happened to a payment since it last
// heard, and what became of its refunds. A payment that never held money, and
// one without an order, are nobody's business.
func (r *run) copy(ctx context.Context, p *paid) error {
	if r.order.Status == "" {
		return nil
	}
	if err := r.read(ctx, p); err != nil {
		return err
	}
	// Read after the payment, so that it has every refund that the payment has.
	if err := r.load(ctx); err != nil {
		return err
	}
	heard := int64(-1)
	for _, known := range r.order.Payments {
		if known.PaymentID == p.id {
			heard = known.Last.PaymentRevision
		}
	}
	for _, m := range p.history {
		if int64(m.revision) <= heard || m.state.Authorised.Currency == "" {
			continue
		}
		update, tells := r.update(p, m)
		if !tells {
			continue
		}
		if err := r.tell(ctx, fmt.Sprintf("payment %s copied to %d", p.id, m.revision), update); err != nil {
			return err
		}
	}
	return r.endRefunds(ctx, p)
}

// update is an event of a payment as the order hears of it, if it does.
func (r *run) update(p *paid, m moment) (u order.UpdatePayment, tells bool) {
	u = order.UpdatePayment{
		PaymentID: p.id, Revision: int64(m.revision), Amount: domain.Money{Currency: m.state.Authorised.Currency},
		Totals: order.PaymentTotals{Authorised: m.state.Authorised, Captured: m.state.Captured(), Refunded: m.state.Refunded()},
	}
	switch e := m.event.(type) {
	case payment.PaymentAuthorised:
		u.Kind, u.Amount = order.PaymentAuthorised, e.Amount
		return u, p.id != r.order.PaymentID // the order was placed with it
	case payment.PaymentCaptured:
		u.Kind, u.Ref, u.Amount = order.PaymentCaptured, e.CaptureID, e.Amount
		c, _ := find(m.state.Captures, e.CaptureID)
		u.Final = c.Final
	case payment.PaymentRefunded:
		u.Kind, u.Ref, u.Amount = order.PaymentRefunded, r.refundOf(p, e.RefundID), e.Amount
	case payment.PaymentCaptureFailed:
		c, _ := find(m.state.Captures, e.CaptureID)
		u.Kind, u.Ref, u.Amount = order.PaymentFailed, e.CaptureID, c.Amount
	case payment.PaymentRefundFailed:
		c, _ := find(m.state.Refunds, e.RefundID)
		u.Kind, u.Ref, u.Amount = order.PaymentFailed, r.refundOf(p, e.RefundID), c.Amount
	case payment.PaymentVoided:
		u.Kind, u.Amount.Amount = order.PaymentVoided, m.state.Authorised.Amount-m.state.Captured().Amount
	case payment.PaymentAuthorisationExpired:
		u.Kind, u.Amount.Amount = order.PaymentExpired, m.state.Authorised.Amount-m.state.Captured().Amount
	case payment.PaymentChargedBack:
		u.Kind, u.Amount = order.PaymentChargedBack, e.Amount
	case payment.PaymentVoidFailed:
		u.Kind, u.Amount.Amount = order.PaymentFailed, m.state.Authorised.Amount-m.state.Captured().Amount
	case payment.PaymentAuthorisationRequested, payment.PaymentDeclined, payment.PaymentActionRequired, payment.PaymentOutcomeUnknown,
		payment.PaymentOutcomeResolved, payment.PaymentVoidRequested, payment.PaymentCaptureRequested, payment.PaymentRefundRequested:
		return u, false
	}
	return u, true
}

// endRefunds completes the refunds of the order that payments have reported in
// full, and fails those of which the gateway refused a part.
func (r *run) endRefunds(ctx context.Context, p *paid) error {
	for _, refund := range r.order.Refunds {
		if refund.Status != order.RefundPending {
			continue
		}
		id := refund.Requested.RefundID
		part, known := find(p.state.Refunds, r.partID(p, id))
		var command order.Command
		switch {
		case r.order.Reported(id) >= refund.Requested.Amount.Amount:
			command = order.CompleteRefund{RefundID: id, Amount: refund.Requested.Amount}
		case known && part.Status == payment.MovementFailed:
			command = order.FailRefund{RefundID: id, Code: code(part.Code)}
		default:
			continue
		}
		if err := r.tell(ctx, "refund ended "+id, command); err != nil {
			return err
		}
	}
	return nil
}

// code is a gateway's code as the order takes it: a word.
func code(c string) string {
	if c == "" {
		return "refused"
	}
	word := []byte(c)
	for i := range word {
		if word[i] <= ' ' || word[i] >= 0x7f || word[i] == '@' {
			word[i] = '-'
		}
	}
	return string(word[:min(len(word), 200)])
}
