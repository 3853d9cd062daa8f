package app

import (
	"github.com/waybill-dev/waybill/webhooks"
	"github.com/waybill-dev/waybill/webhooks/cursor"
	"github.com/waybill-dev/waybill/webhooks/ledger"
)

// newReplays makes what the API asks for replays; the dispatcher runs them.
func (a *App) newReplays(book *ledger.Ledger) (*webhooks.Replays, error) {
	cursors, err := cursor.New(a.webhooksConfig().CursorKey)
	return &webhooks.Replays{Endpoints: a.hooks.endpoints, Ledger: book, Cursors: cursors, End: a.client.End, Now: a.now}, err
}
