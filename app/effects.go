package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/database"
	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/eventstore"
	gateway "github.com/waybill-dev/waybill/gateways/fraud"
	"github.com/waybill-dev/waybill/gateways/remote"
	"github.com/waybill-dev/waybill/gateways/smtp"
	"github.com/waybill-dev/waybill/handlers"
	"github.com/waybill-dev/waybill/handlers/effects"
	"github.com/waybill-dev/waybill/handlers/effects/analytics"
	"github.com/waybill-dev/waybill/handlers/effects/email"
	"github.com/waybill-dev/waybill/handlers/effects/fraud"
	"github.com/waybill-dev/waybill/handlers/effects/inbox"
	"github.com/waybill-dev/waybill/handlers/effects/purge"
	"github.com/waybill-dev/waybill/handlers/effects/router"
	"github.com/waybill-dev/waybill/handlers/effects/searchindex"
	"github.com/waybill-dev/waybill/tracing"
	"github.com/waybill-dev/waybill/webhooks/notice"
)

// startEffects starts, with the role, the handlers of side effects that are on.
// What is told to people begins at the end of the log, so that nobody is told
// of the past; what keeps something up to date begins at the first event.
func (a *App) startEffects(ctx context.Context) error {
	if !a.has(RoleHandlers) {
		return nil
	}
	var on []router.Effect
	for _, make := range []func(context.Context) ([]router.Effect, error){a.emails, a.frauds, a.outsides} {
		some, err := make(ctx)
		if err != nil {
			return err
		}
		on = append(on, some...)
	}
	if a.cfg.Effects.Receipts && a.runs(receiptEffect) {
		on = append(on, router.Effect{Name: receiptEffect, Types: effectTypes()[receiptEffect], FromEnd: true, Handle: a.commands.documents.Handle})
	}
	if len(on) == 0 {
		return nil
	}
	for i := range on {
		on[i].Config = a.patience(on[i].Config)
		on[i].Handle = tracing.Effect(on[i].Name, on[i].Handle)
	}
	r, err := router.New(router.Options{Client: a.client, DeadLetters: a.deadLetters, Effects: on, Metrics: a.effectMetrics, Logger: a.logger, Now: a.now, Random: rand.Float64})
	if err != nil {
		return err
	}
	a.life.run("side effects", r.Run)
	return nil
}

// patience is that of the settings where a handler has none of its own.
func (a *App) patience(c router.Config) router.Config {
	cfg := a.cfg.Effects
	c.Attempts, c.FirstRetry = cmp.Or(c.Attempts, cfg.Attempts), cmp.Or(c.FirstRetry, cfg.FirstRetry)
	c.LastRetry, c.OpenFor = cmp.Or(c.LastRetry, cfg.LastRetry), cmp.Or(c.OpenFor, cfg.OpenFor)
	return c
}

// names lists the stored names of events.
func names(types ...[]domain.EventType) (all []string) {
	for _, some := range types {
		for _, t := range some {
			if _, copied := t.Zero.(stock.StockSnapshotTaken); !copied { // says nothing new
				all = append(all, t.Zero.EventName())
			}
		}
	}
	return all
}

func (a *App) effectsDB(ctx context.Context, name string, migrations fs.FS) (*database.DB, error) {
	db, err := database.Open(ctx, database.Config{Path: filepath.Join(a.cfg.DataDir, name+".db"), Server: a.server(), Migrations: migrations})
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	a.life.onStop(name, func(context.Context) error { return db.Close() })
	return db, nil
}

func (a *App) emails(ctx context.Context) ([]router.Effect, error) {
	cfg := a.cfg.Effects
	if cfg.SMTP == "" || !a.runs(email.Name) && !a.runs(notice.Name) {
		return nil, nil
	}
	host, text, err := net.SplitHostPort(cfg.SMTP)
	if err != nil {
		return nil, err
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return nil, err
	}
	db, err := a.effectsDB(ctx, "inbox", inbox.Migrations())
	if err != nil {
		return nil, err
	}
	box := &inbox.Inbox{DB: db, Handler: email.Name, Now: a.now, Lease: 2 * cfg.SMTPWait}
	other := &inbox.Inbox{DB: db, Handler: notice.Name, Now: a.now, Lease: box.Lease}
	const every, keep = time.Hour, 90 * 24 * time.Hour
	a.runAlone("sweeper of the inbox", func(ctx context.Context) error {
		return handlers.Rounds(ctx, every, a.logger, "inbox", func(ctx context.Context) error {
			_, err := box.Prune(ctx, a.now().Add(-keep))
			_, second := other.Prune(ctx, a.now().Add(-keep))
			return errors.Join(err, second)
		})
	})
	mailer := smtp.New(smtp.Config{Host: host, Port: port, Username: cfg.SMTPUser, Password: cfg.SMTPPass, TLS: smtp.TLS(cfg.SMTPTLS), Timeout: cfg.SMTPWait})
	mails := &email.Service{Store: a.store, People: a.vault, Inbox: box, Config: email.Config{Shop: a.shop(), From: cfg.MailFrom}, Mailer: mailer}
	var on []router.Effect
	for _, e := range []router.Effect{{Name: email.Name, Handle: mails.Handle}, {Name: notice.Name, Handle: a.notices(mailer, other)}} {
		if !a.runs(e.Name) {
			continue
		}
		e.Types, e.FromEnd, e.Itself = effectTypes()[e.Name], true, true
		e.Config = router.Config{Semantics: router.Once, Timeout: cfg.SMTPWait + 10*time.Second}
		on = append(on, e)
	}
	return on, nil
}

// notices writes to owners of endpoints. Its errors are judged as those of the
// mails to customers.
func (a *App) notices(mailer notice.Mailer, once notice.Once) effects.Handler {
	s := &notice.Service{Store: a.store, Contacts: a.vault, Mailer: mailer, Inbox: once, Config: notice.Config{
		Shop: a.cfg.Shop.Name, From: a.cfg.Effects.MailFrom, ReplyTo: a.cfg.Shop.Email, URL: a.cfg.Shop.URL, Language: a.cfg.Shop.Language,
		GiveUp: a.cfg.Webhooks.DisableAfter,
	}}
	return func(ctx context.Context, r eventstore.Recorded) error {
		if _, err := effects.Decode(r); err != nil {
			return err
		}
		return email.Judge(s.Handle(ctx, r))
	}
}

func (a *App) frauds(ctx context.Context) ([]router.Effect, error) {
	cfg := a.cfg.Effects
	if !a.runs(fraud.Name) {
		return nil, nil
	}
	rules := fraud.Config{
		Amounts: map[string]int64{}, Mismatch: cfg.FraudMismatch, Orders: cfg.FraudOrders, Window: cfg.FraudWindow, Fallback: gateway.Decision(cfg.FraudFallback),
	}
	for _, amount := range cfg.FraudAmounts {
		currency, text, _ := strings.Cut(amount, "=")
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, err
		}
		rules.Amounts[currency] = n
	}
	if len(rules.Amounts) == 0 && !rules.Mismatch && rules.Orders == 0 && cfg.FraudURL == "" {
		return nil, nil
	}
	db, err := a.effectsDB(ctx, "fraud", fraud.Migrations())
	if err != nil {
		return nil, err
	}
	service := &fraud.Service{Store: a.store, People: a.vault, DB: db, Config: rules, Now: a.now}
	if cfg.FraudURL != "" {
		client := gateway.Connect(remote.Config{URL: cfg.FraudURL})
		a.life.onStop("fraud check's client", func(context.Context) error { client.Close(); return nil })
		service.Checker = client
	}
	// It gives up by itself after some minutes: until then it is asked often.
	patience := router.Config{LastRetry: 20 * time.Second, Attempts: 40}
	return []router.Effect{{Name: fraud.Name, Types: effectTypes()[fraud.Name], FromEnd: true, Handle: service.Handle, Config: patience}}, nil
}

// outsides tells other systems what happened.
func (a *App) outsides(context.Context) ([]router.Effect, error) {
	cfg := a.cfg.Effects
	var on []router.Effect
	connect := func(name, url string) *remote.Client {
		client := remote.Connect(remote.Config{URL: url})
		a.life.onStop(name+"'s client", func(context.Context) error { client.Close(); return nil })
		return client
	}
	if cfg.CollectorURL != "" && a.runs(analytics.Name) {
		c := &analytics.Collector{Remote: connect(analytics.Name, cfg.CollectorURL)}
		on = append(on, router.Effect{Name: analytics.Name, Types: effectTypes()[analytics.Name], Handle: c.Handle})
	}
	if cfg.SearchURL != "" && a.runs(searchindex.Name) {
		s := &searchindex.Service{Store: a.store, Index: searchindex.HTTP{Remote: connect(searchindex.Name, cfg.SearchURL)}}
		on = append(on, router.Effect{Name: searchindex.Name, Types: effectTypes()[searchindex.Name], Handle: s.Handle})
	}
	if cfg.CacheURL != "" && a.runs(purge.Name) {
		s := &purge.Service{Cache: purge.HTTP{Remote: connect(purge.Name, cfg.CacheURL)}, Now: a.now}
		on = append(on, router.Effect{Name: purge.Name, Types: effectTypes()[purge.Name], FromEnd: true, Handle: s.Handle})
	}
	return on, nil
}
