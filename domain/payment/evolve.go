package payment

import "slices"

func evolve(s State, e Event) State {
	switch e := e.(type) {
	case PaymentAuthorisationRequested:
		return State{
			Status: StatusRequested, PaymentID: e.PaymentID, OrderID: e.OrderID, Amount: e.Amount,
			Method: e.Method, Gateway: e.Gateway, Key: e.Key, RequestedAt: e.RequestedAt, ByHand: e.ByHand, ReturnURL: e.ReturnURL,
		}
	case PaymentAuthorised:
		s.Status, s.GatewayRef, s.Authorised, s.ExpiresAt = StatusAuthorised, e.GatewayRef, e.Amount, e.ExpiresAt
	case PaymentDeclined:
		s.Status, s.Code, s.Message, s.Retryable = StatusDeclined, e.Code, e.Message, e.Retryable
	case PaymentActionRequired:
		s.Status, s.ActionURL, s.ActionExpiresAt = StatusActionRequired, e.URL, e.ExpiresAt
	case PaymentOutcomeUnknown:
		s.Status = StatusUnknown
	case PaymentOutcomeResolved:
		if e.As == AsNotFound {
			s.Status = StatusNotFound
		}
	case PaymentVoidRequested:
		s.BeforeVoid, s.Status, s.VoidFailure = s.Status, StatusVoidRequested, ""
	case PaymentVoided:
		s.Status = StatusVoided
	case PaymentVoidFailed:
		s.Status, s.VoidFailure = s.BeforeVoid, e.Code
	case PaymentAuthorisationExpired:
		s.Status = StatusExpired
	case PaymentCaptureRequested:
		s.Captures = add(s.Captures, Movement{ID: e.CaptureID, Amount: e.Amount, Final: e.Final, Status: MovementRequested})
	case PaymentCaptured:
		s.Captures = end(s.Captures, e.CaptureID, MovementDone, e.GatewayRef, "")
	case PaymentCaptureFailed:
		s.Captures = end(s.Captures, e.CaptureID, MovementFailed, "", e.Code)
	case PaymentRefundRequested:
		s.Refunds = add(s.Refunds, Movement{ID: e.RefundID, Amount: e.Amount, Status: MovementRequested})
	case PaymentRefunded:
		s.Refunds = end(s.Refunds, e.RefundID, MovementDone, e.GatewayRef, "")
	case PaymentRefundFailed:
		s.Refunds = end(s.Refunds, e.RefundID, MovementFailed, "", e.Code)
	case PaymentChargedBack:
		s.Chargebacks = append(slices.Clip(s.Chargebacks), Chargeback{e.CaseRef, e.Amount})
	}
	return s
}

// add copies, because another state may hold the same slice.
func add(movements []Movement, m Movement) []Movement { return append(slices.Clip(movements), m) }

func end(movements []Movement, id string, status MovementStatus, ref, code string) []Movement {
	movements = slices.Clone(movements)
	for i := range movements {
		if movements[i].ID == id {
			movements[i].Status, movements[i].GatewayRef, movements[i].Code = status, ref, code
		}
	}
	return movements
}
