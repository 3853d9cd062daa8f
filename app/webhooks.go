package app

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"

	"github.com/waybill-dev/waybill/database"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/tracing"
	"github.com/waybill-dev/waybill/webhooks"
	"github.com/waybill-dev/waybill/webhooks/address"
	"github.com/waybill-dev/waybill/webhooks/guard"
	"github.com/waybill-dev/waybill/webhooks/ledger"
	"github.com/waybill-dev/waybill/webhooks/message"
)

// hooks is what tells partners.
type hooks struct {
	endpoints  *webhooks.Endpoints
	dispatcher *webhooks.Dispatcher
}

func (a *App) startWebhooks(ctx context.Context) error {
	db, err := database.Open(ctx, database.Config{Path: filepath.Join(a.cfg.DataDir, "webhooks.db"), Migrations: ledger.Migrations()})
	if err != nil {
		return fmt.Errorf("open the webhooks' database: %w", err)
	}
	a.life.onStop("webhooks' database", func(context.Context) error { return db.Close() })
	book := &ledger.Ledger{Write: db.Write, Read: db.Read}
	policy := address.Policy{AllowPrivate: a.cfg.Webhooks.AllowPrivate}
	catalogue := message.NewCatalogue(message.Kinds())
	a.hooks = &hooks{endpoints: &webhooks.Endpoints{
		Store: a.store, Ledger: book, Sealer: a.keys, Catalogue: catalogue, Policy: policy, Random: randomReader{}, Now: a.now,
	}}
	a.hooks.dispatcher = &webhooks.Dispatcher{
		Store: a.client, Ledger: book, Sealer: a.keys, Catalogue: catalogue,
		Feed:   func(cfg eventstore.FeedConfig) webhooks.Feed { return a.client.Feed(cfg) },
		Policy: policy, Client: guard.NewClient(guard.Config{Policy: policy}), Endpoints: a.hooks.endpoints,
		Config: a.webhooksConfig(), Logger: a.logger, Now: a.now,
		Random: rand.Float64, Around: tracing.Webhook(a.now),
	}
	if a.has(RoleWebhooks) {
		a.life.run("webhook dispatcher", a.hooks.dispatcher.Run)
	}
	return nil
}

func (a *App) webhooksConfig() webhooks.Config {
	cfg := a.cfg.Webhooks
	return webhooks.Config{
		Owner: owner, CursorKey: a.keys.Derive("webhook cursors"), Timeout: cfg.Timeout, Waits: cfg.Schedule,
		BreakerWaits: cfg.BreakerWaits, InFlight: cfg.InFlight, Lease: cfg.Lease,
		PerHost: cfg.PerHost, PerProcess: cfg.PerProcess, Warn: cfg.WarnAfter, GiveUp: cfg.DisableAfter,
	}
}
