package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-dev/waybill/api"
	"github.com/waybill-dev/waybill/configs"
	"github.com/waybill-dev/waybill/tracing"
)

func (a *App) startAPI(ctx context.Context) error {
	if !a.has(RoleAPI) {
		return nil
	}
	metrics, err := a.metrics()
	if err != nil {
		return err
	}
	var config net.ListenConfig
	a.http, err = config.Listen(ctx, "tcp", a.cfg.HTTPAddr)
	if err != nil {
		return fmt.Errorf("listen at %s for the API: %w; name another address with --http-addr", a.cfg.HTTPAddr, err)
	}
	routes := a.routes(metrics)
	stopping, stop := context.WithCancel(context.WithoutCancel(ctx))
	routes.Stopping = stopping
	handler, err := a.withConsole(tracing.HTTP(routes.Handler()))
	if err != nil {
		stop()
		return err
	}
	server := api.NewServer(routes.Config, handler)
	server.BaseContext = func(net.Listener) context.Context { return context.WithoutCancel(ctx) }
	go func() {
		if err := server.Serve(a.http); !errors.Is(err, http.ErrServerClosed) {
			a.life.fail(fmt.Errorf("serve the API: %w", err))
		}
	}()
	server.RegisterOnShutdown(stop)
	a.life.onStop("API", server.Shutdown)
	if a.sandbox != nil && a.cfg.SandboxCallbacks != configs.SandboxTellsNone {
		a.sandbox.TellAt("http://" + a.HTTPAddr() + "/v1/gateway-callbacks/" + configs.Sandbox)
	}
	return nil
}

func (a *App) routes(metrics http.Handler) *api.API {
	return &api.API{
		Config:      api.Config{MaxBodyBytes: a.cfg.MaxBodyBytes, MaxBulkBytes: a.cfg.MaxBulkBytes, PreviewTime: a.cfg.Webhooks.PreviewTime, Version: a.options.Version},
		Store:       a.store,
		Feed:        a.client.Feed,
		End:         a.client.End,
		Keys:        a.commands.keys,
		Catalogue:   a.commands.catalogue,
		Stock:       a.commands.stock,
		Checkouts:   a.commands.checkout,
		Changes:     a.commands.changes,
		Payer:       a.commands.fulfilment,
		Vault:       a.vault,
		Documents:   a.commands.documents,
		Exports:     a.commands.exports,
		CreditNotes: a.commands.creditNotes,
		Customers:   a.commands.customers,
		Drafts:      a.commands.drafts,
		Jobs:        a.commands.jobs,
		Callbacks:   a.commands.callbacks,

		GatewayCallbacks: a.commands.gatewayCallbacks,
		CallbackList:     a.models.callbacks,

		Orders:     a.models.orders,
		Timeline:   a.models.timeline,
		Levels:     a.models.stock,
		Products:   a.models.products,
		Sales:      a.models.sales,
		Payments:   a.models.payments,
		Search:     a.models.search,
		JobList:    a.models.jobs,
		DraftList:  a.models.drafts,
		OpenList:   a.models.checkouts,
		Endpoints:  a.hooks.endpoints,
		Deliveries: a.hooks.dispatcher,
		Messages:   a.hooks.messages,

		ReadModels: a.models.set,

		DeadLetters: a.deadLetters, Effects: effectNames(),

		SigningKeys: a.hooks.keys, Egress: a.egress(),

		Checks:    a.checks(),
		Replays:   a.hooks.replays,
		Metrics:   metrics,
		CursorKey: a.keys.Derive("api cursors"),
		TraceID:   traceID,
		Logger:    a.logger,
		Now:       a.now,
		NewID:     newID,
		Tasks:     a.models.tasks,
	}
}

const readModelsCheck = "read models"

// checks are what has to answer for the platform to be ready.
func (a *App) checks() []api.Check {
	checks := []api.Check{{Name: "event store", Run: a.client.Ping}, {Name: readModelsCheck, Run: a.models.set.Ready}}
	if a.shared() {
		checks = append(checks, api.Check{Name: "database", Run: a.server().Ping})
	}
	return checks
}

func traceID(ctx context.Context) string {
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
		return sc.TraceID().String()
	}
	return ""
}
