// Package idempotency is what a caller's Idempotency-Key was used for, where
// what it made is not named after the key. It promises that a key stands for
// one request, for ever.
package idempotency

import (
	"fmt"

	"github.com/waybill-dev/waybill/domain"
)

// ErrReused says that the key stands for another request.
var ErrReused = domain.Rule("idempotency-key-reused", "the key was used for another request before")

// Command is a wish about a key.
//
//sumtype:decl
type Command interface{ command() }

// Use takes a key for a request.
type Use struct {
	Fingerprint string // of the request's body
}

func (Use) command() {}

// Event is a fact about a key.
//
//sumtype:decl
type Event interface {
	domain.Event
	event()
}

// IdempotencyKeyUsed is recorded before what the first request under a key
// makes, if that is not refused. Nobody finds the body by its fingerprint.
type IdempotencyKeyUsed struct {
	Fingerprint string `json:"fingerprint"`
}

// EventName implements [domain.Event].
func (IdempotencyKeyUsed) EventName() string { return "IdempotencyKeyUsed" }

func (IdempotencyKeyUsed) event() {}

// EventTypes describes the events of keys to the codec.
func EventTypes() []domain.EventType { return domain.EventTypes(IdempotencyKeyUsed{}) }

// State is the request that a key stands for: none has no fingerprint.
type State struct{ Fingerprint string }

// Decider is a key as an aggregate, named after who uses it for what.
var Decider = domain.Decider[State, Command, Event]{Category: "idempotency", Decide: decide, Evolve: evolve}

func decide(s State, c Command) ([]Event, error) {
	switch c := c.(type) {
	case Use:
		switch s.Fingerprint {
		case "":
			return []Event{IdempotencyKeyUsed(c)}, nil
		case c.Fingerprint:
			return nil, nil
		}
		return nil, ErrReused
	}
	panic(fmt.Sprintf("idempotency: unknown command %T", c))
}

func evolve(s State, e Event) State {
	switch e := e.(type) {
	case IdempotencyKeyUsed:
		s.Fingerprint = e.Fingerprint
	}
	return s
}
