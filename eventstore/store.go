// Package eventstore is the only user of the EventStoreDB client. It promises
// a connection that heals, appends that may be repeated, folds, and an ordered
// feed of the log that survives lost connections; and it speaks in its own
// words, so that nobody else meets the client's quirks. It must not know what
// any event means.
package eventstore

import (
	"context"
	"errors"
	"iter"
)

// Store appends to and reads from streams. [Client] is the real one; tracing
// wraps one.
type Store interface {
	// Append writes the events in one step at the end of a stream. Repeating
	// it with the same ids and the same exact expectation (or NoStream) is
	// harmless. The error is ErrConflict when the expectation does not hold
	// and ErrUnavailable when the store cannot be reached or the outcome is
	// unknown.
	Append(ctx context.Context, stream string, expected Revision, events ...NewEvent) (Appended, error)
	// ReadStream yields the events of a stream from a revision on, inclusive.
	// A stream that does not exist is an empty sequence.
	ReadStream(ctx context.Context, stream string, from Revision) iter.Seq2[Recorded, error]
}

// Errors somebody branches on.
var (
	// ErrConflict says that a stream is not where the append expected it.
	ErrConflict = errors.New("stream was changed by somebody else")
	// ErrUnavailable says that the store could not be reached in time; what
	// was asked for may or may not have happened, and may be asked again.
	ErrUnavailable = errors.New("event store is not available")
	// ErrTooLarge says that an append holds more than [MaxAppendBytes].
	ErrTooLarge = errors.New("more than fits into one append")
	// ErrUnknownType says that no event is registered under a stored name.
	ErrUnknownType = errors.New("no event is registered under that name")
	// ErrNewerSchema says that a newer program wrote an event, in a schema
	// this one does not know. Nothing is guessed: start the newer program.
	ErrNewerSchema = errors.New("event has a schema this program does not know")
)
