package access

import (
	"cmp"
	"context"
	"slices"

	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/eventstore"
)

// NewPartner describes a partner.
type NewPartner struct {
	ID       string
	Name     string
	Channels []string
}

// RegisterPartner adds a partner, whose keys reach only what is his.
func (k *Keys) RegisterPartner(ctx context.Context, n NewPartner, meta eventstore.Metadata) (apikey.Partner, error) {
	state, err := k.handle(ctx, meta, apikey.RegisterPartner{PartnerID: n.ID, Name: n.Name, Channels: n.Channels, At: k.Now().UTC()})
	return state.Partners[n.ID], err
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
