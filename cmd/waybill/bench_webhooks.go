package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/bench"
)

type benchWebhooksCommand struct {
	Only      []string      `name:"only" help:"Parts to measure: one, many, latency, hanging, behind, backfill; all by default."`
	Endpoints int           `name:"endpoints" default:"200" help:"Endpoints of the part many."`
	Answer    time.Duration `name:"answer" default:"5ms" help:"How long receivers take to answer."`
	Amount    int           `name:"deliveries" default:"100000" help:"Deliveries of the parts one and many."`
	Rates     []int         `name:"rates" default:"50,200" help:"Events per second of the part latency, one run each."`
	Duration  time.Duration `name:"duration" default:"20s" help:"Length of each run of live traffic."`
	Burst     int           `name:"burst" default:"5000" help:"Events that are recorded at once in the part hanging."`
	Hang      time.Duration `name:"hang" default:"5s" help:"How long one of ten receivers takes then."`
	Behind    int           `name:"behind" default:"100000" help:"Events one of ten endpoints has missed in the part behind, up to millions."`
	Backfill  int           `name:"backfill" default:"100000" help:"Events a new endpoint is sent in the part backfill, up to millions."`
	Dir       string        `name:"dir" type:"existingdir" help:"Where to make a folder for the data; the system's place for temporary files otherwise."`
	JSON      bool          `name:"json" help:"Print JSON; times are in nanoseconds."`
}

// Run measures platforms of its own in a temporary folder.
func (c benchWebhooksCommand) Run(inv *invocation) error {
	if err := c.check(); err != nil {
		return usageError{err}
	}
	binary, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	dir, err := os.MkdirTemp(c.Dir, "waybill-bench-webhooks-")
	if err != nil {
		return fmt.Errorf("make a folder: %w", err)
	}
	defer os.RemoveAll(dir)
	say := func(what string) { fmt.Fprintln(inv.errOut, what) }
	if c.JSON {
		say = func(string) {}
	}
	report, err := bench.RunWebhooks(inv.ctx, bench.WebhookOptions{
		Binary: binary, Dir: dir, Only: c.Only, Endpoints: c.Endpoints, Answer: c.Answer, Amount: c.Amount, Rates: c.Rates,
		Duration: c.Duration, Burst: c.Burst, Hang: c.Hang, Behind: c.Behind, Backfill: c.Backfill, Say: say,
	})
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(inv.out).Encode(report)
	}
	return report.Print(inv.out)
}

func (c benchWebhooksCommand) check() error {
	for _, part := range c.Only {
		if !slices.Contains(bench.WebhookParts(), part) {
			return fmt.Errorf("--only %s: there is %s", part, strings.Join(bench.WebhookParts(), ", "))
		}
	}
	for _, rate := range c.Rates {
		if rate < 1 || rate > 2000 {
			return fmt.Errorf("--rates %d: 1 to 2000 are possible", rate)
		}
	}
	if c.Endpoints < 1 || c.Endpoints > 10_000 || c.Amount < 1 || c.Burst < 1 || c.Behind < 1 || c.Backfill < 1 {
		return fmt.Errorf("--endpoints needs 1 to 10000, --deliveries, --burst, --behind and --backfill at least 1")
	}
	if c.Duration < time.Second || c.Answer < 0 || c.Hang < 0 {
		return fmt.Errorf("--duration needs at least 1s, --answer and --hang at least 0s")
	}
	return nil
}
