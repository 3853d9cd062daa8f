package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"github.com/waybill-dev/waybill/app"
	"github.com/waybill-dev/waybill/app/rebuildbench"
	"github.com/waybill-dev/waybill/database"
)

type benchRebuildCommand struct {
	Orders  int      `name:"orders" default:"20000" help:"Orders in the log, seven events each; up to millions. Each needs about 4 KB of disk."`
	Models  []string `name:"models" help:"Read models to fill; all by default."`
	Dir     string   `name:"dir" type:"existingdir" help:"Where to make a folder for the data; the system's place for temporary files otherwise."`
	Profile string   `name:"cpu-profile" type:"path" help:"Write what the processor did while read models were filled to this file, for go tool pprof."`
	JSON    bool     `name:"json" help:"Print JSON; times are in nanoseconds."`
}

// Run measures read models of its own in a temporary folder and, when the
// settings name a Postgres, in schemas of their own there.
func (c benchRebuildCommand) Run(inv *invocation) error {
	if c.Orders < 1 {
		return usageError{fmt.Errorf("--orders needs at least 1")}
	}
	options := rebuildbench.Options{Orders: c.Orders, Profile: c.Profile}
	for _, p := range app.Projections(inv.config) {
		if len(c.Models) == 0 || slices.Contains(c.Models, p.Name()) {
			options.Models = append(options.Models, p)
		}
	}
	if len(options.Models) < len(c.Models) || len(options.Models) == 0 {
		return usageError{fmt.Errorf("--models: not all of them are read models; `waybill projections list` shows which there are")}
	}
	var err error
	if options.Codec, err = app.Codec(); err != nil {
		return err
	}
	if inv.config.Database != "" {
		options.Postgres, err = database.Connect(inv.ctx, database.ServerConfig{URL: inv.config.Database, Connections: inv.config.DatabaseConnections})
		if err != nil {
			return err
		}
		defer options.Postgres.Close()
	}
	if options.Dir, err = os.MkdirTemp(c.Dir, "waybill-bench-rebuild-"); err != nil {
		return fmt.Errorf("make a folder: %w", err)
	}
	defer os.RemoveAll(options.Dir)
	bar := newProgress(inv.errOut, c.JSON)
	options.Advance = bar.advance
	report, err := rebuildbench.Run(inv.ctx, options)
	bar.finish()
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(inv.out).Encode(report)
	}
	return report.Print(inv.out)
}
