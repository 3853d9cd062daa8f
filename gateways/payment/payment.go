// Package payment is what the checkout asks of a payment gateway, whichever it
// is. A key names one authorisation for ever: asking again with it never
// charges twice.
package payment

import (
	"context"
	"errors"
	"time"

	"github.com/waybill-dev/waybill/domain"
)

// Gateway authorises payments. It may be used by many goroutines.
type Gateway interface {
	// Authorise reserves an amount on the shopper's means of payment. A
	// declined payment is an answer, not an error. It asks once: the error is
	// [ErrUnknownOutcome] when it cannot tell what happened, [ErrNotSent] when
	// it knows that nothing did, and [ErrUnsupportedMethod].
	Authorise(ctx context.Context, request Authorise) (Authorisation, error)
	// Find returns what the gateway knows under a key, or [ErrNotFound].
	Find(ctx context.Context, key string) (Authorisation, error)
	// Void gives up an authorisation. Voiding one twice is harmless; one that
	// does not exist is [ErrNotFound].
	Void(ctx context.Context, key string) (Authorisation, error)
}

// Authorise asks for an authorisation.
type Authorise struct {
	Key    string
	Amount domain.Money
	Method string // "sandbox:approved"
}

// Status is the state of an authorisation.
type Status string

// States of an authorisation.
const (
	Authorised Status = "authorised"
	Declined   Status = "declined"
	Voided     Status = "voided"
)

// Authorisation is what the gateway keeps under a key.
type Authorisation struct {
	Ref       string // the gateway's own name for it
	Status    Status
	Amount    domain.Money
	Code      string // why it was declined, for programs
	Message   string // and for people
	ExpiresAt time.Time
}

// Errors a checkout branches on.
var (
	// ErrUnknownOutcome says that the gateway may or may not have acted: it
	// timed out, hung up, or failed.
	ErrUnknownOutcome = errors.New("the gateway's answer is missing")
	// ErrNotSent says that nothing was asked, because the gateway cannot be
	// reached or is known to be down.
	ErrNotSent = errors.New("the gateway is down and was not asked")
	// ErrNotFound says that the gateway knows nothing under a key.
	ErrNotFound = errors.New("the gateway knows no such authorisation")
	// ErrUnsupportedMethod says that no gateway takes this method.
	ErrUnsupportedMethod = errors.New("the payment method is not supported")
)
