package checkout

import (
	"context"
	"errors"
	"fmt"

	"github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/eventstore"
	gateway "github.com/waybill-dev/waybill/gateways/payment"
	"github.com/waybill-dev/waybill/handlers/unwanted"
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
	// The looking ends some day, and the voiding must not.
	if err := unwanted.Keep(ctx, s.Store, r.payment.state, answer, s.Now()); err != nil {
		return err
	}
	if err := s.fault("unwanted money kept"); err != nil {
		return err
	}
	if err := s.voidAt(ctx, r); err != nil {
		return errors.Join(errVoid, err)
	}
	if err := s.fault("gateway voided"); err != nil {
		return err
	}
	return s.lateVoided(ctx, r, answer)
}

// FoundLate records that money was let go which the gateway held after a
// checkout had failed. A checkout that is not over knows by itself.
func (s *Service) FoundLate(ctx context.Context, id string, held gateway.Authorisation) error {
	r := s.run(id, eventstore.Actor{Type: "process", ID: "gateway-callback"})
	if err := s.load(ctx, r); err != nil {
		return err
	}
	if r.checkout.state.Step != checkout.Failed {
		return nil
	}
	return s.lateVoided(ctx, r, held)
}

func (s *Service) lateVoided(ctx context.Context, r *run, held gateway.Authorisation) error {
	return s.record(ctx, r, "late payment voided", checkout.VoidLate{
		PaymentID: r.checkout.state.PaymentID, GatewayRef: held.Ref, Amount: held.Amount, At: s.Now(),
	})
}
