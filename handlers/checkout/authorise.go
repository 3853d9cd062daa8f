package checkout

import (
	"context"
	"errors"
	"fmt"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/domain/payment"
	"github.com/waybill-dev/waybill/eventstore"
	gateway "github.com/waybill-dev/waybill/gateways/payment"
	"github.com/waybill-dev/waybill/gateways/registry"
	"github.com/waybill-dev/waybill/handlers/unwanted"
)

// Codes of declined payments that are not the gateway's.
const (
	CodeUnsupported = "unsupported-method"
	CodeNotFound    = "not-found"
	CodeVoided      = "voided"
	CodeExpired     = "expired"
	CodeInterrupted = "interrupted"  // before the gateway was asked
	CodeShort       = "amount-short" // less is held than was asked for
)

// answers is how often an answer of a gateway is recorded while others record
// what they heard of the same payment.
const answers = 5

// Unsupported tells people what [CodeUnsupported] tells programs.
const Unsupported = "the payment method is not supported"

// ErrGatewayAway says that the gateway is known to be down and was not asked.
// It is an [eventstore.ErrUnavailable]: the request may be repeated with its
// key, and goes on where it stopped.
var ErrGatewayAway error = gatewayAwayError{}

type gatewayAwayError struct{}

func (gatewayAwayError) Error() string        { return "the payment gateway is not available" }
func (gatewayAwayError) Is(target error) bool { return target == eventstore.ErrUnavailable }

// authorise asks the gateway, unless that was done before, and acts on the
// answer.
func (s *Service) authorise(ctx context.Context, r *run) error {
	if err := s.readPayment(ctx, r); err != nil {
		return err
	}
	switch r.payment.state.Status {
	case "":
		if _, err := s.Gateways.Provider(registry.Of(r.checkout.state.Method)); err != nil {
			return s.decline(ctx, r, s.unsupported())
		}
		if kept, err := s.keep(ctx, r); err != nil || !kept {
			return err
		}
		if err := s.announce(ctx, r); err != nil {
			return err
		}
		if err := s.ask(ctx, r); err != nil {
			return err
		}
	case payment.StatusRequested:
		if err := s.interrupted(ctx, r); err != nil {
			return err
		}
	case payment.StatusAuthorised, payment.StatusDeclined, payment.StatusUnknown, payment.StatusNotFound,
		payment.StatusActionRequired, payment.StatusVoidRequested, payment.StatusVoided, payment.StatusExpired:
	}
	return s.settle(ctx, r)
}

// readPayment knows the payment of the last attempt. Where this run has just
// requested it there is nothing to read.
func (s *Service) readPayment(ctx context.Context, r *run) error {
	if id := r.checkout.state.PaymentID; r.payment.id != id {
		r.payment = fresh(payment.Decider, id)
	}
	if !r.asked {
		return nil
	}
	return r.payment.load(ctx, s.Store)
}

// keep extends the reservations where they might expire before the gateway
// answers. Where they did, it begins to undo the checkout and reports false.
func (s *Service) keep(ctx context.Context, r *run) (bool, error) {
	config, now := s.Config.withDefaults(), s.Now()
	expires := r.checkout.state.ExpiresAt
	if expires.Sub(now) >= 2*config.GatewayTimeout {
		return true, nil
	}
	kept, err := s.extend(ctx, r, now.Add(config.Hold))
	if err != nil || kept {
		return kept, err
	}
	return false, s.compensate(ctx, r, checkout.ErrStockLost)
}

// announce records the payment before the gateway is asked, so that no money
// can be held that nobody knows of.
func (s *Service) announce(ctx context.Context, r *run) error {
	state := r.checkout.state
	err := s.recordPayment(ctx, r, "payment requested", payment.Request{
		PaymentID: state.PaymentID, OrderID: state.OrderID, Amount: state.Totals.Grand, Method: state.Method,
		Gateway: registry.Of(state.Method), Key: state.PaymentID, At: s.Now(),
	})
	if err != nil {
		return err
	}
	return s.fault("payment announced")
}

// recordPayment appends to the payment.
func (s *Service) recordPayment(ctx context.Context, r *run, step string, command payment.Command) error {
	cause, err := r.payment.do(ctx, s.Store, r.meta(step), command)
	if err == nil && cause != "" {
		r.cause = cause
	}
	return err
}

// ask asks the gateway once and records what it answered. Asking again with
// the same key never charges twice.
func (s *Service) ask(ctx context.Context, r *run) error {
	begun := s.Now()
	answer, err := s.charge(ctx, r)
	if err := s.fault("gateway asked"); err != nil {
		return err
	}
	step, command := "payment answered", s.result(answer)
	switch {
	case errors.Is(err, gateway.ErrUnsupportedMethod):
		command = payment.Decline{Code: CodeUnsupported, Message: Unsupported, Retryable: true}
	case errors.Is(err, gateway.ErrNotSent):
		return fmt.Errorf("%w: %w", ErrGatewayAway, err)
	case err != nil:
		step, command = "payment lost", payment.LoseSight{Cause: Cause(err), After: s.Now().Sub(begun)}
	}
	if err := s.answered(ctx, r, step, command); err != nil {
		return err
	}
	if unwanted.Is(r.payment.state, answer) {
		return s.contradicted(ctx, r, answer)
	}
	return s.fault("payment answered")
}

// answered records an answer, unless somebody told the outcome meanwhile: a
// callback, or recovery. What then cannot be true beside it is not recorded.
func (s *Service) answered(ctx context.Context, r *run, step string, command payment.Command) (err error) {
	for range answers {
		if err = s.recordPayment(ctx, r, step, command); !errors.Is(err, eventstore.ErrConflict) {
			break
		}
		if err := r.payment.load(ctx, s.Store); err != nil {
			return err
		}
	}
	if errors.Is(err, payment.ErrTransition) {
		return nil
	}
	return err
}

// charge asks the gateway for the money. It does not wait any longer when the
// outcome is told otherwise, see [Service.Heard].
func (s *Service) charge(ctx context.Context, r *run) (gateway.Authorisation, error) {
	p := r.payment.state
	provider, err := s.gateway(r)
	if err != nil {
		return gateway.Authorisation{}, err
	}
	calling, cancel := context.WithTimeout(ctx, s.Config.withDefaults().GatewayTimeout)
	defer cancel()
	s.asking.Store(p.PaymentID, cancel)
	defer s.asking.Delete(p.PaymentID)
	return provider.Authorise(calling, gateway.Authorise{
		Key: p.Key, Amount: p.Amount, Method: p.Method, ReturnURL: r.checkout.state.ReturnURL,
	})
}

// contradicted handles an answer that came after the payment was settled
// otherwise: money that is held, or may come to be, is let go. The shopper may
// pay by another method by then, and the checkout does not look back: what
// cannot be voided at once stands on the list of callbacks.
func (s *Service) contradicted(ctx context.Context, r *run, answer gateway.Authorisation) error {
	kept := unwanted.Keep(ctx, s.Store, r.payment.state, answer, s.Now())
	if err := s.fault("unwanted money kept"); err != nil {
		return err
	}
	if err := s.voidAt(ctx, r); err != nil && kept != nil {
		return errors.Join(errVoid, err, kept)
	}
	return s.fault("gateway voided")
}

// result is a gateway's answer as a command.
func (s *Service) result(a gateway.Authorisation) payment.Command {
	switch a.Status {
	case gateway.ActionRequired:
		return payment.RequireAction{URL: a.ActionURL, ExpiresAt: s.actionDeadline(a)}
	case gateway.Authorised:
		return payment.Authorise{GatewayRef: a.Ref, Amount: a.Amount, ExpiresAt: a.ExpiresAt}
	case gateway.Voided:
		return payment.Decline{Code: CodeVoided, Message: "the payment was voided"}
	case gateway.Expired:
		return payment.Decline{Code: CodeExpired, Message: "the authorisation is no longer good", Retryable: true}
	case gateway.Declined:
	}
	return payment.Decline{Code: a.Code, Message: a.Message, Retryable: true}
}

// Cause says why an outcome is unknown.
func Cause(err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, gateway.ErrFailed):
		return "5xx"
	case errors.Is(err, gateway.ErrHungUp):
		return "connection"
	}
	return "failure" // an answer that cannot be understood
}

// interrupted finds out what became of a payment that was announced, by a
// process that did not come to record the outcome. Where the gateway knows
// nothing it is asked again with the same key while the checkout is young.
func (s *Service) interrupted(ctx context.Context, r *run) error {
	answer, err := s.find(ctx, r)
	young := s.Now().Sub(r.payment.state.RequestedAt) < s.Config.withDefaults().Abandon
	switch {
	case err == nil:
		return s.resolve(ctx, r, answer)
	case errors.Is(err, gateway.ErrNotFound) && young:
		return s.ask(ctx, r)
	case errors.Is(err, gateway.ErrNotSent) && young:
		return fmt.Errorf("%w: %w", ErrGatewayAway, err)
	}
	return s.recordPayment(ctx, r, "payment lost", payment.LoseSight{
		Cause: "interrupted", After: s.Now().Sub(r.payment.state.RequestedAt),
	})
}

// find asks the gateway what it knows.
func (s *Service) find(ctx context.Context, r *run) (gateway.Authorisation, error) {
	calling, cancel := context.WithTimeout(ctx, s.Config.withDefaults().GatewayTimeout)
	defer cancel()
	provider, err := s.gateway(r)
	if err != nil {
		return gateway.Authorisation{}, err
	}
	return provider.Find(calling, r.payment.state.Key)
}

// resolve records an outcome that was found.
func (s *Service) resolve(ctx context.Context, r *run, answer gateway.Authorisation) error {
	command := payment.Resolve{By: payment.ByPoll, As: payment.AsAuthorised}
	switch outcome := s.result(answer).(type) {
	case payment.RequireAction:
		if err := s.recordPayment(ctx, r, "action required", outcome); err != nil {
			return err
		}
		return s.fault("payment resolved")
	case payment.Authorise:
		command.Authorised = outcome
	case payment.Decline:
		command.As, command.Declined = payment.AsDeclined, outcome
	default: // result makes no other command
	}
	if err := s.recordPayment(ctx, r, "payment resolved "+string(command.As), command); err != nil {
		return err
	}
	return s.fault("payment resolved")
}

// settle acts on the payment's outcome.
func (s *Service) settle(ctx context.Context, r *run) error {
	switch p := r.payment.state; p.Status {
	case payment.StatusAuthorised:
		if p.Short() {
			return s.compensate(ctx, r, checkout.ErrDeclined, s.declined(CodeShort, "the gateway holds less than it was asked for"))
		}
		return s.finish(ctx, r)
	case payment.StatusDeclined:
		return s.decline(ctx, r, s.declined(p.Code, p.Message))
	case payment.StatusUnknown:
		return s.loseSight(ctx, r)
	case payment.StatusActionRequired:
		return s.requireAction(ctx, r)
	case payment.StatusNotFound:
		return s.compensate(ctx, r, checkout.ErrDeclined, s.declined(CodeNotFound, "the gateway knows nothing of the payment"))
	case payment.StatusVoidRequested, payment.StatusVoided, payment.StatusExpired:
		return s.compensate(ctx, r, checkout.ErrUnresolved)
	case "", payment.StatusRequested:
	}
	return eventstore.ErrConflict // somebody else is asking
}

// decline keeps the stock for another method, for a while. Where the outcome
// was unknown before, nobody waits for that, and everything is given back.
func (s *Service) decline(ctx context.Context, r *run, command checkout.DeclinePayment) error {
	if r.checkout.state.Step == checkout.Unknown {
		return s.compensate(ctx, r, checkout.ErrDeclined, command)
	}
	if r.checkout.state.ExpiresAt.Before(command.RetryUntil) {
		kept, err := s.extend(ctx, r, command.RetryUntil)
		if err != nil {
			return err
		}
		if !kept {
			return s.compensate(ctx, r, checkout.ErrDeclined, command)
		}
	}
	if err := s.record(ctx, r, "declined", command); err != nil {
		return err
	}
	return s.fault("declined")
}

// unsupported declines a method that no gateway takes, before anything is
// asked.
func (s *Service) unsupported() checkout.DeclinePayment {
	return s.declined(CodeUnsupported, Unsupported)
}

func (s *Service) declined(code, message string) checkout.DeclinePayment {
	now := s.Now()
	return checkout.DeclinePayment{
		Code: code, Message: message, RetryUntil: now.Add(s.Config.withDefaults().DeclinedHold), At: now,
	}
}

// loseSight keeps the stock for longer and leaves the rest to recovery. Stock
// that is lost meanwhile is noticed when it is to be committed.
func (s *Service) loseSight(ctx context.Context, r *run) error {
	if r.checkout.state.Step == checkout.Unknown {
		return nil
	}
	now := s.Now()
	if _, err := s.extend(ctx, r, r.checkout.state.StartedAt.Add(s.Config.withDefaults().Hold+s.Config.withDefaults().UnknownHold)); err != nil {
		return err
	}
	if err := s.record(ctx, r, "lost", checkout.LoseSight{At: now}); err != nil {
		return err
	}
	return s.fault("payment unknown")
}

// compensate says that everything is about to be undone.
func (s *Service) compensate(ctx context.Context, r *run, reason *domain.RuleError, before ...checkout.Command) error {
	commands := append(before, checkout.Compensate{Reason: reason, At: s.Now()})
	if err := s.record(ctx, r, fmt.Sprintf("compensating %s %d", reason.Code, len(before)), commands...); err != nil {
		return err
	}
	return s.fault("compensating")
}
