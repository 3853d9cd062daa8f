package gatewaycallbacks

import (
	"context"
	"slices"

	callback "github.com/waybill-dev/waybill/domain/gatewaycallback"
	"github.com/waybill-dev/waybill/domain/payment"
	gateway "github.com/waybill-dev/waybill/gateways/payment"
)

// known reports whether the payment's own record says what a callback tells, to
// the letter. Gateways tell mostly what they have answered, and that need not
// be kept twice. Nothing waits for such a callback: what caused the record goes
// on with it, or is recovered.
func (s *Service) known(ctx context.Context, received callback.GatewayCallbackReceived) (bool, error) {
	if received.PaymentID == "" || received.Kind == string(gateway.TellsOther) {
		return false, nil
	}
	n, err := s.read(ctx, received)
	if err != nil || n.payment.Gateway != received.Gateway {
		return false, err
	}
	switch gateway.CallbackKind(received.Kind) {
	case gateway.TellsAuthorisation:
		return sameAuthorisation(n), nil
	case gateway.TellsMovement:
		return sameMovement(n), nil
	case gateway.TellsChargeback:
		return slices.Contains(n.payment.Chargebacks, payment.Chargeback(n.Chargeback)), nil
	case gateway.TellsOther:
	}
	return false, nil
}

func sameAuthorisation(n news) bool {
	told, p := n.Authorisation, n.payment
	switch gateway.Status(told.Status) {
	case gateway.Authorised:
		return p.Status == payment.StatusAuthorised && n.GatewayRef == p.GatewayRef && told.Amount == p.Authorised
	case gateway.Declined:
		return p.Status == payment.StatusDeclined && told.Code == p.Code
	case gateway.ActionRequired:
		return p.Status == payment.StatusActionRequired && told.ActionURL == p.ActionURL
	case gateway.Voided:
		return p.Status == payment.StatusVoided
	case gateway.Expired:
		return p.Status == payment.StatusExpired
	}
	return false
}

func sameMovement(n news) bool {
	told, list := n.Movement, n.payment.Captures
	if gateway.Kind(told.Kind) == gateway.Refunds {
		list = n.payment.Refunds
	}
	return slices.ContainsFunc(list, func(m payment.Movement) bool {
		switch {
		case m.ID != told.ID || m.Amount != told.Amount:
			return false
		case gateway.MovementStatus(told.Status) == gateway.Done:
			return m.Status == payment.MovementDone && m.GatewayRef == told.Ref
		}
		return gateway.MovementStatus(told.Status) == gateway.Failed && m.Status == payment.MovementFailed && m.Code == told.Code
	})
}
