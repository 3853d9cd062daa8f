// Package effects is what reacts to events by doing something outside of the
// log: mails, receipts, exports, messages to other systems. Each subpackage is
// one handler with its own settings, and package router runs them. They promise that an event may come twice,
// late, and before an earlier one, with one effect; that a failure which may
// pass is told from one that will not; and that no handler knows another.
package effects

import (
	"context"
	"errors"
	"fmt"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/eventstore"
)

// Handler does what one event is a reason for, and nothing for an event that is
// none. An error is tried again, unless it is [Permanent].
type Handler func(ctx context.Context, event eventstore.Recorded) error

// permanent is an error that no repetition mends.
type permanent struct{ error }

// Unwrap lets errors.Is look through.
func (p permanent) Unwrap() error { return p.error }

// Permanent marks an error that no repetition mends: the event is put aside for
// a person. Of nil it is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return permanent{err}
}

// IsPermanent reports whether an error was marked so.
func IsPermanent(err error) bool {
	var p permanent
	return errors.As(err, &p)
}

// Decode returns an event. One that cannot be decoded is permanent, unless it
// is of a newer program: that one will take it.
func Decode(event eventstore.Recorded) (domain.Event, error) {
	decoded, err := event.Decode()
	return decoded, unreadable(err)
}

// unreadable marks the error for an event that cannot be read, unless it is of a
// newer program. That the store is away passes.
func unreadable(err error) error {
	if _, is := errors.AsType[*eventstore.UnreadableError](err); is && !errors.Is(err, eventstore.ErrNewerSchema) {
		return Permanent(err)
	}
	return err
}

// Fold returns an aggregate as it was right after one of its events: what an
// event causes must not depend on when it is delivered.
func Fold[S, C any, E domain.Event](
	ctx context.Context, store eventstore.Store, decider domain.Decider[S, C, E], id string, last eventstore.Revision,
) (state S, err error) {
	for own, err := range eventstore.Events(ctx, store, decider, id, 0) {
		if err != nil {
			return state, unreadable(err)
		}
		if state = decider.Evolve(state, own.Event); own.Revision == last {
			return state, nil
		}
	}
	// The event was delivered, so it is there: whoever answered is behind.
	return state, fmt.Errorf("read %s: revision %d is not there yet", decider.Stream(id), last)
}
