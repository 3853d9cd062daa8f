// Package domain holds the words every aggregate speaks: event, decider, rule,
// money. It is pure: no I/O, no clock, no randomness, nothing but the standard
// library. Time and ids come in with a command.
package domain

import "encoding/json"

// Event is a fact that happened. Its name is stored for ever and carries no
// version: the schema number stands in the event's metadata.
type Event interface {
	// EventName returns the stored name, for example "OrderPlaced".
	EventName() string
}

// Upcaster turns the raw JSON of one schema into that of the next.
type Upcaster func(json.RawMessage) (json.RawMessage, error)

// EventType describes one stored event to the codec.
type EventType struct {
	// Zero is the event's zero value, a struct and not a pointer.
	Zero Event
	// Upcasters lead from schema 1 to the present one, one step each: the
	// present schema number is len(Upcasters) + 1.
	Upcasters []Upcaster
}

// Schema returns the number of the schema that is written today.
func (t EventType) Schema() int { return len(t.Upcasters) + 1 }

// EventTypes describes events that have had one schema so far.
func EventTypes(zeros ...Event) []EventType {
	types := make([]EventType, len(zeros))
	for i, zero := range zeros {
		types[i] = EventType{Zero: zero}
	}
	return types
}

// Decider is an aggregate in its functional form, after Jérémie Chassaing,
// "Functional Event Sourcing Decider" (2021). Both functions are pure and
// total: Decide answers a command with the events it causes or with a
// [*RuleError]; Evolve never fails.
type Decider[S, C any, E Event] struct {
	// Category is what stands before the first "-" of a stream's name.
	Category string
	// Decide returns no events and no error where there is nothing left to do,
	// so that a repeated command is harmless.
	Decide func(S, C) ([]E, error)
	Evolve func(S, E) S
}

// Stream returns the name of the stream of the aggregate with that id.
func (d Decider[S, C, E]) Stream(id string) string { return d.Category + "-" + id }

// Fold evolves a state by several events.
func (d Decider[S, C, E]) Fold(state S, events ...E) S {
	for _, e := range events {
		state = d.Evolve(state, e)
	}
	return state
}
