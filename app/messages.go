package app

import (
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks"
	"github.com/waybill-dev/waybill/webhooks/cursor"
	"github.com/waybill-dev/waybill/webhooks/message"
)

// newMessages makes the reader of what partners get.
func (a *App) newMessages(catalogue *message.Catalogue) (*webhooks.Messages, error) {
	cursors, err := cursor.New(a.keys.Derive("webhook cursors"))
	if err != nil {
		return nil, err
	}
	return &webhooks.Messages{
		Store: a.store, Catalogue: catalogue, Cursors: cursors, End: a.client.End, Before: a.client.Before, Now: a.now,
		Feed:         func(cfg eventstore.FeedConfig) webhooks.Feed { return a.client.Feed(cfg) },
		MostPreviews: a.cfg.Webhooks.MaxPreviews,
	}, nil
}
