package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"text/tabwriter"
	"time"
)

// WebhookOptions says what of the webhooks to measure and how much of it.
type WebhookOptions struct {
	Binary    string
	Dir       string        // an existing folder for the data
	Only      []string      // of [WebhookParts]; none is all
	Endpoints int           // of the run with many endpoints
	Answer    time.Duration // how long receivers take
	Amount    int           // deliveries of each run that counts them
	Rates     []int         // events per second while latencies are measured
	Duration  time.Duration // of each of those
	Burst     int           // events that are recorded at once
	Hang      time.Duration // how long the slow receiver takes for each of them
	Behind    int           // events the lagging endpoint is behind
	Backfill  int           // events the new endpoint is sent from the past
	Say       func(string)  // told what is measured; may not be nil
}

// WebhookParts are what can be measured.
func WebhookParts() []string {
	return []string{"one", "many", "latency", "hanging", "behind", "backfill"}
}

// WebhookReport is everything that was measured; what was not is nil.
type WebhookReport struct {
	One, Many *Sustained       `json:",omitempty"`
	Latency   []WebhookLatency `json:",omitempty"`
	Hanging   *Neighbours      `json:",omitempty"`
	Behind    *Neighbours      `json:",omitempty"`
	Backfill  *Neighbours      `json:",omitempty"`
	// Lost and OutOfOrder are counted over all runs.
	Lost, OutOfOrder, Repeated int
}

// Sustained is how fast events were delivered that were all there.
type Sustained struct {
	Endpoints  int
	Deliveries int
	PerSecond  float64
	// Processor is the platform's processor time for each delivery; receivers
	// and the event store are other processes on the same machine.
	Processor  time.Duration
	Statements float64 // of SQL, for each delivery
	Memory     Memory
}

// Neighbours compares nine endpoints by themselves and beside one in trouble.
type Neighbours struct {
	Alone, Beside WebhookLatency
	// Backlog is what the other one had to be sent, PerSecond how fast it was.
	Backlog   int     `json:",omitempty"`
	PerSecond float64 `json:",omitempty"`
	// Memory is the platform's when the other one had caught up.
	Memory Memory
	// Replay is how true it was what the replay said of itself, where it is one.
	Replay *ReplayProgress `json:",omitempty"`
}

// rarely is how garbage is collected here.
const rarely = 400

// RunWebhooks measures a platform that only delivers, beside an event store of
// its own, part by part. Each part has fresh data.
func RunWebhooks(ctx context.Context, o WebhookOptions) (WebhookReport, error) {
	// The load and the receivers share the processors with what is measured: what
	// they spend on collecting their own garbage is missing there.
	defer debug.SetGCPercent(debug.SetGCPercent(rarely))
	var report WebhookReport
	parts := map[string]func(context.Context, *webhookSite) error{
		"one": func(ctx context.Context, s *webhookSite) (err error) {
			report.One, err = s.sustained(ctx, 1)
			return err
		},
		"many": func(ctx context.Context, s *webhookSite) (err error) {
			report.Many, err = s.sustained(ctx, o.Endpoints)
			return err
		},
		"latency": func(ctx context.Context, s *webhookSite) (err error) {
			report.Latency, err = s.latencies(ctx)
			return err
		},
		"hanging": func(ctx context.Context, s *webhookSite) (err error) {
			report.Hanging, err = s.hanging(ctx)
			return err
		},
		"behind": func(ctx context.Context, s *webhookSite) (err error) {
			report.Behind, err = s.behind(ctx)
			return err
		},
		"backfill": func(ctx context.Context, s *webhookSite) (err error) {
			report.Backfill, err = s.backfill(ctx)
			return err
		},
	}
	for _, part := range WebhookParts() {
		if len(o.Only) > 0 && !slices.Contains(o.Only, part) {
			continue
		}
		o.Say("measuring: " + part)
		site, err := openSite(ctx, o, filepath.Join(o.Dir, part))
		if err != nil {
			return report, err
		}
		err = parts[part](ctx, site)
		report.Lost += site.lost()
		outOfOrder, repeated := site.account()
		report.OutOfOrder, report.Repeated = report.OutOfOrder+outOfOrder, report.Repeated+repeated
		if err = errors.Join(err, site.close()); err != nil {
			return report, fmt.Errorf("measure %s: %w\n%s", part, err, site.platform.Output())
		}
	}
	return report, nil
}

// Print writes the report for a person.
func (r WebhookReport) Print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for _, s := range []*Sustained{r.One, r.Many} {
		if s != nil {
			fmt.Fprintf(t, "%d endpoints, everything there\t%.0f deliveries/s (%d), processor time of each %.3f ms, %.3f SQL statements, memory %s, at most %s\n",
				s.Endpoints, s.PerSecond, s.Deliveries, s.Processor.Seconds()*1000, s.Statements, mib(s.Memory.Now), mib(s.Memory.Peak))
		}
	}
	for _, l := range r.Latency {
		fmt.Fprintf(t, "append to receiver at %d/s\t%s, %.3f SQL statements each\n", l.Rate, l, l.Statements)
	}
	for _, n := range []struct {
		name string
		*Neighbours
	}{
		{"nine endpoints under a burst, the tenth hangs", r.Hanging},
		{"nine endpoints, the tenth is far behind", r.Behind},
		{"nine endpoints, a new one is sent the past", r.Backfill},
	} {
		if n.Neighbours == nil {
			continue
		}
		fmt.Fprintf(t, "%s\talone %s; beside %s; p99 %.2f times\n", n.name, n.Alone, n.Beside, float64(n.Beside.P99)/float64(max(n.Alone.P99, 1)))
		if n.Backlog > 0 {
			fmt.Fprintf(t, "the tenth\t%d events, %.0f/s, memory %s, at most %s\n", n.Backlog, n.PerSecond, mib(n.Memory.Now), mib(n.Memory.Peak))
		}
	}
	if r.Backfill != nil && r.Backfill.Replay != nil {
		fmt.Fprintf(t, "the replay\t%s\n", r.Backfill.Replay)
	}
	fmt.Fprintf(t, "run on\t%d processors, shared by the event store, the platform with its process for what was missed, and all receivers with the load\n", runtime.NumCPU())
	fmt.Fprintf(t, "lost, out of order, repeated\t%d, %d, %d\n", r.Lost, r.OutOfOrder, r.Repeated)
	return t.Flush()
}

// String implements fmt.Stringer.
func (l WebhookLatency) String() string {
	text := fmt.Sprintf("p50 %s, p95 %s, p99 %s (%d)", ms(l.P50), ms(l.P95), ms(l.P99), l.Received)
	if l.AppendP99 > 0 {
		text += fmt.Sprintf(", the append by itself p99 %s, after it %s", ms(l.AppendP99), ms(l.AfterP99))
	}
	return text
}
