// Package gatewaycallbacks takes in what payment gateways tell: it is stored
// first, then done to the payment it is about, and what waits for that goes on
// at once. It promises that a callback has its effect once, whatever order
// callbacks come in and however often, that one whose work was interrupted is
// done by somebody else, and that none is dropped unseen. What a callback tells
// may be old, so money is never let go on its word alone.
package gatewaycallbacks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/waybill-dev/waybill/domain"
	callback "github.com/waybill-dev/waybill/domain/gatewaycallback"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/gateways/payment"
	"github.com/waybill-dev/waybill/handlers/checkout"
)

// Rules a callback is refused by.
var (
	ErrGateway    = domain.Rule("gateway-not-found", "no payment gateway with this name is on")
	ErrSignature  = domain.Rule("callback-signature-invalid", "the callback is not signed by the gateway, or too old")
	ErrUnreadable = domain.Rule("callback-unreadable", "the callback is signed and cannot be read")
)

// GiveUpAfter is how long something is looked for that a callback belongs to.
const GiveUpAfter = 24 * time.Hour

// queued is how many callbacks may wait for this process; more are left to the
// to-do list.
const queued = 1024

// workers is how many callbacks are applied at once.
const workers = 8

// Checkouts are what may wait for a payment.
type Checkouts interface {
	Recover(ctx context.Context, checkoutID string) (checkout.Outcome, error)
	// Heard says that a payment's outcome was recorded.
	Heard(paymentID string)
	// FoundLate says that money was let go that the gateway held after the
	// checkout had failed.
	FoundLate(ctx context.Context, checkoutID string, held payment.Authorisation) error
}

// Service takes callbacks in. It may be used by many goroutines. Make it with
// New.
type Service struct {
	Store     eventstore.Store
	Gateways  checkout.Gateways
	Checkouts Checkouts
	Timeout   time.Duration // of a call to a gateway
	Now       func() time.Time
	Logger    *slog.Logger
	// Fault, if set, is called between every two steps; its error stops the
	// work there, as the end of the process would. Only tests set it.
	Fault func(step string) error

	waiting chan string
}

// New returns s, ready to be used.
func New(s Service) *Service {
	s.waiting = make(chan string, queued)
	return &s
}

func (s *Service) fault(step string) error {
	if s.Fault == nil {
		return nil
	}
	return s.Fault(step)
}

// Receive stores a callback and returns its id. It is applied afterwards, see
// [Service.Run]. Repeating it changes nothing. One that tells what is recorded
// already is not stored, and has no id. The error is one of the rules above, or
// [eventstore.ErrUnavailable]: then the gateway is to send it again.
func (s *Service) Receive(ctx context.Context, gateway string, header http.Header, body []byte) (string, error) {
	provider, err := s.Gateways.Provider(gateway)
	if err != nil {
		return "", ErrGateway
	}
	told, err := provider.Callback(ctx, header, body)
	switch {
	case errors.Is(err, payment.ErrBadSignature):
		return "", ErrSignature
	case errors.Is(err, payment.ErrBadCallback):
		return "", ErrUnreadable
	case err != nil:
		return "", fmt.Errorf("read a callback of %s: %w: %w", gateway, eventstore.ErrUnavailable, err)
	}
	received := s.normalise(gateway, told)
	if known, err := s.known(ctx, received); err != nil || known {
		return "", err
	}
	if err := s.store(ctx, received); err != nil {
		return "", err
	}
	select {
	case s.waiting <- received.ID:
	default: // found on the to-do list
	}
	return received.ID, nil
}

// store keeps a callback, and at once that nothing is to be done where that is
// so.
func (s *Service) store(ctx context.Context, received callback.GatewayCallbackReceived) error {
	events := []callback.Event{received}
	if received.Kind == string(payment.TellsOther) || received.PaymentID == "" {
		events = append(events, callback.GatewayCallbackApplied{ID: received.ID, Effect: callback.Ignored, At: received.ReceivedAt})
	}
	stream := callback.Decider.Stream(received.ID)
	news := eventstore.NewEvents(stream, meta(received, "receive"), events...)
	_, err := s.Store.Append(ctx, stream, eventstore.NoStream, news...)
	if errors.Is(err, eventstore.ErrConflict) {
		return nil // it is there
	}
	return err
}

// maxName bounds names that a gateway makes; longer ones are none of ours.
const maxName = 255

func (s *Service) normalise(gateway string, told payment.Callback) callback.GatewayCallbackReceived {
	received := callback.GatewayCallbackReceived{
		ID: eventstore.DeriveID("gateway callback", gateway, told.ID), Gateway: gateway,
		CallbackID: short(told.ID), Kind: string(told.Kind), GatewayRef: short(told.Ref), ReceivedAt: s.Now(),
	}
	if len(told.Key) <= maxName {
		received.PaymentID = told.Key
	}
	switch told.Kind {
	case payment.TellsAuthorisation:
		a := told.Authorisation
		received.Authorisation = callback.Authorisation{
			Status: string(a.Status), Amount: a.Amount, Code: short(a.Code), Message: short(a.Message), ExpiresAt: a.ExpiresAt, ActionURL: a.ActionURL,
		}
	case payment.TellsMovement:
		m := told.Movement
		received.Movement = callback.Movement{
			Kind: string(m.Kind), ID: short(m.ID), Ref: short(m.Ref), Status: string(m.Status), Amount: m.Amount, Code: short(m.Code),
		}
	case payment.TellsChargeback:
		received.Chargeback = callback.Chargeback{CaseRef: short(told.Chargeback.CaseRef), Amount: told.Chargeback.Amount}
	case payment.TellsOther:
	}
	return received
}

func short(text string) string { return text[:min(len(text), maxName)] }

// meta describes what a callback causes.
func meta(received callback.GatewayCallbackReceived, step string) eventstore.Metadata {
	return eventstore.Metadata{
		CorrelationID: received.PaymentID, CausationID: received.ID,
		CommandID: eventstore.DeriveID("gateway callback step", received.ID, step),
		Actor:     eventstore.Actor{Type: "gateway", ID: received.Gateway},
	}
}
