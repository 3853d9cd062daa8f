// Package payment is one attempt to pay an order: what was asked of the
// gateway and what it answered, in that order. It promises that a payment has
// one outcome, and that whatever might hold money can be voided.
package payment

import (
	"time"

	"github.com/waybill-dev/waybill/domain"
)

// Resolution is what an unknown outcome turned out to be.
type Resolution string

// What an unknown outcome may turn out to be.
const (
	AsAuthorised Resolution = "authorised"
	AsDeclined   Resolution = "declined"
	AsNotFound   Resolution = "not_found"
)

// Source is who found out.
type Source string

// Who may find an outcome out.
const (
	ByPoll     Source = "poll"
	ByCallback Source = "callback"
	ByOperator Source = "operator"
)

// Status is where a payment is.
type Status string

// Where a payment may be. A payment nobody asked for has no status.
const (
	StatusRequested     Status = "requested"
	StatusAuthorised    Status = "authorised"
	StatusDeclined      Status = "declined"
	StatusUnknown       Status = "unknown"
	StatusNotFound      Status = "not_found"
	StatusVoidRequested Status = "void_requested"
	StatusVoided        Status = "voided"
)

// Rules a payment may refuse a command by.
var (
	ErrInvalid    = domain.Rule("payment-invalid", "a payment is of a positive amount of a known currency or of nothing")
	ErrIDReused   = domain.Rule("id-reused", "the id was used before, with other content")
	ErrTransition = domain.Rule("invalid-transition", "the payment is not in a state that allows this")
)

// Command is a wish to change a payment.
//
//sumtype:decl
type Command interface{ command() }

// Request says that the gateway is about to be asked for an authorisation.
type Request struct {
	PaymentID, OrderID   string
	Amount               domain.Money
	Method, Gateway, Key string
	At                   time.Time
}

// Authorise records that the gateway holds the money.
type Authorise struct {
	GatewayRef string
	Amount     domain.Money
	ExpiresAt  time.Time
}

// Decline records that the gateway refused.
type Decline struct {
	Code, Message string
	Retryable     bool
}

// LoseSight records that the gateway did not answer. Once the outcome is known
// this changes nothing.
type LoseSight struct {
	Cause string
	After time.Duration
}

// Resolve records an outcome that was found by asking, or told. Authorised or
// Declined is the one that As names.
type Resolve struct {
	As         Resolution
	By         Source
	Authorised Authorise
	Declined   Decline
}

// RequestVoid says that the gateway is about to be asked to let go of the
// money, whether or not it holds any. A declined payment needs no voiding.
type RequestVoid struct{ Reason string }

// Void records that the gateway let go of the money.
type Void struct{}

func (Request) command()     {}
func (Authorise) command()   {}
func (Decline) command()     {}
func (LoseSight) command()   {}
func (Resolve) command()     {}
func (RequestVoid) command() {}
func (Void) command()        {}

// State is a payment.
type State struct {
	Status               Status
	PaymentID, OrderID   string
	Amount               domain.Money // asked for
	Method, Gateway, Key string
	RequestedAt          time.Time
	GatewayRef           string       // once authorised
	Authorised           domain.Money // held by the gateway
	ExpiresAt            time.Time    // of the authorisation
	Code, Message        string       // once declined
	Retryable            bool
}

// Settled reports whether the outcome is known and final as far as an
// authorisation goes.
func (s State) Settled() bool {
	return s.Status != "" && s.Status != StatusRequested && s.Status != StatusUnknown
}

// Decider is the payment as an aggregate.
var Decider = domain.Decider[State, Command, Event]{Category: "payment", Decide: decide, Evolve: evolve}
