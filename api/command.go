package api

import (
	"context"
	"time"

	"github.com/waybill-dev/waybill/eventstore"
)

// tenant is the only one there is. It is part of ids that are derived, so that
// there may be more one day.
const tenant = "default"

// command returns the metadata of a command. Its id follows from the caller,
// what is to be done and the Idempotency-Key, so that a repeat is the same
// command; without a key each request is one of its own.
func (s *server) command(ctx context.Context, what, key string) (eventstore.Metadata, error) {
	meta := callOf(ctx).metadata()
	if key == "" {
		meta.CommandID = s.api.NewID()
		return meta, nil
	}
	if err := s.checkKey(key); err != nil {
		return meta, err
	}
	meta.CommandID = eventstore.DeriveID("command", tenant, callOf(ctx).credential.KeyID, what, key)
	return meta, nil
}

// request is [server.command] of a request whose body is told apart from others
// under the same key.
func (s *server) request(ctx context.Context, what, key string) (eventstore.Metadata, error) {
	meta, err := s.command(ctx, what, key)
	if err != nil || key == "" {
		return meta, err
	}
	body := callOf(ctx).body
	if len(body) == 0 {
		body = []byte("null")
	}
	meta.Fingerprint, err = fingerprint(s.api.CursorKey, body)
	return meta, err
}

// keyed is [server.request] where a key is not optional.
func (s *server) keyed(ctx context.Context, what, key string) (eventstore.Metadata, error) {
	if err := s.checkKey(key); err != nil {
		return eventstore.Metadata{}, err
	}
	return s.request(ctx, what, key)
}

// each turns every item of a list; no items are an empty list and not null.
func each[A, B any](list []A, turn func(A) B) []B {
	out := make([]B, len(list))
	for i, item := range list {
		out[i] = turn(item)
	}
	return out
}

// timeOrNil leaves out a time that is not set.
func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
