// Package checkout is the way from a cart to an order: what has been done for
// it and what is to be done next. It promises that a checkout has one outcome,
// that nothing is given back to a checkout that may still succeed, and that a
// checkout which began to undo can only fail. It does nothing itself: a
// process manager does, and records here.
package checkout

import (
	"time"

	"github.com/waybill-dev/waybill/domain"
)

// Rules a checkout may be refused by; those of stock and cart join them.
var (
	ErrOutOfStock = domain.Rule("out-of-stock", "there are not enough units left")
	ErrDeclined   = domain.Rule("payment-declined", "the payment was declined")
	ErrStockLost  = domain.Rule("stock-lost", "the reservation expired before the payment was made, and the units are gone")
	ErrUnresolved = domain.Rule("payment-unresolved", "the payment's outcome could not be found out; the payment was voided")
	ErrAbandoned  = domain.Rule("checkout-abandoned", "the checkout was interrupted; begin another one")
	ErrTransition = domain.Rule("invalid-transition", "the checkout is not in a state that allows this")
	// ErrTooManyPayments has the detail attempts.
	ErrTooManyPayments = domain.Rule("too-many-payments", "no more payments may be tried for this checkout; begin another one")
)

// Step is where a checkout is.
type Step string

// Where a checkout may be. A checkout nobody began has no step.
const (
	Started  Step = "started"  // stock is to be reserved
	Reserved Step = "reserved" // a payment is to be begun
	Paying   Step = "paying"   // the gateway is asked
	Declined Step = "declined" // waits for another method
	Unknown  Step = "unknown"  // the gateway's answer is looked for
	// ActionRequired waits for the shopper, who has to confirm the payment.
	ActionRequired Step = "action_required"
	Authorised     Step = "authorised"   // stock is to be committed, the order placed
	Compensating   Step = "compensating" // stock and money are given back
	Completed      Step = "completed"
	Failed         Step = "failed"
	Abandoned      Step = "abandoned"
)

// MaxPayments is how many payments may be tried for one checkout.
const MaxPayments = 5

// Open reports whether there is something left to do.
func (s Step) Open() bool {
	return s != "" && s != Completed && s != Failed && s != Abandoned
}

// Reservation is units of one SKU set aside for the checkout.
type Reservation struct {
	ReservationID string `json:"reservation_id"`
	Location      string `json:"location"`
	SKU           string `json:"sku"`
	Quantity      int    `json:"quantity"`
}

// Shortage is a SKU of which there was not enough.
type Shortage struct {
	SKU, Location        string
	Requested, Available int
}

// State is a checkout.
type State struct {
	CheckoutID, OrderID, Number string
	CustomerID, Fingerprint     string
	Request                     Request
	Lines                       []Line
	Totals                      Totals
	Step                        Step
	StartedAt                   time.Time
	ChangedAt                   time.Time // of the last event
	ExpiresAt                   time.Time // of the reservations, as first made
	PaymentID, Method           string    // of the last attempt
	ReturnURL                   string    // of the last attempt: where the shopper comes back to
	ActionURL                   string    // where the shopper has to go, while an action is required
	ActionExpiresAt             time.Time // until then
	Attempt                     int       // 0 before the first
	Asked                       []Asked   // for the attempts, in order
	DeclineCode, DeclineMessage string    // of the last attempt
	RetryUntil                  time.Time // of a declined checkout
	UnknownSince                time.Time // zero but while the outcome is unknown
	Awaited                     bool      // whoever asked was told to wait: for an outcome, or for the shopper
	Shortages                   []Shortage
	Reason, Message             string // why it fails
	Mistakes                    []domain.Mistake
	Released                    []string
	Voided                      bool
	// Watch is a payment that the gateway knew nothing of when the checkout
	// failed; LateVoided says that it came about later, and was voided.
	Watch      string
	LateVoided bool
}

// Asked is a request for an attempt to pay. That for the first one has no id.
type Asked struct{ RequestID, Fingerprint, Method string }

// Same reports whether a request under the same id asks for the same. What was
// asked before fingerprints were kept is told by its method.
func (a Asked) Same(fingerprint, method string) bool {
	if a.Fingerprint == "" {
		return a.Method == method
	}
	return a.Fingerprint == fingerprint
}

// AskedBy returns what a shopper's request asked for, if it was made before.
func (s State) AskedBy(requestID string) (Asked, bool) {
	for _, a := range s.Asked {
		if a.RequestID == requestID {
			return a, true
		}
	}
	return Asked{}, false
}

// Free reports whether there is nothing to pay.
func (s State) Free() bool { return s.Totals.Grand.Amount == 0 }

// Reservations returns what is to be set aside: the lines of one SKU summed,
// in the order of locations and SKUs.
func (s State) Reservations() []Reservation { return reservations(s.Lines) }

// Refusal returns why there is no order, or nil where there is one or may
// still be one by itself. A declined payment is a refusal although another
// method may be tried.
func (s State) Refusal() *domain.RuleError {
	switch s.Step {
	case Declined:
		return ErrDeclined.With("decline_code", s.DeclineCode).With("decline_message", s.DeclineMessage).
			With("retry_until", s.RetryUntil)
	case Compensating, Failed:
		return s.failure()
	case Abandoned:
		return ErrAbandoned
	case Started, Reserved, Paying, Unknown, ActionRequired, Authorised, Completed:
	}
	return nil
}

func (s State) failure() *domain.RuleError {
	rule := domain.Rule(s.Reason, s.Message).Because(s.Mistakes...)
	if len(s.Shortages) > 0 {
		first := s.Shortages[0]
		rule = rule.With("sku", first.SKU).With("location", first.Location).
			With("requested", first.Requested).With("available", first.Available)
	}
	if s.Reason == ErrDeclined.Code {
		rule = rule.With("decline_code", s.DeclineCode).With("decline_message", s.DeclineMessage)
	}
	return rule
}

// Decider is the checkout as an aggregate.
var Decider = domain.Decider[State, Command, Event]{Category: "checkout", Decide: decide, Evolve: evolve}
