package webhooks

import (
	"context"
	"errors"
	"fmt"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
)

// Resealer knows which of the things it sealed were sealed with a key that
// another one has followed; package vault has it.
type Resealer interface {
	Sealer
	Old(sealed []byte) bool
}

// Reseal seals what an endpoint keeps encrypted with the newest master key, and
// says whether there was anything to seal. An endpoint that is deleted keeps
// its seals: nobody opens them any more.
func (s *Endpoints) Reseal(ctx context.Context, id string, with Resealer, meta eventstore.Metadata) (changed bool, err error) {
	_, err = s.change(ctx, Request{ID: id, Meta: meta}, func(state endpoint.State) (endpoint.Command, error) {
		sealed, err := reseal(with, state)
		changed = sealed != nil
		if sealed == nil {
			sealed = new(state.Sealed())
		}
		return endpoint.Reseal{Sealed: *sealed, At: s.Now()}, err
	})
	if errors.Is(err, endpoint.ErrNotFound) {
		return false, nil
	}
	return changed && err == nil, err
}

// reseal returns what is sealed with other seals, nil if there are no old ones.
func reseal(with Resealer, state endpoint.State) (*endpoint.Sealed, error) {
	sealed, changed := state.Sealed(), false
	put := func(what []byte, bounds ...[]byte) ([]byte, error) {
		if len(what) == 0 || !with.Old(what) {
			return what, nil
		}
		changed = true
		var plain []byte
		var err error
		for _, bound := range bounds {
			if plain, err = with.Open(what, bound); err == nil {
				return with.Seal(plain, bounds[0])
			}
		}
		return nil, fmt.Errorf("open what endpoint %s keeps: %w", state.ID, err)
	}
	var err error
	for i, secret := range sealed.Secrets {
		bounds := [][]byte{secretBound(state.TenantID, state.ID, secret.Version)}
		if state.TenantID == "" {
			bounds = append(bounds, boundBefore(state.ID, secret.Version))
		}
		if sealed.Secrets[i].Sealed, err = put(secret.Sealed, bounds...); err != nil {
			return nil, err
		}
	}
	if state.Credentials != nil {
		if sealed.Headers, err = put(sealed.Headers, bound(state.TenantID, state.ID, "headers "+state.Credentials.Mark)); err != nil {
			return nil, err
		}
		if sealed.Auth, err = put(sealed.Auth, bound(state.TenantID, state.ID, "auth "+state.Credentials.Mark)); err != nil {
			return nil, err
		}
	}
	if !changed {
		return nil, nil //nolint:nilnil // see above
	}
	return &sealed, nil
}
