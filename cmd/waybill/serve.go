package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/waybill-dev/waybill/app"
	"github.com/waybill-dev/waybill/tracing"
)

type serveCommand struct {
	Roles []string `name:"roles" default:"api,projections,handlers,webhooks" enum:"api,projections,handlers,webhooks" help:"Which parts this process runs: api, projections, handlers, webhooks."`
	Only  []string `name:"only" help:"Of the role handlers, run only these: email, for example. Short for --handlers."`
}

// Run serves until it is told to stop.
func (c serveCommand) Run(inv *invocation) error {
	if len(c.Only) > 0 {
		inv.config.Handlers = c.Only
	}
	return withApp(inv, c.Roles, func(_ context.Context, a *app.App) error {
		announce(inv, a)
		return nil
	})
}

// withApp starts the platform, calls ready once it answers, and stops it when
// the command is told to stop or the platform fails.
func withApp(inv *invocation, roles []string, ready func(context.Context, *app.App) error) (err error) {
	if err := app.CheckOnly(inv.config, roles); err != nil {
		return usageError{err}
	}
	relaxCollector()
	flush, err := tracing.Setup(inv.ctx, tracing.Config{Service: "waybill", Version: version()})
	if err != nil {
		return fmt.Errorf("set up tracing: %w", err)
	}
	a, err := app.New(inv.config, app.Options{Roles: roles, Logger: inv.logger, Version: version(), Backlog: backlogProgram(inv.errOut)})
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(inv.ctx), inv.config.ShutdownTimeout)
		defer cancel()
		for _, stop := range []func(context.Context) error{a.Stop, flush} {
			if stopErr := stop(ctx); stopErr != nil && err == nil {
				err = stopErr
			}
		}
	}()
	if err := a.Start(inv.ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(inv.ctx)
	defer cancel()
	if err := ready(ctx, a); err != nil {
		return err
	}
	select {
	case <-inv.ctx.Done():
		inv.logger.Info("stopping")
		return nil
	case err := <-a.Failed():
		return err
	}
}

func announce(inv *invocation, a *app.App) {
	if a.HTTPAddr() != "" {
		fmt.Fprintf(inv.out, "api        http://%s/docs\n", a.HTTPAddr())
	}
	fmt.Fprintf(inv.out, "events     %s\n", a.EventStore())
	fmt.Fprintf(inv.out, "data       %s\n", inv.config.DataDir)
	if key, made := a.AdminKey(); made {
		fmt.Fprintf(inv.out, "admin key  %s   (kept in %s; set WAYBILL_ADMIN_KEY to choose your own)\n",
			key, filepath.Join(inv.config.DataDir, app.AdminKeyFile))
	}
}
