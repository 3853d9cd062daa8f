package projections

import (
	"fmt"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/domain/payment"
	"github.com/waybill-dev/waybill/domain/process"
)

// summary says in a few words what happened. What people wrote, such as the
// name of a carrier or a gateway's message, is left out: it may tell who they
// are. Codes and ids have no spaces and stay.
func summary(event domain.Event) string {
	text := ""
	switch e := event.(type) {
	case order.Event:
		text = orderSummary(e)
	case checkout.Event:
		text = checkoutSummary(e)
	case payment.Event:
		text = paymentSummary(e)
	case process.Event:
		text = processSummary(e)
	}
	if text == "" {
		return words(event.EventName())
	}
	return text
}

// orderSummary is empty where the name says it all.
func orderSummary(event order.Event) string {
	switch e := event.(type) {
	case order.OrderPlaced:
		return fmt.Sprintf("order %s placed, %s", e.Number, money(e.Totals.Grand))
	case order.OrderHeld:
		return "held: " + string(e.Reason)
	case order.OrderHoldReleased:
		return "hold released"
	case order.OrderNoteAdded:
		return fmt.Sprintf("note %s added (%s)", e.NoteID, e.Visibility)
	case order.OrderTagged:
		return "tags changed: " + strings.TrimSpace(signed("+", e.Add)+signed("-", e.Remove))
	case order.OrderAddressChanged:
		return "address changed"
	case order.OrderEdited:
		return fmt.Sprintf("%s edited, %s now, a difference of %s", count(len(e.Changes), "line"), money(e.Totals.Grand), money(e.Delta))
	case order.OrderPaymentUpdated:
		return fmt.Sprintf("payment %s: %s", e.Kind, money(e.Amount))
	case order.OrderFulfilmentRequested:
		return fmt.Sprintf("%s asked of %s", unitCount(e.Lines), e.Location)
	case order.OrderShipped:
		return fmt.Sprintf("shipment %s has left, %s", e.ShipmentID, unitCount(e.Lines))
	case order.OrderDelivered:
		return fmt.Sprintf("shipment %s delivered", e.ShipmentID)
	case order.OrderShipmentFailed:
		return fmt.Sprintf("shipment %s not delivered: %s", e.ShipmentID, e.Reason)
	case order.OrderReturnRequested:
		n := 0
		for _, l := range e.Lines {
			n += l.Quantity
		}
		return fmt.Sprintf("return %s of %s requested, for %s", e.ReturnID, count(n, "unit"), e.Kind)
	case order.OrderReturnReceived:
		n, restocked := 0, 0
		for _, l := range e.Lines {
			n += l.Quantity
			if l.Restock {
				restocked += l.Quantity
			}
		}
		return fmt.Sprintf("return %s received, %s, %d to be sold again", e.ReturnID, count(n, "unit"), restocked)
	case order.OrderReturnRejected:
		return fmt.Sprintf("return %s rejected: %s", e.ReturnID, e.Reason)
	case order.OrderRefundRequested:
		return fmt.Sprintf("refund %s of %s requested: %s", e.RefundID, money(e.Amount), e.Reason)
	case order.OrderRefunded:
		return fmt.Sprintf("refund %s done, %s", e.RefundID, money(e.Amount))
	case order.OrderRefundFailed:
		return fmt.Sprintf("refund %s failed: %s", e.RefundID, e.Code)
	case order.OrderCancelRequested:
		return "cancellation requested: " + e.Reason
	case order.OrderCancelled:
		return fmt.Sprintf("cancelled, %s", unitCount(e.Lines))
	case order.OrderCancelRefused:
		return "cancellation refused: " + e.Reason
	case order.OrderReopened:
		return "order reopened: " + e.Reason
	case order.OrderCompleted:
	}
	return ""
}

func checkoutSummary(event checkout.Event) string {
	switch e := event.(type) {
	case checkout.CheckoutStockReserved:
		return "stock reserved until " + clock(e.ExpiresAt)
	case checkout.CheckoutStockRefused:
		return fmt.Sprintf("%d of %s requested, %d available", e.Requested, e.SKU, e.Available)
	case checkout.CheckoutPaymentRequested:
		return fmt.Sprintf("payment requested, attempt %d", e.Attempt)
	case checkout.CheckoutPaymentActionRequired:
		return "the shopper is to confirm the payment until " + clock(e.ExpiresAt)
	case checkout.CheckoutPaymentDeclined:
		return "payment declined: " + e.Code
	case checkout.CheckoutLatePaymentVoided:
		return money(e.Amount) + " came late and was voided"
	case checkout.CheckoutFailed:
		return "checkout failed: " + e.Reason
	case checkout.CheckoutCompensating:
		return "undoing: " + e.Reason
	case checkout.CheckoutAbandoned:
		return "checkout abandoned: " + e.Reason
	case checkout.CheckoutStarted, checkout.CheckoutPaymentAuthorised, checkout.CheckoutPaymentUnknown, checkout.CheckoutCompleted:
	}
	return ""
}

func paymentSummary(event payment.Event) string {
	switch e := event.(type) {
	case payment.PaymentAuthorisationRequested:
		return fmt.Sprintf("authorisation of %s by %s requested", money(e.Amount), e.Method)
	case payment.PaymentAuthorised:
		return money(e.Amount) + " authorised"
	case payment.PaymentDeclined:
		return "declined: " + e.Code
	case payment.PaymentActionRequired:
		return "the gateway wants the shopper to confirm"
	case payment.PaymentOutcomeUnknown:
		return "no answer from the gateway: " + e.Cause
	case payment.PaymentOutcomeResolved:
		return fmt.Sprintf("outcome found by %s: %s", e.By, e.As)
	case payment.PaymentVoidRequested:
		return "void requested: " + e.Reason
	case payment.PaymentVoidFailed:
		return "void failed: " + e.Code
	case payment.PaymentCaptureRequested:
		return fmt.Sprintf("capture of %s requested", money(e.Amount))
	case payment.PaymentCaptured:
		return money(e.Amount) + " captured"
	case payment.PaymentCaptureFailed:
		return "capture failed: " + e.Code
	case payment.PaymentRefundRequested:
		return fmt.Sprintf("refund of %s requested", money(e.Amount))
	case payment.PaymentRefunded:
		return money(e.Amount) + " refunded"
	case payment.PaymentRefundFailed:
		return "refund failed: " + e.Code
	case payment.PaymentChargedBack:
		return fmt.Sprintf("%s charged back, case %s", money(e.Amount), e.CaseRef)
	case payment.PaymentVoided, payment.PaymentAuthorisationExpired:
	}
	return ""
}

// signed puts a sign before each word.
func signed(sign string, all []string) string {
	var b strings.Builder
	for _, one := range all {
		b.WriteString(" " + sign + one)
	}
	return b.String()
}

func unitCount(lines []order.Units) string {
	n := 0
	for _, l := range lines {
		n += l.Quantity
	}
	return count(n, "unit")
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

func clock(t time.Time) string { return t.UTC().Format(time.RFC3339) }
