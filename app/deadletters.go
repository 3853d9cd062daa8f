package app

import (
	"context"
	"slices"

	"github.com/waybill-dev/waybill/handlers/effects/analytics"
	"github.com/waybill-dev/waybill/handlers/effects/deadletters"
	"github.com/waybill-dev/waybill/handlers/effects/email"
	"github.com/waybill-dev/waybill/handlers/effects/fraud"
	"github.com/waybill-dev/waybill/handlers/effects/purge"
	"github.com/waybill-dev/waybill/handlers/effects/router"
	"github.com/waybill-dev/waybill/handlers/effects/searchindex"
	"github.com/waybill-dev/waybill/vault"
)

const receiptEffect = "receipt"

// effectNames are the handlers that there may be, in this process or another,
// sorted.
func effectNames() []string {
	names := []string{analytics.Name, email.Name, fraud.Name, purge.Name, receiptEffect, searchindex.Name}
	slices.Sort(names)
	return names
}

// startDeadLetters makes what shows and decides about events that a handler put
// aside.
func (a *App) startDeadLetters(context.Context) error {
	a.deadLetters = deadletters.New(a.client, vault.Envelope{Keyring: a.keys}, a.now)
	return nil
}

// backlog measures what waits for handlers, wherever they run.
func (a *App) backlog() *router.Backlog {
	return &router.Backlog{Client: a.client, DeadLetters: a.deadLetters, Handlers: effectNames(), Now: a.now}
}
