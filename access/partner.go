package access

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/requestkey"
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
// with [github.com/waybill-dev/waybill/domain.ErrKeyReused].
func (k *Keys) RegisterPartner(ctx context.Context, n NewPartner, meta eventstore.Metadata) (apikey.Partner, error) {
	register := apikey.RegisterPartner{PartnerID: n.ID, Name: n.Name, Channels: n.Channels, At: k.Now().UTC()}
	asked, err := requestkey.Used(ctx, k.Store, meta)
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
	// A partner has an id of its own: the same key with another one is another
	// partner.
	if err := requestkey.Use(ctx, k.Store, meta); err != nil {
		return apikey.Partner{}, err
	}
	state, err := k.handle(ctx, meta, register)
	return state.Partners[n.ID], err
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
