// Package payment is one attempt to pay an order: what was asked of the
// gateway and what it answered, in that order. It promises that a payment has
// one outcome, that whatever might hold money can be voided, that no more is
// captured than was authorised, and no more refunded than was captured.
package payment

import (
	"slices"
	"time"

	"github.com/waybill-dev/waybill/domain"
)

// RenewBefore is how long before it expires an authorisation is looked after.
const RenewBefore = 24 * time.Hour

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

// Where a payment may be. A payment nobody asked for has no status. What was
// captured and refunded does not move it: that is told by the amounts.
const (
	StatusRequested      Status = "requested"
	StatusActionRequired Status = "action_required"
	StatusAuthorised     Status = "authorised"
	StatusDeclined       Status = "declined"
	StatusUnknown        Status = "unknown"
	StatusNotFound       Status = "not_found"
	StatusVoidRequested  Status = "void_requested"
	StatusVoided         Status = "voided"
	StatusExpired        Status = "expired"
)

// Rules a payment may refuse a command by.
var (
	ErrInvalid  = domain.Rule("payment-invalid", "a payment is of a positive amount of a known currency or of nothing")
	ErrIDReused = domain.Rule("id-reused", "the id was used before, with other content")
	// ErrTransition has the details state, command and allowed.
	ErrTransition = domain.Rule("invalid-transition", "the payment is not in a state that allows this")
	// ErrExceedsAuthorised has the details authorised, taken (captured, or
	// about to be) and requested.
	ErrExceedsAuthorised = domain.Rule("amount-exceeds-authorised", "no more can be captured than was authorised")
	// ErrExceedsCaptured has the details captured, taken (refunded, about to
	// be, or charged back) and requested.
	ErrExceedsCaptured = domain.Rule("amount-exceeds-captured", "no more can be given back than was captured")
)

// State is a payment. Its slices are never changed in place.
type State struct {
	Status               Status
	PaymentID, OrderID   string
	Amount               domain.Money // asked for
	Method, Gateway, Key string
	RequestedAt          time.Time
	ByHand               bool         // asked for by somebody, after the order was placed
	ReturnURL            string       // where the shopper comes back to, of one that was
	GatewayRef           string       // once authorised
	Authorised           domain.Money // held by the gateway, before captures
	ExpiresAt            time.Time    // of the authorisation
	Code, Message        string       // once declined
	Retryable            bool
	ActionURL            string // where the shopper has to go, while an action is required
	ActionExpiresAt      time.Time
	Captures, Refunds    []Movement // in the order they were asked for
	Chargebacks          []Chargeback
	// BeforeVoid is the status a void that fails returns to.
	BeforeVoid Status
	// VoidFailure is why the last void failed; empty while another is under way.
	VoidFailure string
}

// Short reports whether the gateway holds less than it was asked for, or another
// currency: no order may be placed for that.
func (s State) Short() bool {
	return s.Authorised.Currency != s.Amount.Currency || s.Authorised.Amount < s.Amount.Amount
}

// Movement is money that the gateway was asked to capture or to refund.
type Movement struct {
	ID         string
	Amount     domain.Money
	Final      bool // of a capture: the rest is let go
	Status     MovementStatus
	GatewayRef string // once done
	Code       string // once failed
}

// MovementStatus is where a capture or a refund is.
type MovementStatus string

// Where a capture or a refund may be. One without an answer stays requested:
// it is asked about, or for, with the same id.
const (
	MovementRequested MovementStatus = "requested"
	MovementDone      MovementStatus = "done"
	MovementFailed    MovementStatus = "failed"
)

// Chargeback is money that the shopper's bank took back.
type Chargeback struct {
	CaseRef string
	Amount  domain.Money
}

// Settled reports whether the outcome is known and final as far as an
// authorisation goes.
func (s State) Settled() bool {
	switch s.Status {
	case "", StatusRequested, StatusUnknown, StatusActionRequired:
		return false
	case StatusAuthorised, StatusDeclined, StatusNotFound, StatusVoidRequested, StatusVoided, StatusExpired:
	}
	return true
}

// Captured returns what the gateway has taken.
func (s State) Captured() domain.Money {
	return s.money(sum(s.Captures, MovementDone))
}

// Refunded returns what the gateway has given back.
func (s State) Refunded() domain.Money {
	return s.money(sum(s.Refunds, MovementDone))
}

// ChargedBack returns what banks took back.
func (s State) ChargedBack() domain.Money {
	var total int64
	for _, c := range s.Chargebacks {
		total += c.Amount.Amount
	}
	return s.money(total)
}

// Capturable returns how much more may be captured: nothing once the gateway
// holds nothing any more, or is about to let go.
func (s State) Capturable() domain.Money {
	if s.Status != StatusAuthorised || s.finished() {
		return s.money(0)
	}
	return s.money(s.Authorised.Amount - sum(s.Captures, MovementDone, MovementRequested))
}

// Refundable returns how much more may be refunded. What a bank took back is
// not given back a second time.
func (s State) Refundable() domain.Money {
	return s.money(max(0, s.Captured().Amount-s.givenBack()))
}

// givenBack is what was refunded, is about to be, or was charged back.
func (s State) givenBack() int64 {
	return sum(s.Refunds, MovementDone, MovementRequested) + s.ChargedBack().Amount
}

// finished reports whether a capture lets go of the rest.
func (s State) finished() bool {
	for _, c := range s.Captures {
		if c.Final && c.Status != MovementFailed {
			return true
		}
	}
	return false
}

func (s State) money(amount int64) domain.Money {
	return domain.Money{Amount: amount, Currency: s.Authorised.Currency}
}

// sum cannot overflow: it is bounded by what was authorised.
func sum(movements []Movement, statuses ...MovementStatus) (total int64) {
	for _, m := range movements {
		if slices.Contains(statuses, m.Status) {
			total += m.Amount.Amount
		}
	}
	return total
}

// Decider is the payment as an aggregate.
var Decider = domain.Decider[State, Command, Event]{Category: "payment", Decide: decide, Evolve: evolve}
