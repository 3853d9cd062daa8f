package gatewaycallbacks

import (
	"context"
	"errors"
	"fmt"

	domaincheckout "github.com/waybill-dev/waybill/domain/checkout"
	callback "github.com/waybill-dev/waybill/domain/gatewaycallback"
	"github.com/waybill-dev/waybill/domain/payment"
	"github.com/waybill-dev/waybill/eventstore"
	gateway "github.com/waybill-dev/waybill/gateways/payment"
	"github.com/waybill-dev/waybill/handlers/checkout"
	"github.com/waybill-dev/waybill/handlers/process"
	"github.com/waybill-dev/waybill/handlers/unwanted"
)

// authorisation tells what the gateway holds. It is recorded where it is news;
// then what waits for it goes on.
func (s *Service) authorisation(ctx context.Context, n news) (callback.Effect, error) {
	status := gateway.Status(n.Authorisation.Status)
	if unwanted.Is(n.payment, gateway.Authorisation{Status: status}) {
		effect, _, err := s.letGo(ctx, n)
		return effect, err
	}
	changed, err := s.record(ctx, n, "authorisation", commands(n)...)
	if errors.Is(err, payment.ErrTransition) || errors.Is(err, eventstore.ErrConflict) {
		// Somebody else recorded something since the payment was read.
		return "", &process.NotYetError{For: reasonBusy}
	}
	if err != nil {
		return "", err
	}
	waits, err := s.waits(ctx, n)
	if err != nil {
		return "", err
	}
	if waits {
		if err := s.wake(ctx, n); err != nil {
			return "", err
		}
	}
	return effect(changed, nil)
}

// undecided reports whether the outcome of a payment is open.
func undecided(status payment.Status) bool {
	return status == payment.StatusRequested || status == payment.StatusUnknown || status == payment.StatusActionRequired
}

// commands are how the news is recorded. What is known, or old, has none.
func commands(n news) []payment.Command {
	a, now := n.Authorisation, n.payment.Status
	switch gateway.Status(a.Status) {
	case gateway.Authorised:
		if undecided(now) {
			return resolve(n, payment.Authorise{GatewayRef: n.GatewayRef, Amount: a.Amount, ExpiresAt: a.ExpiresAt}, payment.Decline{})
		}
	case gateway.Declined:
		return declined(n, a.Code, a.Message, true)
	case gateway.ActionRequired:
		if now == payment.StatusUnknown || now == payment.StatusRequested {
			return []payment.Command{payment.RequireAction{URL: a.ActionURL, ExpiresAt: a.ExpiresAt}}
		}
	case gateway.Voided:
		return voided(n)
	case gateway.Expired:
		if now == payment.StatusAuthorised || now == payment.StatusVoidRequested {
			return []payment.Command{payment.Expire{}}
		}
		return declined(n, checkout.CodeExpired, "the authorisation is no longer good", true)
	}
	return nil
}

func declined(n news, code, message string, retryable bool) []payment.Command {
	if !undecided(n.payment.Status) {
		return nil
	}
	return resolve(n, payment.Authorise{}, payment.Decline{Code: code, Message: message, Retryable: retryable})
}

// voided follows what was done at the gateway itself, too. What was captured
// is not held any more.
func voided(n news) []payment.Command {
	switch {
	case n.payment.Status == payment.StatusVoidRequested:
		return []payment.Command{payment.Void{}}
	case n.payment.Status == payment.StatusAuthorised && len(n.payment.Captures) == 0:
		return []payment.Command{payment.RequestVoid{Reason: "voided at the gateway"}, payment.Void{}}
	}
	return declined(n, checkout.CodeVoided, "the payment was voided", false)
}

// resolve tells an outcome that was unknown from one that was waited for.
func resolve(n news, authorise payment.Authorise, decline payment.Decline) []payment.Command {
	granted := authorise.GatewayRef != ""
	switch {
	case n.payment.Status == payment.StatusUnknown && granted:
		return []payment.Command{payment.Resolve{As: payment.AsAuthorised, By: payment.ByCallback, Authorised: authorise}}
	case n.payment.Status == payment.StatusUnknown:
		return []payment.Command{payment.Resolve{As: payment.AsDeclined, By: payment.ByCallback, Declined: decline}}
	case granted:
		return []payment.Command{authorise}
	}
	return []payment.Command{decline}
}

// waits reports whether a checkout waits for this payment.
func (s *Service) waits(ctx context.Context, n news) (bool, error) {
	c, _, err := eventstore.Load(ctx, s.Store, domaincheckout.Decider, n.checkoutID)
	if err == nil && c.Step == domaincheckout.Started {
		return true, nil // its first payment is recorded in it later than it is announced
	}
	if err != nil || c.PaymentID != n.PaymentID {
		return false, err
	}
	return c.Step == domaincheckout.Unknown || c.Step == domaincheckout.ActionRequired || c.Step == domaincheckout.Paying, nil
}

// unseen looks at a payment that came to nothing, or is about to, and for a day
// at one that the gateway knows nothing of.
func (s *Service) unseen(ctx context.Context, n news) (callback.Effect, error) {
	if n.payment.Status == payment.StatusAuthorised {
		return callback.Known, nil
	}
	effect, there := callback.Known, false
	if n.payment.Settled() {
		var err error
		if effect, there, err = s.letGo(ctx, n); err != nil {
			return "", err
		}
	}
	if !there && s.Now().Sub(n.ReceivedAt) < GiveUpAfter {
		return "", &process.NotYetError{For: reasonUnseen}
	}
	return effect, nil
}

// letGo looks whether the gateway holds money for a payment that ended without,
// and voids that: the callback may be old. It says whether the gateway knows
// the payment.
func (s *Service) letGo(ctx context.Context, n news) (effect callback.Effect, there bool, err error) {
	if n.payment.Status == payment.StatusVoidRequested {
		return "", true, &process.NotYetError{For: reasonBusy} // it is being let go
	}
	provider, err := s.Gateways.Provider(n.Gateway)
	if err != nil {
		return "", false, err
	}
	calling, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	held, err := provider.Find(calling, n.PaymentID)
	switch {
	case errors.Is(err, gateway.ErrNotFound):
		return callback.Known, false, nil
	case err != nil:
		return "", false, fmt.Errorf("look what the gateway holds: %w", err)
	case !unwanted.Is(n.payment, held):
		return callback.Known, true, nil
	}
	if _, err := provider.Void(calling, n.PaymentID); err != nil && !errors.Is(err, gateway.ErrNotFound) {
		return "", true, fmt.Errorf("void a late payment: %w", err)
	}
	if err := s.fault("gateway voided"); err != nil {
		return "", true, err
	}
	return callback.LetGo, true, s.Checkouts.FoundLate(ctx, n.checkoutID, held)
}
