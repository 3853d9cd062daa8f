// Package requestkey keeps in the log what a caller's Idempotency-Key stands
// for, where no other stream tells it: the key then has a stream of its own,
// named after the id of the command that follows from it. It promises that of
// two requests under one key, of any process, one takes it and the other learns
// of that. It must not know what a request wants.
package requestkey

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/domain/idempotency"
	"github.com/waybill-dev/waybill/eventstore"
)

// Used reports whether this very request took the caller's key, which names the
// command. A command without a fingerprint has no key. The error is
// [github.com/waybill-dev/waybill/domain.ErrKeyReused] where another request took it, or a failure of the
// store.
func Used(ctx context.Context, store eventstore.Store, meta eventstore.Metadata) (bool, error) {
	state, err := read(ctx, store, meta)
	if err != nil {
		return false, err
	}
	_, _, err = state.Stands(meta.Fingerprint)
	return err == nil && state.Fingerprint != "", err
}

// Unchanged looks for a request that was made before under the caller's key, and
// changed nothing: the revision is that of what it found. The error is that of
// [Used].
func Unchanged(ctx context.Context, store eventstore.Store, meta eventstore.Metadata) (eventstore.Revision, bool, error) {
	state, err := read(ctx, store, meta)
	if err != nil {
		return eventstore.NoStream, false, err
	}
	revision, unchanged, err := state.Stands(meta.Fingerprint)
	return eventstore.Revision(revision), unchanged, err
}

// Use takes the caller's key, before what the command makes is recorded
// somewhere else: in a stream that is not named after the key, where another
// request under the same key would not be noticed. The error is that of [Used].
func Use(ctx context.Context, store eventstore.Store, meta eventstore.Metadata) error {
	_, err := take(ctx, store, meta, nil)
	return err
}

// KeepUnchanged keeps under the caller's key that a request changed nothing: or
// another one under the key could change something, and the first request would
// not be answered as it was. The revision is that of what it found, or of what
// the same request found before it. The error is that of [Used].
func KeepUnchanged(
	ctx context.Context, store eventstore.Store, meta eventstore.Metadata, found eventstore.Revision,
) (eventstore.Revision, error) {
	at := int64(found)
	state, err := take(ctx, store, meta, &at)
	if state.Revision != nil {
		found = eventstore.Revision(*state.Revision)
	}
	return found, err
}

func read(ctx context.Context, store eventstore.Store, meta eventstore.Metadata) (idempotency.State, error) {
	if meta.Fingerprint == "" {
		return idempotency.State{}, nil
	}
	state, _, err := eventstore.Load(ctx, store, idempotency.Decider, meta.CommandID)
	if err != nil {
		return state, fmt.Errorf("read what the key of command %s stands for: %w", meta.CommandID, err)
	}
	return state, nil
}

// take takes a key for a request that found a revision, or nil. A key's stream
// has one event: whoever comes too late for it reads the one that is there.
func take(ctx context.Context, store eventstore.Store, meta eventstore.Metadata, found *int64) (idempotency.State, error) {
	if meta.Fingerprint == "" {
		return idempotency.State{}, nil
	}
	state, err := takeOnce(ctx, store, meta, found)
	if errors.Is(err, eventstore.ErrConflict) {
		return takeOnce(ctx, store, meta, found)
	}
	return state, err
}

func takeOnce(ctx context.Context, store eventstore.Store, meta eventstore.Metadata, found *int64) (idempotency.State, error) {
	state, err := read(ctx, store, meta)
	if err != nil {
		return state, err
	}
	events, err := idempotency.Decider.Decide(state, idempotency.Use{Fingerprint: meta.Fingerprint, Revision: found})
	if err != nil || len(events) == 0 {
		return state, err
	}
	stream := idempotency.Decider.Stream(meta.CommandID)
	_, err = store.Append(ctx, stream, eventstore.NoStream, eventstore.NewEvent{
		ID: eventID(stream, meta.Fingerprint, found), Event: events[0], Metadata: meta,
	})
	if err != nil {
		return state, fmt.Errorf("take the key of command %s: %w", meta.CommandID, err)
	}
	return idempotency.Decider.Fold(state, events...), nil
}

// eventID differs where the events do: the store would take one of the same id
// for a repeat, and a request that found another revision must learn of it.
func eventID(stream, fingerprint string, found *int64) uuid.UUID {
	if found == nil {
		return eventstore.EventID(stream, fingerprint, 0)
	}
	return eventstore.EventID(stream, fingerprint, int(*found)+1)
}
