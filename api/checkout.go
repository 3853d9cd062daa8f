package api

import (
	"time"

	"github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/domain/order"
)

// checkoutBody is where an order's coming about stands.
type checkoutBody struct {
	ID         string           `json:"id"`
	Status     string           `json:"status" enum:"in_progress,payment_declined,payment_unknown,payment_action_required,completed,failed,abandoned" doc:"payment_declined waits for another payment until retry_until; payment_unknown goes on by itself when the gateway's answer is found; payment_action_required when the shopper has confirmed the payment at payment.action_url."`
	OrderID    string           `json:"order_id,omitempty" doc:"Once the order is placed."`
	Number     string           `json:"number,omitempty" doc:"The order's number, once it is placed."`
	Currency   string           `json:"currency" example:"EUR"`
	Totals     *totalsBody      `json:"totals,omitempty" doc:"Missing when the cart was refused."`
	Payment    *checkoutPayment `json:"payment,omitempty" doc:"The last one that was tried."`
	RetryUntil *time.Time       `json:"retry_until,omitempty" doc:"Until then the goods are kept for another payment."`
	Refusal    *checkoutRefusal `json:"refusal,omitempty" doc:"Why there is no order."`
	StartedAt  time.Time        `json:"started_at"`
	ChangedAt  time.Time        `json:"changed_at"`
}

type checkoutPayment struct {
	ID      string `json:"id"`
	Attempt int    `json:"attempt" doc:"Counts from 1."`
	Method  string `json:"method" example:"sandbox:approved"`

	ActionURL       string     `json:"action_url,omitempty" doc:"Send the shopper there to confirm the payment; afterwards they are sent to return_url."`
	ActionExpiresAt *time.Time `json:"action_expires_at,omitempty" doc:"A payment that is not confirmed until then is declined."`
}

type checkoutRefusal struct {
	Code    string    `json:"code" doc:"The last part of the type of the problem that was answered." example:"out-of-stock"`
	Message string    `json:"message"`
	Errors  []mistake `json:"errors,omitempty" nullable:"false"`
}

func checkoutBodyOf(s checkout.State) checkoutBody {
	body := checkoutBody{
		ID: s.CheckoutID, Status: checkoutStatus(s.Step), Currency: s.Request.Currency, StartedAt: s.StartedAt, ChangedAt: s.ChangedAt,
	}
	if s.Totals != (checkout.Totals{}) {
		totals := totalsBodyOf(order.Totals(s.Totals))
		body.Totals = &totals
	}
	if s.Attempt > 0 {
		body.Payment = &checkoutPayment{
			ID: s.PaymentID, Attempt: s.Attempt, Method: s.Method, ActionURL: s.ActionURL, ActionExpiresAt: timeOrNil(s.ActionExpiresAt),
		}
	}
	switch s.Step {
	case checkout.Completed:
		body.OrderID, body.Number = s.OrderID, s.Number
	case checkout.Declined:
		body.RetryUntil = timeOrNil(s.RetryUntil)
	default: // has nothing of its own to show
	}
	if refusal := s.Refusal(); refusal != nil {
		body.Refusal = &checkoutRefusal{Code: refusal.Code, Message: refusal.Message}
		for _, m := range refusal.Mistakes {
			body.Refusal.Errors = append(body.Refusal.Errors, mistake{Pointer: m.Pointer, Code: m.Code, Detail: m.Detail})
		}
	}
	return body
}

func checkoutStatus(step checkout.Step) string {
	switch step {
	case checkout.Declined:
		return "payment_declined"
	case checkout.Unknown:
		return "payment_unknown"
	case checkout.ActionRequired:
		return "payment_action_required"
	case checkout.Completed, checkout.Failed, checkout.Abandoned:
		return string(step)
	default:
		return "in_progress"
	}
}
