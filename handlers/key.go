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
