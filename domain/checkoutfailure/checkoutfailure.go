// Package checkoutfailure is what is told of a checkout that came to nothing
// after whoever asked for it was sent away to wait. It is a stream of its own,
// because nobody who listens for it is to read every step of every checkout.
// It promises that a checkout's failure is told once. It must not know how a
// checkout fails.
package checkoutfailure

import (
	"fmt"
	"time"

	"github.com/waybill-dev/waybill/domain"
)

// Line is so many units of a SKU that were wanted.
type Line struct {
	SKU      string `json:"sku"`
	Quantity int    `json:"quantity"`
}

// External says where and when an order came about that did not start here.
type External struct {
	Source string    `json:"source"`
	Ref    string    `json:"ref"`
	Time   time.Time `json:"time"`
}

// Command is a wish to change a failure.
//
//sumtype:decl
type Command interface{ command() }

// Announce tells a failure.
type Announce struct{ Failure CheckoutFailureAnnounced }

func (Announce) command() {}

// Event is a fact about a failure.
//
//sumtype:decl
type Event interface {
	domain.Event
	event()
}

// CheckoutFailureAnnounced is recorded once, for a checkout that was answered
// with neither an order nor a refusal, because the payment's outcome was not
// known or the shopper had to confirm it, and that came to nothing. Consumers
// may rely on neither stock nor money being held for it, and on no order
// coming of it.
type CheckoutFailureAnnounced struct {
	CheckoutID    string       `json:"checkout_id"`
	CustomerID    string       `json:"customer_id"`
	ShipToCountry string       `json:"ship_to_country,omitempty"`
	Channel       string       `json:"channel,omitempty"`
	Lines         []Line       `json:"lines"`
	Total         domain.Money `json:"total"`
	Reason        string       `json:"reason"` // the code of a rule
	External      External     `json:"external,omitzero"`
	StartedAt     time.Time    `json:"started_at"`
	FailedAt      time.Time    `json:"failed_at"`
}

// EventName implements [domain.Event].
func (CheckoutFailureAnnounced) EventName() string { return "CheckoutFailureAnnounced" }

func (CheckoutFailureAnnounced) event() {}

// EventTypes describes the events of a failure to the codec.
func EventTypes() []domain.EventType { return domain.EventTypes(CheckoutFailureAnnounced{}) }

// State is what was told, if anything was.
type State struct{ Announced CheckoutFailureAnnounced }

// Decider is the failure as an aggregate: stream
// checkoutfailure-{checkout_id}.
var Decider = domain.Decider[State, Command, Event]{Category: "checkoutfailure", Decide: decide, Evolve: evolve}

// decide tells it once: whoever comes later, of two that undo a checkout, says
// the same.
func decide(s State, c Command) ([]Event, error) {
	switch c := c.(type) {
	case Announce:
		if s.Announced.CheckoutID != "" {
			return nil, nil
		}
		return []Event{c.Failure}, nil
	}
	panic(fmt.Sprintf("checkoutfailure: unknown command %T", c))
}

func evolve(s State, e Event) State {
	switch e := e.(type) {
	case CheckoutFailureAnnounced:
		s.Announced = e
	}
	return s
}
