package app

import (
	"context"
	"time"

	"github.com/waybill-dev/waybill/access"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/gateways/registry"
	"github.com/waybill-dev/waybill/handlers/catalog"
	"github.com/waybill-dev/waybill/handlers/checkout"
	"github.com/waybill-dev/waybill/handlers/creditnotes"
	"github.com/waybill-dev/waybill/handlers/customers"
	"github.com/waybill-dev/waybill/handlers/drafts"
	"github.com/waybill-dev/waybill/handlers/effects/receipt"
	"github.com/waybill-dev/waybill/handlers/exports"
	"github.com/waybill-dev/waybill/handlers/fulfilment"
	"github.com/waybill-dev/waybill/handlers/gatewaycallbacks"
	"github.com/waybill-dev/waybill/handlers/jobs"
	"github.com/waybill-dev/waybill/handlers/numbers"
	"github.com/waybill-dev/waybill/handlers/orders"
	"github.com/waybill-dev/waybill/handlers/stock"
	"github.com/waybill-dev/waybill/projections"
	"github.com/waybill-dev/waybill/tracing"
	"github.com/waybill-dev/waybill/webhooks/callback"
)

// commands is what decides.
type commands struct {
	keys        *access.Keys
	catalogue   *catalog.Catalog
	stock       *stock.Writer
	numbers     *numbers.Allocator
	creditNotes creditnotes.Recorder
	gateways    *registry.Registry
	checkout    *checkout.Service
	customers   *customers.Service
	documents   *receipt.Service
	exports     *exports.Service
	drafts      *drafts.Service
	jobs        *jobs.Service
	callbacks   *callback.Sender
	changes     *orders.Service
	fulfilment  *fulfilment.Service
	recovery    *checkout.Recovery // nil without the role

	gatewayCallbacks *gatewaycallbacks.Service
}

const tenant = "default"

func (a *App) startCommands(ctx context.Context) (err error) {
	c := &commands{
		keys:        &access.Keys{Store: a.store, Tenant: tenant, AdminKey: a.adminKey, LinkKey: a.keys.Derive("console links"), Random: randomReader{}, Now: a.now},
		numbers:     &numbers.Allocator{Store: a.store, Tenant: tenant, NewID: newID},
		creditNotes: creditnotes.Recorder{Store: a.store},
	}
	if c.catalogue, err = catalog.New(a.store, 0); err != nil {
		return err
	}
	if c.stock, err = stock.NewWriter(stock.Config{Store: a.store, Retain: a.client.Retain, Now: a.now, OnBatch: a.stockBatches.observe}); err != nil {
		return err
	}
	c.changes = &orders.Service{
		Store: a.store, Texts: a.vault, Pricer: tracing.Pricer(checkout.Prices{Products: c.catalogue}), Stock: tracing.Stock(c.stock), Now: a.now,
	}
	a.commands = c
	if c.documents, err = a.newDocuments(); err != nil {
		return err
	}
	a.life.run("caches", a.observe)
	return a.startCheckout(ctx)
}

// observe keeps what is in memory as fresh as the log: prices and keys that
// another process changed.
func (a *App) observe(ctx context.Context) error {
	feed := a.client.Feed(eventstore.FeedConfig{Prefixes: []string{catalog.Prefix, a.commands.keys.Stream()}, FromEnd: true})
	defer feed.Close()
	for {
		page, err := feed.Next(ctx)
		if err != nil {
			return err
		}
		for _, e := range page.Events {
			for _, observe := range []func(eventstore.Recorded) error{a.commands.catalogue.Observe, a.commands.keys.Observe} {
				if err := observe(e); err != nil {
					a.logger.WarnContext(ctx, "event was not understood", "stream", e.Stream, "revision", e.Revision, "error", err)
				}
			}
		}
	}
}

// startCheckout starts the payment gateways and what places orders with them,
// and, with the role, what recovers interrupted checkouts.
func (a *App) startCheckout(ctx context.Context) error {
	c, cfg := a.commands, a.cfg.Checkout
	var err error
	if c.gateways, err = a.startGateways(ctx); err != nil {
		return err
	}
	c.checkout = &checkout.Service{
		Store:    a.store,
		Pricer:   tracing.Pricer(checkout.Prices{Products: c.catalogue}),
		Stock:    tracing.Stock(c.stock),
		Numbers:  c.numbers,
		Gateways: c.gateways,
		Contacts: a.vault,
		Now:      a.now,
		NewID:    newID,
		Config: checkout.Config{
			GatewayTimeout: cfg.GatewayTimeout, Hold: cfg.ReservationTTL, DeclinedHold: cfg.DeclinedTTL, UnknownHold: cfg.UnknownTTL,
			Patience: cfg.RecoverAfter, Polls: cfg.UnknownSchedule, PollEvery: cfg.UnknownEvery, PollFor: cfg.UnknownGiveUp, Capture: capturePolicy(cfg.Capture),
			Budget: max(10*time.Second, cfg.GatewayTimeout+4*time.Second),
		},
	}
	if a.runs(tasksPart) {
		c.recovery = &checkout.Recovery{
			Service: c.checkout, Open: openCheckouts{a.models.checkouts}, Logger: a.logger, Interval: cfg.RecoverEvery,
		}
		a.runAlone("checkout recovery", c.recovery.Run)
	}
	a.startDrafts()
	a.startFulfilment()
	a.startGatewayCallbacks()
	return nil
}

// capturePolicy is a setting in the words of orders.
func capturePolicy(setting string) order.Capture {
	if setting == "placed" {
		return order.CapturePlaced
	}
	return order.CaptureShipped
}

// openCheckouts lets recovery read the read model of open checkouts.
type openCheckouts struct{ queries projections.CheckoutQueries }

// recoveryRound is how many checkouts one round looks at.
const recoveryRound = 1000

// Due implements [checkout.OpenCheckouts].
func (o openCheckouts) Due(ctx context.Context, now time.Time) ([]checkout.Open, error) {
	rows, err := o.queries.Due(ctx, now, recoveryRound)
	open := make([]checkout.Open, len(rows))
	for i, row := range rows {
		open[i] = checkout.Open{CheckoutID: row.CheckoutID, Step: row.Step, LastAt: row.LastAt, DueAt: row.DueAt}
	}
	return open, err
}
