package checkout

import (
	"context"
	"errors"
	"fmt"

	"github.com/waybill-dev/waybill/domain/checkout"
	gateway "github.com/waybill-dev/waybill/gateways/payment"
)

// watch looks for a payment that the gateway knew nothing of when the checkout
// was undone: a request that was under way for long may still have arrived.
// What it holds is voided.
func (s *Service) watch(ctx context.Context, r *run) error {
	if err := s.readPayment(ctx, r); err != nil {
		return err
	}
	answer, err := s.find(ctx, r)
	switch {
	case errors.Is(err, gateway.ErrNotFound):
		return nil
	case err != nil:
		return fmt.Errorf("look for a late payment: %w", err)
	case answer.Status != gateway.Authorised && answer.Status != gateway.ActionRequired:
		return nil
	}
	if _, err := s.voidAt(ctx, r); err != nil {
		return errors.Join(errVoid, err)
	}
	if err := s.fault("gateway voided"); err != nil {
		return err
	}
	return s.record(ctx, r, "late payment voided", checkout.VoidLate{
		PaymentID: r.checkout.state.PaymentID, GatewayRef: answer.Ref, Amount: answer.Amount, At: s.Now(),
	})
}
