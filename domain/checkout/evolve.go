package checkout

import (
	"slices"
	"time"
)

func evolve(s State, e Event) State {
	switch e := e.(type) {
	case CheckoutStarted:
		s = State{
			CheckoutID: e.CheckoutID, OrderID: e.OrderID, Number: e.Number, CustomerID: e.CustomerID,
			Fingerprint: e.Fingerprint, Request: e.Request, Lines: e.Lines, Totals: e.Totals, StartedAt: e.StartedAt,
		}
		return s.at(Started, e.StartedAt)
	case CheckoutStockReserved:
		s.ExpiresAt = e.ExpiresAt
		return s.at(Reserved, e.At)
	case CheckoutStockRefused:
		s.Shortages = append(slices.Clone(s.Shortages), Shortage{e.SKU, e.Location, e.Requested, e.Available})
		return s.at(s.Step, e.At)
	case CheckoutPaymentRequested:
		s.PaymentID, s.Attempt, s.Method, s.ReturnURL = e.PaymentID, e.Attempt, e.Method, e.ReturnURL
		s.Asked = append(slices.Clone(s.Asked), Asked{e.RequestID, e.Fingerprint, e.Method})
		return s.at(Paying, e.At)
	case CheckoutPaymentAuthorised:
		return s.at(Authorised, e.At)
	case CheckoutPaymentDeclined:
		s.DeclineCode, s.DeclineMessage, s.RetryUntil = e.Code, e.Message, e.RetryUntil
		return s.at(Declined, e.At)
	case CheckoutPaymentUnknown:
		s.UnknownSince, s.Awaited = e.At, true
		return s.at(Unknown, e.At)
	case CheckoutPaymentActionRequired:
		s = s.at(ActionRequired, e.At)
		s.ActionURL, s.ActionExpiresAt, s.Awaited = e.URL, e.ExpiresAt, true
	case CheckoutLatePaymentVoided:
		s.LateVoided = true
	case CheckoutCompleted:
		return s.at(Completed, e.At)
	case CheckoutCompensating:
		s.Reason, s.Message = e.Reason, e.Message
		return s.at(Compensating, e.At)
	case CheckoutFailed:
		s.Reason, s.Message, s.Mistakes, s.Released, s.Voided = e.Reason, e.Message, e.Mistakes, e.Released, e.Voided
		s.Watch = e.Watch
		return s.at(Failed, e.At)
	case CheckoutAbandoned:
		s.Reason = e.Reason
		return s.at(Abandoned, e.At)
	}
	return s
}

func (s State) at(step Step, at time.Time) State {
	if step != Unknown {
		s.UnknownSince = time.Time{}
	}
	if step != s.Step {
		s.ActionURL, s.ActionExpiresAt = "", time.Time{}
	}
	s.Step, s.ChangedAt = step, at
	return s
}
