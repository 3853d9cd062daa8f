package fulfilment

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/domain/payment"
	"github.com/waybill-dev/waybill/handlers/orders"
)

// errRefund says that a refund was refused for good: another one follows.
var errRefund = errors.New("the gateway refused the refund")

// codeNothing is why a refund failed for which no payment has the money.
const codeNothing = "nothing-captured"

// refundTask gives the money of one refund back.
func (r *run) refundTask(ctx context.Context) error { return r.refund(ctx, r.task.Ref) }

// partID names what a payment gives back for a refund of the order. Gateways
// know ids of all orders, so that it is unique among them.
func (r *run) partID(p *paid, refundID string) string {
	return r.id("refund part", refundID, p.id)
}

// refundOf is the refund of the order that a refund of a payment is a part of,
// or itself.
func (r *run) refundOf(p *paid, id string) string {
	for _, refund := range r.order.Refunds {
		if r.partID(p, refund.Requested.RefundID) == id {
			return refund.Requested.RefundID
		}
	}
	return id
}

func (r *run) refundState(id string) (order.Refund, bool) {
	for _, refund := range r.order.Refunds {
		if refund.Requested.RefundID == id {
			return refund, true
		}
	}
	return order.Refund{}, false
}

// refund gives back what the order promised, out of one payment after another,
// and tells the order what became of it.
func (r *run) refund(ctx context.Context, id string) error {
	refund, known := r.refundState(id)
	if !known || refund.Status != order.RefundPending {
		return nil
	}
	all, err := r.payments(ctx)
	if err != nil {
		return err
	}
	need := refund.Requested.Amount.Amount
	for _, p := range all { // parts that were announced before
		m, announced := find(p.state.Refunds, r.partID(p, id))
		if !announced {
			continue
		}
		if ended, err := r.part(ctx, p, m, false, id); err != nil || ended {
			return err
		}
		need -= m.Amount.Amount
	}
	for _, p := range all {
		amount := min(need, p.state.Refundable().Amount)
		if _, announced := find(p.state.Refunds, r.partID(p, id)); announced || amount <= 0 {
			continue
		}
		request := payment.RequestRefund{RefundID: r.partID(p, id), Amount: r.money(amount)}
		if err := r.payHere(ctx, p, "refund announced "+id, request); err != nil {
			return err
		}
		m, _ := find(p.state.Refunds, request.RefundID)
		if ended, err := r.part(ctx, p, m, true, id); err != nil || ended {
			return err
		}
		need -= amount
	}
	if need <= 0 {
		return nil
	}
	return r.tell(ctx, "refund failed "+id, order.FailRefund{RefundID: id, Code: codeNothing})
}

// part finishes what one payment gives back, and reports whether the refund
// has ended by that.
func (r *run) part(ctx context.Context, p *paid, m payment.Movement, fresh bool, refundID string) (ended bool, err error) {
	if m.Status == payment.MovementRequested {
		if err := r.finishRefund(ctx, p, m, fresh); err != nil {
			return false, err
		}
	}
	if err := r.copy(ctx, p); err != nil {
		return false, err
	}
	refund, _ := r.refundState(refundID)
	return refund.Status != order.RefundPending, nil
}

// Reasons of refunds that follow from something else.
const (
	ReasonReturned  = "returned"
	ReasonCancelled = order.ReasonCancelled
	ReasonEdited    = order.ReasonEdited
)

// correctionID names an attempt at a refund that follows from something else.
func (r *run) correctionID(reason, ref string, attempt int) string {
	return orders.CorrectionID(r.task.OrderID, reason, ref, attempt)
}

// corrections lists the refunds that followed from something, one attempt
// after another.
func (r *run) corrections(reason, ref string) []order.Refund {
	return orders.Corrections(r.order, reason, ref)
}

// giveBack refunds an amount that follows from something, unless that was done.
// A refund that the gateway refuses is a failure of the task, and the next time
// there is another one. The amount is of the order as it was read.
func (r *run) giveBack(ctx context.Context, reason, ref string, lines []order.Units, amount func() int64) error {
	before := r.corrections(reason, ref)
	attempt := len(before)
	if attempt > 0 && before[attempt-1].Status == order.RefundDone && reason != ReasonEdited {
		return nil
	}
	if attempt == 0 || before[attempt-1].Status != order.RefundPending {
		n := payable(min(amount(), r.order.Refundable().Amount), r.order.Currency)
		if n <= 0 {
			return nil
		}
		attempt++
		err := r.tellHere(ctx, "refund requested "+reason+" "+strconv.Itoa(attempt), order.RequestRefund{
			RefundID: r.correctionID(reason, ref, attempt), Amount: r.money(n), Reason: reason, Lines: lines,
		})
		if err != nil {
			return err
		}
	}
	id := r.correctionID(reason, ref, attempt)
	if err := r.refund(ctx, id); err != nil {
		return err
	}
	refund, _ := r.refundState(id)
	if refund.Status == order.RefundDone {
		return nil
	}
	return fmt.Errorf("refund %s: %w: %s", id, errRefund, refund.Code)
}

// corrected is what was, or will be, given back for cancellations and edits:
// what those before this one took off.
func (r *run) corrected() int64 { return orders.Corrected(r.order) }

// given is what was, or will be, given back because of something.
func (r *run) given(reason, ref string) int64 { return orders.Given(r.order, reason, ref) }
