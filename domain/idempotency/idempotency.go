// Package idempotency is what a caller's Idempotency-Key was used for, where
// the log does not tell it otherwise: what the request made is not named after
// the key, or it changed nothing. It promises that a key stands for one request,
// for ever.
package idempotency

import (
	"fmt"

	"github.com/waybill-dev/waybill/domain"
)

// Command is a wish about a key.
//
//sumtype:decl
type Command interface{ command() }

// Use takes a key for a request.
type Use struct {
	Fingerprint string // of the request's body
	Revision    *int64 // of what the request does not change; nil where it changes something
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
// makes, if that is not refused, or when it found that there was nothing to
// change: then the revision is that of what it found. Nobody finds the body by
// its fingerprint.
type IdempotencyKeyUsed struct {
	Fingerprint string `json:"fingerprint"`
	Revision    *int64 `json:"revision,omitempty"`
}

// EventName implements [domain.Event].
func (IdempotencyKeyUsed) EventName() string { return "IdempotencyKeyUsed" }

func (IdempotencyKeyUsed) event() {}

// EventTypes describes the events of keys to the codec.
func EventTypes() []domain.EventType { return domain.EventTypes(IdempotencyKeyUsed{}) }

// State is the request that a key stands for: none has no fingerprint.
type State struct {
	Fingerprint string
	Revision    *int64 // of what the request did not change
}

// Stands tells whether the key stands for a request that changed nothing, and
// of which revision that was. Another request is refused with [domain.ErrKeyReused].
func (s State) Stands(fingerprint string) (revision int64, unchanged bool, err error) {
	switch {
	case s.Fingerprint == "":
		return 0, false, nil
	case s.Fingerprint != fingerprint:
		return 0, false, domain.ErrKeyReused
	case s.Revision == nil:
		return 0, false, nil
	}
	return *s.Revision, true, nil
}

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
		return nil, domain.ErrKeyReused
	}
	panic(fmt.Sprintf("idempotency: unknown command %T", c))
}

func evolve(s State, e Event) State {
	switch e := e.(type) {
	case IdempotencyKeyUsed:
		s.Fingerprint, s.Revision = e.Fingerprint, e.Revision
	}
	return s
}
