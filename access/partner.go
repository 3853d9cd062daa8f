package access

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/domain/idempotency"
	"github.com/waybill-dev/waybill/eventstore"
)

// NewPartner describes a partner.
type NewPartner struct {
	ID       string
	Name     string
	Channels []string
}

// RegisterPartner adds a partner, whose keys reach only what is his. A request
// under a key of the caller's, which has a fingerprint, is answered the same for
// ever, whatever the partner became since; another one under the key is refused
// with [idempotency.ErrReused].
func (k *Keys) RegisterPartner(ctx context.Context, n NewPartner, meta eventstore.Metadata) (apikey.Partner, error) {
	register := apikey.RegisterPartner{PartnerID: n.ID, Name: n.Name, Channels: n.Channels, At: k.Now().UTC()}
	asked, err := k.askedBefore(ctx, meta)
	if err != nil {
		return apikey.Partner{}, err
	}
	now, err := k.refresh(ctx)
	if err != nil {
		return apikey.Partner{}, err
	}
	if _, err := apikey.Decider.Decide(now.keys, register); err != nil {
		if asked && errors.Is(err, apikey.ErrIDReused) {
			return k.partnerBefore(ctx, n, err)
		}
		return apikey.Partner{}, err
	}
	if !asked {
		if err := k.useKey(ctx, meta); err != nil {
			return apikey.Partner{}, err
		}
	}
	state, err := k.handle(ctx, meta, register)
	return state.Partners[n.ID], err
}

// askedBefore reports whether the caller's key stands for this very request.
func (k *Keys) askedBefore(ctx context.Context, meta eventstore.Metadata) (bool, error) {
	if meta.Fingerprint == "" {
		return false, nil
	}
	key, _, err := eventstore.Load(ctx, k.Store, idempotency.Decider, meta.CommandID)
	if err == nil {
		_, _, err = key.Stands(meta.Fingerprint)
	}
	return key.Fingerprint != "", err
}

// useKey takes the caller's key for a request that is not refused: a partner has
// an id of its own, so that the same key with another one is another partner.
// Whoever meets another request of the same moment gets a conflict.
func (k *Keys) useKey(ctx context.Context, meta eventstore.Metadata) error {
	if meta.Fingerprint == "" {
		return nil
	}
	stream := idempotency.Decider.Stream(meta.CommandID)
	_, err := k.Store.Append(ctx, stream, eventstore.NoStream, eventstore.NewEvent{
		ID: eventstore.EventID(stream, meta.Fingerprint, 0), Metadata: meta,
		Event: idempotency.IdempotencyKeyUsed{Fingerprint: meta.Fingerprint},
	})
	if err != nil {
		return fmt.Errorf("use the key of a request to register a partner: %w", err)
	}
	return nil
}

// partnerBefore answers with a partner as a request found or made it. One that
// never was so is another one, and refused.
func (k *Keys) partnerBefore(ctx context.Context, n NewPartner, refusal error) (apikey.Partner, error) {
	var state apikey.State
	for own, err := range eventstore.Events(ctx, k.Store, apikey.Decider, k.Tenant, 0) {
		if err != nil {
			return apikey.Partner{}, fmt.Errorf("read %s: %w", k.Stream(), err)
		}
		state = apikey.Decider.Evolve(state, own.Event)
		if p, there := state.Partners[n.ID]; there && p.Name == n.Name && slices.Equal(p.Channels, n.Channels) {
			return p, nil
		}
	}
	return apikey.Partner{}, refusal
}

// ChangePartner replaces a partner's name and sales channels.
func (k *Keys) ChangePartner(ctx context.Context, n NewPartner, meta eventstore.Metadata) (apikey.Partner, error) {
	state, err := k.handle(ctx, meta, apikey.ChangePartner{PartnerID: n.ID, Name: n.Name, Channels: n.Channels, At: k.Now().UTC()})
	return state.Partners[n.ID], err
}

// Partners returns every partner, oldest first.
func (k *Keys) Partners(ctx context.Context) ([]apikey.Partner, error) {
	now, err := k.refresh(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]apikey.Partner, 0, len(now.keys.Partners))
	for _, partner := range now.keys.Partners {
		list = append(list, partner)
	}
	slices.SortFunc(list, func(a, b apikey.Partner) int {
		return cmp.Or(a.RegisteredAt.Compare(b.RegisteredAt), cmp.Compare(a.ID, b.ID))
	})
	return list, nil
}

// Channels returns the sales channels of a partner as far as is known, and
// whether there is such a partner.
func (k *Keys) Channels(partnerID string) ([]string, bool) {
	partner, exists := k.known().keys.Partners[partnerID]
	return partner.Channels, exists
}
