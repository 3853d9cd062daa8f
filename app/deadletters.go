package app

import (
	"context"
	"maps"
	"slices"

	"github.com/waybill-dev/waybill/domain/catalog"
	"github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/domain/payment"
	"github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/handlers/effects/analytics"
	"github.com/waybill-dev/waybill/handlers/effects/deadletters"
	"github.com/waybill-dev/waybill/handlers/effects/email"
	"github.com/waybill-dev/waybill/handlers/effects/fraud"
	"github.com/waybill-dev/waybill/handlers/effects/purge"
	"github.com/waybill-dev/waybill/handlers/effects/router"
	"github.com/waybill-dev/waybill/handlers/effects/searchindex"
	"github.com/waybill-dev/waybill/vault"
	"github.com/waybill-dev/waybill/webhooks/notice"
)

const receiptEffect = "receipt"

// effectNames are the handlers that there may be, in this process or another,
// sorted.
func effectNames() []string {
	return slices.Sorted(maps.Keys(effectTypes()))
}

// effectTypes are the stored names of the events that each handler wants.
func effectTypes() map[string][]string {
	return map[string][]string{
		analytics.Name:   names(order.EventTypes(), checkout.EventTypes(), payment.EventTypes(), stock.EventTypes(), catalog.EventTypes()),
		email.Name:       email.Types(),
		notice.Name:      notice.Types(),
		fraud.Name:       {(order.OrderPlaced{}).EventName()},
		purge.Name:       names(order.EventTypes(), catalog.EventTypes(), stock.EventTypes()),
		receiptEffect:    names(order.EventTypes()),
		searchindex.Name: names(order.EventTypes(), catalog.EventTypes()),
	}
}

// startDeadLetters makes what shows and decides about events that a handler put
// aside.
func (a *App) startDeadLetters(context.Context) error {
	a.deadLetters = deadletters.New(a.client, vault.Envelope{Keyring: a.keys}, a.now)
	return nil
}

// backlog measures what waits for handlers, wherever they run.
func (a *App) backlog() *router.Backlog {
	return &router.Backlog{Client: a.client, DeadLetters: a.deadLetters, Handlers: effectTypes(), Now: a.now}
}
