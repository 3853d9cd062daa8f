package handlers

import (
	"context"

	"github.com/waybill-dev/waybill/domain/idempotency"
	"github.com/waybill-dev/waybill/eventstore"
)

// UseKey takes the caller's key that names a command, before what the command
// makes is recorded somewhere else: in a stream that is not named after the key,
// where another request under the same key would not be noticed. A command
// without a fingerprint has no key. The error is [idempotency.ErrReused], or a
// failure of the store.
func UseKey(ctx context.Context, store eventstore.Store, meta eventstore.Metadata) error {
	if meta.Fingerprint == "" {
		return nil
	}
	h := CommandHandler[idempotency.State, idempotency.Command, idempotency.Event]{Store: store, Decider: idempotency.Decider}
	_, err := h.Handle(ctx, meta.CommandID, meta, idempotency.Use{Fingerprint: meta.Fingerprint})
	return err
}

// Unchanged looks for a request that was made before under the caller's key, and
// changed nothing: the revision is that of what it found. The error is
// [idempotency.ErrReused], or a failure of the store.
func Unchanged(ctx context.Context, store eventstore.Store, meta eventstore.Metadata) (eventstore.Revision, bool, error) {
	if meta.Fingerprint == "" {
		return eventstore.NoStream, false, nil
	}
	state, _, err := eventstore.Load(ctx, store, idempotency.Decider, meta.CommandID)
	if err != nil {
		return eventstore.NoStream, false, err
	}
	revision, unchanged, err := state.Stands(meta.Fingerprint)
	return eventstore.Revision(revision), unchanged, err
}

// KeepUnchanged keeps under the caller's key that a request changed nothing: or
// another one under the key could change something, and the first request would
// not be answered as it was. The revision is that of what it found, or of what
// the same request found before it. The error is that of [UseKey].
func KeepUnchanged(
	ctx context.Context, store eventstore.Store, meta eventstore.Metadata, revision eventstore.Revision,
) (eventstore.Revision, error) {
	if meta.Fingerprint == "" {
		return revision, nil
	}
	h := CommandHandler[idempotency.State, idempotency.Command, idempotency.Event]{Store: store, Decider: idempotency.Decider}
	at := int64(revision)
	result, err := h.Handle(ctx, meta.CommandID, meta, idempotency.Use{Fingerprint: meta.Fingerprint, Revision: &at})
	if result.State.Revision != nil {
		at = *result.State.Revision
	}
	return eventstore.Revision(at), err
}

// CheckKey refuses a key that was used for another request.
func CheckKey(ctx context.Context, store eventstore.Store, meta eventstore.Metadata) error {
	if meta.Fingerprint == "" {
		return nil
	}
	state, _, err := eventstore.Load(ctx, store, idempotency.Decider, meta.CommandID)
	if err == nil && state.Fingerprint != "" && state.Fingerprint != meta.Fingerprint {
		err = idempotency.ErrReused
	}
	return err
}
