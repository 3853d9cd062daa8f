package gatewaycallbacks

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/waybill-dev/waybill/domain"
	callback "github.com/waybill-dev/waybill/domain/gatewaycallback"
	"github.com/waybill-dev/waybill/domain/payment"
	"github.com/waybill-dev/waybill/eventstore"
	gateway "github.com/waybill-dev/waybill/gateways/payment"
	"github.com/waybill-dev/waybill/handlers"
	"github.com/waybill-dev/waybill/handlers/checkout"
	"github.com/waybill-dev/waybill/handlers/process"
	"github.com/waybill-dev/waybill/handlers/unwanted"
)

// Reasons a callback stays unclaimed for.
const (
	reasonPayment     = "payment-unknown"
	reasonMovement    = "movement-unknown"
	reasonContradicts = "contradicts-the-record"
	reasonBusy        = "checkout-busy"
	reasonUnseen      = "unseen"
)

// contradiction is news that can never be true beside what is recorded.
type contradiction struct{ cause error }

// Error implements error.
func (e *contradiction) Error() string {
	return "the callback contradicts the record: " + e.cause.Error()
}

// Apply does what a callback tells, unless that was done. The error is a
// [process.NotYetError] where it may be of use later; after a day of that the
// callback is given up, for somebody to look at.
func (s *Service) Apply(ctx context.Context, id string) error {
	state, _, err := eventstore.Load(ctx, s.Store, callback.Decider, id)
	if err != nil || !state.Open() {
		return err
	}
	effect, err := s.apply(ctx, state.Received)
	var (
		notYet  *process.NotYetError
		against *contradiction
	)
	switch {
	case errors.As(err, &against):
		return s.conclude(ctx, state.Received, callback.GiveUp{Reason: reasonContradicts, At: s.Now()})
	case errors.As(err, &notYet) && s.Now().Sub(state.Received.ReceivedAt) >= GiveUpAfter:
		return s.conclude(ctx, state.Received, callback.GiveUp{Reason: notYet.For, At: s.Now()})
	case err != nil:
		return fmt.Errorf("apply callback %s of %s: %w", state.Received.CallbackID, state.Received.Gateway, err)
	}
	if err := s.fault("callback done"); err != nil {
		return err
	}
	return s.conclude(ctx, state.Received, callback.Apply{Effect: effect, At: s.Now()})
}

func (s *Service) conclude(ctx context.Context, received callback.GatewayCallbackReceived, command callback.Command) error {
	h := handlers.CommandHandler[callback.State, callback.Command, callback.Event]{Store: s.Store, Decider: callback.Decider}
	_, err := h.Handle(ctx, received.ID, meta(received, "conclude"), command)
	return err
}

// news is a callback beside the payment it is about.
type news struct {
	callback.GatewayCallbackReceived

	payment    payment.State
	checkoutID string // what the payment's events belong to
}

func (s *Service) apply(ctx context.Context, received callback.GatewayCallbackReceived) (callback.Effect, error) {
	n, err := s.read(ctx, received)
	if err != nil {
		return "", err
	}
	// A gateway has no say in what another one holds.
	if n.payment.Status == "" || n.payment.Gateway != received.Gateway {
		return "", &process.NotYetError{For: reasonPayment}
	}
	if received.Kind == unwanted.Unseen {
		return s.unseen(ctx, n)
	}
	switch gateway.CallbackKind(received.Kind) {
	case gateway.TellsAuthorisation:
		return s.authorisation(ctx, n)
	case gateway.TellsMovement:
		return s.movement(ctx, n)
	case gateway.TellsChargeback:
		return s.chargeback(ctx, n)
	case gateway.TellsOther:
	}
	return callback.Ignored, nil
}

// read folds the payment, and finds out what it belongs to.
func (s *Service) read(ctx context.Context, received callback.GatewayCallbackReceived) (n news, err error) {
	n.GatewayCallbackReceived = received
	for recorded, err := range s.Store.ReadStream(ctx, payment.Decider.Stream(received.PaymentID), 0) {
		if err != nil {
			return n, fmt.Errorf("read payment %s: %w", received.PaymentID, err)
		}
		event, err := recorded.Decode()
		if err != nil {
			return n, err
		}
		own, ok := event.(payment.Event)
		if !ok {
			return n, fmt.Errorf("%s is no event of a payment", recorded.Type)
		}
		if n.checkoutID == "" {
			meta, err := recorded.Metadata()
			if err != nil {
				return n, err
			}
			n.checkoutID = meta.CorrelationID
		}
		n.payment = payment.Decider.Evolve(n.payment, own)
	}
	return n, nil
}

// record appends to the payment what the commands decide, one after another.
// It reports whether there was anything new.
func (s *Service) record(ctx context.Context, n news, step string, commands ...payment.Command) (bool, error) {
	h := handlers.CommandHandler[payment.State, payment.Command, payment.Event]{Store: s.Store, Decider: payment.Decider}
	about, changed := meta(n.GatewayCallbackReceived, step), false
	about.CorrelationID = n.checkoutID
	for i, command := range commands {
		about.CommandID = eventstore.DeriveID("gateway callback command", n.ID, step, fmt.Sprint(i))
		result, err := h.Handle(ctx, n.PaymentID, about, command)
		if err != nil {
			return changed, err
		}
		changed = changed || len(result.Events) > 0
	}
	return changed, s.fault(step + " recorded")
}

// movement tells what became of a capture or a refund.
func (s *Service) movement(ctx context.Context, n news) (callback.Effect, error) {
	m, list := n.Movement, n.payment.Captures
	refund := gateway.Kind(m.Kind) == gateway.Refunds
	if refund {
		list = n.payment.Refunds
	}
	if !asked(list, m.ID) {
		return "", &process.NotYetError{For: reasonMovement}
	}
	var command payment.Command
	switch done := gateway.MovementStatus(m.Status); {
	case done == gateway.Done && refund:
		command = payment.Refund{RefundID: m.ID, GatewayRef: m.Ref}
	case done == gateway.Done:
		command = payment.Capture{CaptureID: m.ID, GatewayRef: m.Ref}
	case done == gateway.Failed && refund:
		command = payment.FailRefund{RefundID: m.ID, Code: m.Code}
	case done == gateway.Failed:
		command = payment.FailCapture{CaptureID: m.ID, Code: m.Code}
	default:
		return callback.Known, nil
	}
	return effect(s.record(ctx, n, "movement", command))
}

func asked(list []payment.Movement, id string) bool {
	for _, m := range list {
		if m.ID == id && id != "" {
			return true
		}
	}
	return false
}

func (s *Service) chargeback(ctx context.Context, n news) (callback.Effect, error) {
	changed, err := s.record(ctx, n, "chargeback", payment.ChargeBack{CaseRef: n.Chargeback.CaseRef, Amount: n.Chargeback.Amount})
	if errors.Is(err, payment.ErrExceedsCaptured) || errors.Is(err, payment.ErrTransition) {
		// Our own record of the capture may be on its way.
		return "", &process.NotYetError{For: reasonMovement}
	}
	return effect(changed, err)
}

// effect is what came of recording something. What a rule refuses can never be
// true beside what is recorded.
func effect(changed bool, err error) (callback.Effect, error) {
	var refused *domain.RuleError
	switch {
	case errors.As(err, &refused):
		return "", &contradiction{refused}
	case err != nil:
		return "", err
	case changed:
		return callback.Recorded, nil
	}
	return callback.Known, nil
}

// wake lets the checkout that waits for a payment go on.
func (s *Service) wake(ctx context.Context, n news) error {
	s.Checkouts.Heard(n.PaymentID)
	outcome, err := s.Checkouts.Recover(ctx, n.checkoutID)
	switch {
	case err != nil:
		return err
	case errors.Is(refusal(outcome), checkout.ErrInProgress):
		return &process.NotYetError{For: reasonBusy, After: time.Second}
	}
	return nil
}

// refusal is nil, or why there is no order.
func refusal(o checkout.Outcome) error {
	if o.Refused == nil {
		return nil
	}
	return o.Refused
}
