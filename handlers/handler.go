// Package handlers turns commands into events: read the aggregate, let it
// decide, append. Its subpackages are what needs more than that, because it is
// asked for very often or spans several aggregates. They promise that a
// repeated command is harmless, and that what they answer comes from the log
// and never from a read model.
package handlers

import (
	"context"
	"errors"
	"fmt"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/eventstore"
)

// attempts is how often a command is decided while others win the race.
const attempts = 5

// ErrRevision refuses a command that was meant for another revision of the
// aggregate than the present one.
var ErrRevision = domain.Rule("revision-mismatch", "it was changed since it was read")

// CommandHandler handles commands of one kind of aggregate.
type CommandHandler[S, C any, E domain.Event] struct {
	Store   eventstore.Store
	Decider domain.Decider[S, C, E]
}

// Result is an aggregate after a command.
type Result[S any] struct {
	State    S
	Revision eventstore.Revision // of the last event in State
	// Position is that of the last event the command caused; 0 where it caused
	// none.
	Position eventstore.Position
	Events   []domain.Event
}

// Handle reads the aggregate, lets it decide, and appends what it decided
// where it was read, up to five times while others win the race.
//
// The error is a [domain.RuleError] when a rule refused,
// [eventstore.ErrConflict] when others kept winning, and otherwise a failure
// of the store. A failed command may be repeated with the same CommandID,
// which is required.
func (h CommandHandler[S, C, E]) Handle(
	ctx context.Context, id string, meta eventstore.Metadata, command C,
) (result Result[S], err error) {
	for range attempts {
		result, err = h.handle(ctx, id, meta, command, nil)
		if !errors.Is(err, eventstore.ErrConflict) {
			break
		}
	}
	return result, err
}

// HandleAt handles a command for one revision of the aggregate, and refuses
// with ErrRevision where that is not the present one.
func (h CommandHandler[S, C, E]) HandleAt(
	ctx context.Context, id string, expected eventstore.Revision, meta eventstore.Metadata, command C,
) (Result[S], error) {
	result, err := h.handle(ctx, id, meta, command, &expected)
	if errors.Is(err, eventstore.ErrConflict) {
		return result, ErrRevision.With("expected", int64(expected))
	}
	return result, err
}

func (h CommandHandler[S, C, E]) handle(
	ctx context.Context, id string, meta eventstore.Metadata, command C, expected *eventstore.Revision,
) (Result[S], error) {
	stream := h.Decider.Stream(id)
	if meta.CommandID == "" {
		return Result[S]{}, fmt.Errorf("command %T to %s has no id", command, stream)
	}
	state, revision, err := eventstore.Load(ctx, h.Store, h.Decider, id)
	result := Result[S]{State: state, Revision: revision}
	if err != nil {
		return result, fmt.Errorf("read %s: %w", stream, err)
	}
	if expected != nil && *expected != revision {
		return result, ErrRevision.With("expected", int64(*expected)).With("revision", int64(revision))
	}
	events, err := h.Decider.Decide(state, command)
	if err != nil || len(events) == 0 {
		return result, err
	}
	done, err := h.Store.Append(ctx, stream, revision, eventstore.NewEvents(stream, meta, events...)...)
	if err != nil {
		return result, err
	}
	result.State = h.Decider.Fold(state, events...)
	result.Revision, result.Position = done.Revision, done.Position
	for _, e := range events {
		result.Events = append(result.Events, e)
	}
	return result, nil
}
