package app

import (
	"context"
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"path/filepath"

	"github.com/go-resty/resty/v2"

	"github.com/waybill-dev/waybill/configs"
	"github.com/waybill-dev/waybill/database"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/tracing"
	"github.com/waybill-dev/waybill/vault"
	"github.com/waybill-dev/waybill/webhooks"
	"github.com/waybill-dev/waybill/webhooks/address"
	"github.com/waybill-dev/waybill/webhooks/guard"
	"github.com/waybill-dev/waybill/webhooks/ledger"
	"github.com/waybill-dev/waybill/webhooks/message"
	"github.com/waybill-dev/waybill/webhooks/signingkey"
)

// hooks is what tells partners.
type hooks struct {
	endpoints  *webhooks.Endpoints
	dispatcher *webhooks.Dispatcher
	keys       *signingkey.Keys
	messages   *webhooks.Messages
	meter      *webhookMeter
	replays    *webhooks.Replays
	backlog    *backlogProcess // nil where there is none
}

func (a *App) startWebhooks(ctx context.Context) error {
	db, err := database.Open(ctx, database.Config{Path: filepath.Join(a.cfg.DataDir, "webhooks.db"), Server: a.server(), Migrations: ledger.Migrations()})
	if err != nil {
		return fmt.Errorf("open the webhooks' database: %w", err)
	}
	a.life.onStop("webhooks' database", func(context.Context) error { return db.Close() })
	book := &ledger.Ledger{Write: db.Write, Read: db.Read}
	policy, err := a.webhookPolicy()
	if err != nil {
		return err
	}
	catalogue := message.NewCatalogue(message.Kinds())
	a.hooks = &hooks{endpoints: &webhooks.Endpoints{
		Store: a.store, Ledger: book, Sealer: vault.Envelope{Keyring: a.keys}, Catalogue: catalogue, Policy: policy, Random: randomReader{}, Now: a.now,
		MarkKey: a.keys.Derive("webhook credentials"), Bounds: a.webhookBounds(), Verify: a.webhookVerify(),
		Contacts: a.vault,
	}, keys: &signingkey.Keys{Store: a.client, Sealer: vault.Envelope{Keyring: a.keys}, Random: randomReader{}, Now: a.now}}
	meter := newWebhookMeter(a.now)
	a.hooks.meter = meter
	a.hooks.dispatcher = &webhooks.Dispatcher{
		Store: a.client, Ledger: book, Sealer: vault.Envelope{Keyring: a.keys}, Catalogue: catalogue,
		Feed:   func(cfg eventstore.FeedConfig) webhooks.Feed { return a.client.Feed(cfg) },
		End:    a.client.End,
		Before: a.client.Before,
		Policy: policy, Client: guard.NewClient(guard.Config{Policy: policy}), Endpoints: a.hooks.endpoints, Keys: a.hooks.keys, People: a.vault,
		Retain: a.client.Retain,
		Clients: func(extra *tls.Config) *resty.Client {
			return guard.NewClient(guard.Config{Policy: policy, TLSConfig: extra})
		},
		Config: a.webhooksConfig(), Logger: a.logger, Now: a.now,
		Random: rand.Float64, Around: meter.around(tracing.Webhook(a.now, a.cfg.Webhooks.ReplayTrace == "continue")),
		Meter: webhooks.Meter{Settled: func(n int) { meter.settled.Observe(float64(n)) }, Fenced: meter.fenced.Inc, Verified: meter.verify},
	}
	if a.hooks.messages, err = a.newMessages(catalogue); err != nil {
		return err
	}
	if a.hooks.replays, err = a.newReplays(book); err != nil {
		return err
	}
	if a.has(roleBacklog) {
		a.life.run("webhook dispatcher", a.hooks.dispatcher.Run)
	} else if a.has(RoleWebhooks) {
		a.startBacklog()
		a.life.run("webhook dispatcher", a.hooks.dispatcher.Run)
		a.followPartners()
		leftovers := &webhooks.Leftovers{Endpoints: a.hooks.endpoints, Logger: a.logger}
		a.life.run("endpoints' contacts", leftovers.Run)
	} else if a.has(RoleAPI) {
		a.life.run("webhook feed", a.hooks.dispatcher.Follow)
	}
	return nil
}

// startBacklog has endpoints with much of the past to send served by a process
// of their own, where there may be one.
func (a *App) startBacklog() {
	if a.options.Backlog == nil || a.cfg.Webhooks.Backlog != configs.BacklogProcess {
		return
	}
	a.hooks.backlog = newBacklogProcess(a.options.Backlog, a.backlogTask, a.hooks.meter.died, a.logger)
	a.hooks.dispatcher.BacklogProcess = a.hooks.backlog
	a.life.run("process that works off the webhooks' backlog", a.hooks.backlog.run)
}

func (a *App) webhooksConfig() webhooks.Config {
	cfg := a.cfg.Webhooks
	owner := a.owner
	if a.has(roleBacklog) {
		owner = a.options.backlogOf + "-backlog"
	}
	return webhooks.Config{
		Owner: owner, BacklogOnly: a.has(roleBacklog), CursorKey: a.keys.Derive("webhook cursors"), Timeout: cfg.Timeout, Waits: cfg.Schedule,
		BreakerWaits: cfg.BreakerWaits, InFlight: cfg.InFlight, Lease: cfg.Lease,
		PerHost: cfg.PerHost, PerProcess: cfg.PerProcess, Warn: cfg.WarnAfter, GiveUp: cfg.DisableAfter,
		Readers: cfg.MaxReaders, PastReaders: cfg.MaxPastReaders,
	}
}

// webhookPolicy says where webhooks and callbacks may go.
func (a *App) webhookPolicy() (address.Policy, error) {
	cfg := a.cfg.Webhooks
	denied, err := configs.Networks(cfg.DeniedNetworks)
	if err != nil {
		return address.Policy{}, fmt.Errorf("webhooks-denied-networks: %w", err)
	}
	return address.Policy{AllowPrivate: cfg.AllowPrivate, AllowedPorts: cfg.AllowedPorts, Denied: denied}, nil
}

// egress are the networks that webhooks come from, as partners are told.
func (a *App) egress() []string {
	networks, _ := configs.Networks(a.cfg.Webhooks.EgressIPs) // checked with the settings
	texts := make([]string, len(networks))
	for i, network := range networks {
		texts[i] = network.String()
	}
	return texts
}
