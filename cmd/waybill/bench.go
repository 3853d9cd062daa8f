package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/waybill-dev/waybill/bench"
	"github.com/waybill-dev/waybill/imports/retail"
)

// benchCommand measures; without a subcommand the whole platform.
type benchCommand struct {
	Platform benchPlatformCommand `cmd:"" default:"withargs" help:"Measure the platform: orders per second, time to the partner, start-up, memory."`
	Node     benchNodeCommand     `cmd:"" help:"Measure the embedded event store: appends, reads, subscribers, large stores."`
	Rebuild  benchRebuildCommand  `cmd:"" help:"Measure how fast read models are built anew, beside reading and decoding the same events alone."`
	Webhooks benchWebhooksCommand `cmd:"" help:"Measure the webhooks: deliveries per second, time to the receiver, neighbours of endpoints in trouble."`
}

type benchPlatformCommand struct {
	Callers  []int         `name:"callers" default:"1,16,64" help:"Numbers of callers that place orders at once, one run each."`
	Duration time.Duration `name:"duration" default:"10s" help:"Length of each run."`
	Rate     int           `name:"rate" default:"50" help:"Orders per second while the time to the partner is measured; 0 leaves that out."`
	Starts   int           `name:"starts" default:"5" help:"How often start-up is timed."`
	Retail   string        `name:"retail" help:"Import this Online Retail file at the end, plain or .gz."`
	Limit    int           `name:"limit" default:"2000" help:"Import only the first so many invoices of it; 0 is all."`
	Profile  string        `name:"cpu-profile" type:"path" help:"Write to this file where the platform's processor time goes while callers place orders, for go tool pprof."`
	JSON     bool          `name:"json" help:"Print JSON; times are in nanoseconds."`
}

// Run measures a platform of its own in a temporary folder.
func (c benchPlatformCommand) Run(inv *invocation) error {
	if c.Duration < time.Second || c.Rate < 0 || c.Rate > 1000 || c.Starts < 1 {
		return usageError{fmt.Errorf("--duration needs at least 1s, --rate 0 to 1000, --starts at least 1")}
	}
	var invoices []retail.Invoice
	if c.Retail != "" {
		var err error
		if invoices, err = readRetail(c.Retail, c.Limit); err != nil {
			return err
		}
	}
	binary, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	dir, err := os.MkdirTemp("", "waybill-bench-")
	if err != nil {
		return fmt.Errorf("make a folder: %w", err)
	}
	defer os.RemoveAll(dir)
	report, err := bench.Run(inv.ctx, bench.Options{
		Binary: binary, Dir: dir, Callers: c.Callers, Duration: c.Duration, Rate: c.Rate, Starts: c.Starts, Retail: invoices,
		Profile: c.Profile,
	})
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(inv.out).Encode(report)
	}
	return report.Print(inv.out)
}
