package checkout

import (
	"context"
	"time"

	"github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/domain/payment"
	gateway "github.com/waybill-dev/waybill/gateways/payment"
	"github.com/waybill-dev/waybill/handlers/unwanted"
)

// CodeActionExpired is the code of a payment that the shopper did not confirm
// in time.
const CodeActionExpired = "action-expired"

// actionDeadline is until when the shopper may confirm: as long as the gateway
// waits, but not longer than the stock is kept.
func (s *Service) actionDeadline(a gateway.Authorisation) time.Time {
	deadline := s.Now().Add(s.Config.withDefaults().ActionHold)
	if !a.ExpiresAt.IsZero() && a.ExpiresAt.Before(deadline) {
		return a.ExpiresAt
	}
	return deadline
}

// requireAction keeps the stock until the shopper has confirmed, or it is too
// late to, and some more, to find out which. Stock that is lost meanwhile is
// noticed when it is to be committed.
func (s *Service) requireAction(ctx context.Context, r *run) error {
	if r.checkout.state.Step == checkout.ActionRequired {
		return nil
	}
	p, config := r.payment.state, s.Config.withDefaults()
	if _, err := s.extend(ctx, r, p.ActionExpiresAt.Add(config.Patience+2*config.GatewayTimeout)); err != nil {
		return err
	}
	command := checkout.RequireAction{URL: p.ActionURL, ExpiresAt: p.ActionExpiresAt, At: s.Now()}
	if err := s.record(ctx, r, "action required", command); err != nil {
		return err
	}
	return s.fault("action required")
}

// waitForAction looks whether the shopper's time is up. Then the payment is
// declined before the gateway is kept from taking a confirmation: one that comes
// in between is let go of, and no order is placed with it. Where the gateway
// cannot be reached the payment stands on the list of callbacks.
func (s *Service) waitForAction(ctx context.Context, r *run) error {
	if s.Now().Before(r.payment.state.ActionExpiresAt) {
		return s.settle(ctx, r)
	}
	if err := unwanted.Watch(ctx, s.Store, r.payment.state, s.Now()); err != nil {
		return err
	}
	if err := s.fault("payment watched"); err != nil {
		return err
	}
	expired := payment.Decline{Code: CodeActionExpired, Message: "the shopper did not confirm the payment in time", Retryable: true}
	if err := s.recordPayment(ctx, r, "action expired", expired); err != nil {
		return err
	}
	if err := s.fault("action expired"); err != nil {
		return err
	}
	_ = s.voidAt(ctx, r) // or later, see above
	if err := s.fault("gateway voided"); err != nil {
		return err
	}
	return s.settle(ctx, r)
}

// Heard says that the outcome of a payment was recorded by somebody else than
// who asks for it: a call to the gateway that still waits for an answer is
// given up.
func (s *Service) Heard(paymentID string) {
	if cancel, waiting := s.asking.Load(paymentID); waiting {
		cancel.(context.CancelFunc)() //nolint:forcetypeassert // only those are stored
	}
}
