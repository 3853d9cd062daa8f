package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/app"
	"github.com/waybill-dev/waybill/app/rebuildbench"
	"github.com/waybill-dev/waybill/bench"
	"github.com/waybill-dev/waybill/database"
	"github.com/waybill-dev/waybill/projections"
)

type benchRebuildCommand struct {
	Orders  int           `name:"orders" default:"20000" help:"Orders in the log, seven events each; up to millions. Each needs about 4 KB of disk."`
	Models  []string      `name:"models" help:"Read models to fill; all by default, and with --live that of orders."`
	Length  time.Duration `name:"duration" default:"20s" help:"With --live: of the traffic without rebuilds, and at least of that beside them."`
	Log     string        `name:"log" type:"path" help:"The log of a platform that is stopped, which is the folder events of its data folder: its events are measured. Where there is none it is made and kept."`
	Dir     string        `name:"dir" type:"existingdir" help:"Where to make a folder for the data; the system's place for temporary files otherwise."`
	Live    int           `name:"live" help:"Instead, place so many orders per second at a platform of its own, without rebuilds and then beside them, and compare."`
	Profile string        `name:"cpu-profile" type:"path" help:"Write what the processor did while read models were filled to this file, for go tool pprof."`
	JSON    bool          `name:"json" help:"Print JSON; times are in nanoseconds."`
}

// Run measures read models of its own in a temporary folder and, when the
// settings name a Postgres, in schemas of their own there.
func (c benchRebuildCommand) Run(inv *invocation) error {
	if c.Orders < 1 || c.Live < 0 || c.Length < time.Second {
		return usageError{fmt.Errorf("--orders needs at least 1, --live none or more, --duration 1s")}
	}
	if c.Live > 0 {
		return c.beside(inv)
	}
	options := rebuildbench.Options{Orders: c.Orders, Profile: c.Profile, Log: c.Log}
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
	if !c.JSON { // a long run tells what it knows
		options.Measured = func(m rebuildbench.Model) { fmt.Fprintln(inv.errOut, m) }
	}
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

// beside measures what live orders notice of rebuilds. On Postgres it needs a
// database that is empty, since a platform keeps its own things there.
func (c benchRebuildCommand) beside(inv *invocation) error {
	if len(c.Models) == 0 {
		c.Models = []string{"orders"}
	}
	known := app.Projections(inv.config)
	for _, name := range c.Models {
		if !slices.ContainsFunc(known, func(p projections.Projection) bool { return p.Name() == name }) {
			return usageError{fmt.Errorf("--models: %s is no read model; `waybill projections list` shows which there are", name)}
		}
	}
	binary, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	addr, err := bench.FreeAddr()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(c.Dir, "waybill-bench-rebuild-")
	if err != nil {
		return fmt.Errorf("make a folder: %w", err)
	}
	defer os.RemoveAll(dir)
	bar := newProgress(inv.errOut, c.JSON)
	var env []string
	if inv.config.Database != "" { // flags of this command are not those of the platform
		env = append(env, "WAYBILL_DATABASE="+inv.config.Database, "WAYBILL_MASTER_KEY="+base64.StdEncoding.EncodeToString(make([]byte, 32)))
	}
	report, err := bench.RebuildBeside(inv.ctx, bench.BesideOptions{
		Place:   bench.Place{Binary: binary, Dir: dir, Addr: addr, Env: env},
		History: c.Orders, Rate: c.Live, Duration: c.Length, Models: c.Models, Advance: bar.advance,
	})
	bar.finish()
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(inv.out).Encode(report)
	}
	return report.Print(inv.out)
}
