package orders

import (
	"slices"
	"strconv"

	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
)

// CorrectionID names an attempt at a refund that follows from something else
// than a person's wish: an edit, a cancellation, a return.
func CorrectionID(orderID, reason, ref string, attempt int) string {
	return eventstore.DeriveID("refund", orderID, reason, ref, strconv.Itoa(attempt))
}

// Corrections lists the refunds that followed from something, one attempt
// after another.
func Corrections(s order.State, reason, ref string) (all []order.Refund) {
	for attempt := 1; ; attempt++ {
		id := CorrectionID(s.OrderID, reason, ref, attempt)
		i := slices.IndexFunc(s.Refunds, func(r order.Refund) bool { return r.Requested.RefundID == id })
		if i < 0 {
			return all
		}
		all = append(all, s.Refunds[i])
	}
}

// Given is what was, or will be, given back because of something. A refund that
// failed may have been paid in part.
func Given(s order.State, reason, ref string) (n int64) {
	for _, refund := range Corrections(s, reason, ref) {
		if refund.Status == order.RefundFailed {
			n += s.Reported(refund.Requested.RefundID)
		} else {
			n += refund.Requested.Amount.Amount
		}
	}
	return n
}

// Corrected is what was, or will be, given back for cancellations and edits:
// what was captured for an order counts less by that.
func Corrected(s order.State) (n int64) {
	for _, c := range s.CancelRequests {
		n += Given(s, order.ReasonCancelled, c.RequestID)
	}
	for _, e := range s.Edits {
		n += Given(s, order.ReasonEdited, e.EditID)
	}
	return n
}
