// Package payment is what we ask of a payment gateway, whichever it is. A key
// names one authorisation for ever, and an id one capture or one refund of it,
// while those of other keys may have the same: asking again with it never moves
// money twice. Nothing is asked twice on its own
// account: who gets no answer looks before asking again. It must know nothing
// of orders.
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
	// Void gives up what an authorisation holds and was not captured. Voiding
	// one twice is harmless, as is voiding one that was declined or expired; one
	// that does not exist is [ErrNotFound], or is voided where the gateway can
	// be kept from making it later. A refusal is a [*RefusedError].
	Void(ctx context.Context, key string) (Authorisation, error)
}

// Collector takes money that is held, and gives it back. It may be used by many
// goroutines. A refusal is an answer, not an error: a movement that failed.
type Collector interface {
	// Capture takes money that is held. It asks once: the error is
	// [ErrUnknownOutcome], [ErrNotSent] or [ErrNotFound].
	Capture(ctx context.Context, capture Capture) (Movement, error)
	// FindCapture returns what became of a capture, or [ErrNotFound].
	FindCapture(ctx context.Context, capture Capture) (Movement, error)
	// Refund gives captured money back. It asks once, as Capture does.
	Refund(ctx context.Context, refund Refund) (Movement, error)
	// FindRefund returns what became of a refund, or [ErrNotFound].
	FindRefund(ctx context.Context, refund Refund) (Movement, error)
}

// Provider is a gateway that does all we know of.
type Provider interface {
	Gateway
	Collector
	Listener
}

// Authorise asks for an authorisation.
type Authorise struct {
	Key    string
	Amount domain.Money
	Method string // "sandbox:approved"
	// ReturnURL is where the shopper comes back to after an action. Without it
	// the shopper cannot be sent anywhere: what needs an action is declined.
	ReturnURL string
}

// Status is the state of an authorisation.
type Status string

// States of an authorisation.
const (
	Authorised     Status = "authorised" // also once captured
	Declined       Status = "declined"
	ActionRequired Status = "action_required" // only where a ReturnURL was given
	Voided         Status = "voided"
	Expired        Status = "expired"
)

// Authorisation is what the gateway keeps under a key.
type Authorisation struct {
	Ref       string // the gateway's own name for it
	Status    Status
	Amount    domain.Money
	Code      string    // why it was declined, for programs
	Message   string    // and for people
	ExpiresAt time.Time // of what is held; zero where the gateway does not say
	ActionURL string    // where the shopper has to go, while an action is required
	Captured  domain.Money
	Refunded  domain.Money
	// Once says that the gateway captures this one a single time and lets go of
	// the rest: its first capture has to be final.
	Once bool
}

// Capture asks for money that is held.
type Capture struct {
	Key    string // of the authorisation
	Ref    string // the gateway's name for it; empty is found out
	ID     string // of the capture
	Amount domain.Money
	Final  bool // lets go of the rest
}

// Refund asks for captured money to be given back.
type Refund struct {
	Key    string // of the authorisation
	Ref    string // the gateway's name for it; empty is found out
	ID     string // of the refund
	Amount domain.Money
}

// Kind is what a movement does.
type Kind string

// Kinds of movements.
const (
	Captures Kind = "capture"
	Refunds  Kind = "refund"
)

// MovementStatus is the state of a movement.
type MovementStatus string

// States of a movement. One that is pending is done or fails later, which is
// found by looking or told by a callback.
const (
	Done    MovementStatus = "done"
	Pending MovementStatus = "pending"
	Failed  MovementStatus = "failed"
)

// Movement is what the gateway keeps of a capture or a refund.
type Movement struct {
	Kind    Kind
	ID      string // ours
	Ref     string // the gateway's own name for it
	Status  MovementStatus
	Amount  domain.Money
	Code    string // why it failed, for programs
	Message string // and for people
}

// RefusedError is a gateway saying no to what has no answer of its own.
type RefusedError struct{ Code, Message string }

// Error implements error.
func (e *RefusedError) Error() string { return "the gateway refused: " + e.Message }

// Errors that callers branch on.
var (
	// ErrUnknownOutcome says that the gateway may or may not have acted: it
	// timed out, hung up, or failed.
	ErrUnknownOutcome = errors.New("the gateway's answer is missing")
	// ErrFailed and ErrHungUp come with ErrUnknownOutcome: the gateway answered
	// that it has a fault (5xx), or the connection ended before it answered.
	ErrFailed = errors.New("the gateway failed")
	ErrHungUp = errors.New("the gateway hung up")
	// ErrNotSent says that nothing was asked, because the gateway cannot be
	// reached or is known to be down.
	ErrNotSent = errors.New("the gateway is down and was not asked")
	// ErrNotFound says that the gateway knows nothing under a key.
	ErrNotFound = errors.New("the gateway knows no such authorisation")
	// ErrUnsupportedMethod says that no gateway takes this method.
	ErrUnsupportedMethod = errors.New("the payment method is not supported")
	// ErrBadSignature says that a callback is not the gateway's, or too old.
	ErrBadSignature = errors.New("the callback is not signed by the gateway")
	// ErrBadCallback says that a callback is signed and cannot be read.
	ErrBadCallback = errors.New("the callback cannot be read")
)
