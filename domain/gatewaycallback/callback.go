// Package gatewaycallback is what a payment gateway told on its own account,
// once for each callback however often it is repeated, and what came of it. It
// promises that a callback is recorded before anything is done about it. It
// holds facts about money and no personal data.
package gatewaycallback

import (
	"time"

	"github.com/waybill-dev/waybill/domain"
)

// Effect is what came of a callback.
type Effect string

// What may come of a callback.
const (
	Recorded Effect = "recorded" // its news is in the payment's stream
	Known    Effect = "known"    // it told nothing new
	Ignored  Effect = "ignored"  // it is of a kind nobody acts on, or of no payment of ours
	LetGo    Effect = "let_go"   // money that nobody wanted any more was voided
)

// State is one callback.
type State struct {
	Received  GatewayCallbackReceived // zero: nothing was received
	Effect    Effect
	Unclaimed bool
	Reason    string // why it is unclaimed
}

// Open reports whether there is something left to do.
func (s State) Open() bool { return s.Received.ID != "" && s.Effect == "" && !s.Unclaimed }

// Command is a wish to change a callback.
//
//sumtype:decl
type Command interface{ command() }

// Receive records a callback, once.
type Receive struct{ Callback GatewayCallbackReceived }

// Apply records what came of it.
type Apply struct {
	Effect Effect
	At     time.Time
}

// GiveUp records that nobody could make anything of it.
type GiveUp struct {
	Reason string
	At     time.Time
}

func (Receive) command() {}
func (Apply) command()   {}
func (GiveUp) command()  {}

// ErrNotReceived refuses to conclude what was never received.
var ErrNotReceived = domain.Rule("callback-not-received", "no such callback was received")

// Decider is the callback as an aggregate.
var Decider = domain.Decider[State, Command, Event]{Category: "gatewaycallback", Decide: decide, Evolve: evolve}

func decide(s State, c Command) ([]Event, error) {
	if c, receive := c.(Receive); receive {
		if s.Received.ID != "" {
			return nil, nil
		}
		return []Event{c.Callback}, nil
	}
	switch {
	case s.Received.ID == "":
		return nil, ErrNotReceived
	case !s.Open():
		return nil, nil
	}
	switch c := c.(type) {
	case Apply:
		return []Event{GatewayCallbackApplied{s.Received.ID, c.Effect, c.At}}, nil
	case GiveUp:
		return []Event{GatewayCallbackUnclaimed{s.Received.ID, c.Reason, c.At}}, nil
	case Receive: // above
	}
	return nil, nil
}

func evolve(s State, e Event) State {
	switch e := e.(type) {
	case GatewayCallbackReceived:
		s.Received = e
	case GatewayCallbackApplied:
		s.Effect = e.Effect
	case GatewayCallbackUnclaimed:
		s.Unclaimed, s.Reason = true, e.Reason
	}
	return s
}
