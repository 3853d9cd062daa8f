package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/waybill-dev/waybill/app"
	"github.com/waybill-dev/waybill/client"
)

type rebuildCommand struct {
	URL    string   `name:"url" env:"WAYBILL_URL" help:"Base URL of the running platform; http-addr when empty."`
	APIKey string   `name:"api-key" env:"WAYBILL_API_KEY" help:"An API key with scope admin; the platform's admin key when empty. The environment is the better place for it."`
	Names  []string `arg:"" optional:"" name:"name" help:"Read models: orders, say. waybill projections list shows them."`
	All    bool     `name:"all" help:"All read models, side by side."`
	Verify bool     `name:"verify" help:"Only compare: what is filled is thrown away."`
	Accept bool     `name:"accept-differences" help:"Swap whatever the comparison finds: for code that is meant to give other rows."`
	Rate   int      `name:"rate" help:"The most events in a second of each, to be gentle; 0 is as many as there are."`
	AsOf   moment   `name:"as-of" placeholder:"TIME" help:"Make one read model as it was at this time (RFC 3339, or a date: its first moment in UTC), into a file of its own. The live ones are left alone."`
	Into   string   `name:"into" type:"path" placeholder:"FILE" help:"The SQLite file to make, with --as-of."`
	JSON   bool     `name:"json" help:"Print one JSON object per read model."`
}

// Run builds read models anew: by the platform that is running, or by itself on
// the data of one that is not.
func (c rebuildCommand) Run(inv *invocation) error {
	if c.Rate < 0 {
		return usageError{errors.New("--rate needs at least 1, or is left out")}
	}
	if !c.AsOf.IsZero() || c.Into != "" {
		return c.asOf(inv)
	}
	switch {
	case c.All == (len(c.Names) > 0):
		return usageError{errors.New("either name read models to build anew, or say --all")}
	case c.Verify && c.Accept:
		return usageError{errors.New("--verify swaps nothing, so there is nothing to accept: leave one of them out")}
	}
	if c.URL != "" || inv.config.Database != "" {
		api, err := dial(inv, c.URL, c.APIKey, "--url")
		if err == nil {
			defer api.Close()
			return c.run(inv, remote{api})
		}
		if c.URL != "" {
			return err
		}
	}
	if err := mustHaveEvents(inv, app.EventsDir(inv.config)); err != nil {
		return err
	}
	err := withApp(inv, []string{app.RoleProjections}, func(ctx context.Context, a *app.App) error {
		if err := c.run(inv, here{a.ReadModels()}); err != nil {
			return err
		}
		return errFinished
	})
	switch {
	case errors.Is(err, errFinished):
		return nil
	case !errors.Is(err, app.ErrOtherProcess):
		return err
	}
	api, err := dial(inv, c.URL, c.APIKey, "--url")
	if err != nil {
		return err
	}
	defer api.Close()
	return c.run(inv, remote{api})
}

// errFinished ends a platform that was started for one thing.
var errFinished = errors.New("finished")

func (c rebuildCommand) run(inv *invocation, by rebuilder) error {
	known, err := by.names(inv.ctx)
	if err != nil {
		return err
	}
	names := c.Names
	if c.All {
		names = known
	}
	slices.Sort(names)
	names = slices.Compact(names)
	for _, name := range names {
		if !slices.Contains(known, name) {
			return usageError{fmt.Errorf("there is no read model %s; there are %s", name, strings.Join(known, ", "))}
		}
	}
	ends, errs := make([]client.Rebuild, len(names)), make([]error, len(names))
	show := newRebuildProgress(inv.errOut, c.JSON, len(names))
	defer show.finish()
	var waiting sync.WaitGroup
	for i, name := range names {
		waiting.Go(func() { ends[i], errs[i] = c.one(inv.ctx, by, name, show) })
	}
	waiting.Wait()
	show.finish()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return c.print(inv.out, ends)
}

// one builds a read model anew and waits for the end.
func (c rebuildCommand) one(ctx context.Context, by rebuilder, name string, show *rebuildProgress) (client.Rebuild, error) {
	r, err := by.start(ctx, name, client.StartRebuild{Verify: c.Verify, AcceptDifferences: c.Accept, Rate: c.Rate})
	if err != nil {
		return r, fmt.Errorf("rebuild %s: %w", name, err)
	}
	const pause = 200 * time.Millisecond
	for !r.Ended {
		show.advance(r)
		if !sleep(ctx, pause) {
			return r, fmt.Errorf("stopped waiting for %s; where the platform is running the rebuild goes on: `waybill projections show %s` says how far it is, `waybill projections cancel %s` ends it", name, name, name)
		}
		now, err := by.at(ctx, name)
		switch {
		case err == nil:
			r = now
		case !passes(err):
			return r, fmt.Errorf("rebuild %s: %w", name, err)
		}
	}
	show.advance(r)
	return r, nil
}
