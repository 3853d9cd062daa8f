package orders

import (
	"context"
	"fmt"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
)

// history is an aggregate, and what its log says of a command.
type history[S any] struct {
	state    S
	revision eventstore.Revision
	// done reports that the command is in the log: then the state is that right
	// after it, position that of its last event, and fingerprint that of the
	// request that caused it.
	done        bool
	position    eventstore.Position
	fingerprint string
}

// read folds an aggregate. It ends after a command that a caller's key names,
// if that is in the log: so what is answered the second time is what was
// answered the first time, whatever has happened since.
func read[S, C any, E domain.Event](
	ctx context.Context, store eventstore.Store, decider domain.Decider[S, C, E], id string, meta eventstore.Metadata,
) (history[S], error) {
	h := history[S]{revision: eventstore.NoStream}
	err := fold(ctx, store, decider, id, &h.state, &h.revision, func(r eventstore.Recorded) (bool, error) {
		if meta.Fingerprint == "" {
			return true, nil
		}
		of, err := r.Metadata()
		if err != nil {
			return false, err
		}
		if of.CommandID != meta.CommandID {
			return !h.done, nil
		}
		h.done, h.position, h.fingerprint = true, r.Position, of.Fingerprint
		return true, nil
	})
	return h, err
}

// fold evolves a state for as long as events are wanted.
func fold[S, C any, E domain.Event](
	ctx context.Context, store eventstore.Store, decider domain.Decider[S, C, E], id string,
	state *S, revision *eventstore.Revision, wanted func(eventstore.Recorded) (bool, error),
) error {
	stream := decider.Stream(id)
	for r, err := range store.ReadStream(ctx, stream, 0) {
		if err != nil {
			return fmt.Errorf("read %s: %w", stream, err)
		}
		if more, err := wanted(r); err != nil || !more {
			return err
		}
		event, err := r.Decode()
		if err != nil {
			return err
		}
		own, ok := event.(E)
		if !ok {
			return r.Foreign(decider.Category)
		}
		*state, *revision = decider.Evolve(*state, own), r.Revision
	}
	return nil
}

// Moment is a time in the life of an order. The zero value is now.
type Moment struct {
	Revision *eventstore.Revision // up to this one
	Time     time.Time            // up to this time
}

// ErrFuture says that an order has not had so many events yet.
var ErrFuture = domain.Rule("revision-unknown", "the order has not come to this revision")

// At returns an order as it was at a moment. The error is [ErrNotFound] if it
// was not placed by then, and [ErrFuture] for a revision that does not exist.
func (s *Service) At(ctx context.Context, id string, m Moment) (order.State, eventstore.Revision, error) {
	var state order.State
	last, newest := eventstore.NoStream, eventstore.NoStream
	err := fold(ctx, s.Store, order.Decider, id, &state, &last, func(r eventstore.Recorded) (bool, error) {
		newest = r.Revision
		return (m.Revision == nil || r.Revision <= *m.Revision) && (m.Time.IsZero() || !r.Created.After(m.Time)), nil
	})
	switch {
	case err != nil:
		return state, last, err
	case state.Status == "":
		return state, last, ErrNotFound
	case m.Revision != nil && *m.Revision > newest:
		return state, last, ErrFuture.With("revision", int64(newest))
	}
	return state, last, nil
}
