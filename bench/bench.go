package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/waybill-dev/waybill/imports/retail"
)

// Options says what to measure and for how long.
type Options struct {
	Binary   string           // the program to measure
	Dir      string           // an existing folder for its data
	Callers  []int            // each is one run of placing orders
	Duration time.Duration    // of each run
	Rate     int              // orders per second while deliveries are measured
	Starts   int              // how often start-up is timed
	Retail   []retail.Invoice // imported after all that; may be none
	// Profile is a file for where the platform's processor time goes while
	// orders are placed; empty is none.
	Profile string
}

// Report is everything that was measured.
type Report struct {
	Starts     []time.Duration
	Throughput []Throughput
	Delivery   Delivery
	Fresh      Memory  // when ready, before any load
	Loaded     Memory  // after the orders and deliveries
	Import     *Import `json:",omitempty"` // nil where nothing was imported
}

// Import is how an import went on a platform of its own.
type Import struct {
	Report   retail.Report
	Duration time.Duration
	Memory   Memory // afterwards
}

// Run measures one platform after another: start-up on a data folder that is
// used again and again, then orders and deliveries on the last one.
func Run(ctx context.Context, o Options) (Report, error) {
	var report Report
	dir := filepath.Join(o.Dir, "platform")
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return report, fmt.Errorf("make a data folder: %w", err)
	}
	addr, err := FreeAddr()
	if err != nil {
		return report, err
	}
	at := Place{Binary: o.Binary, Dir: dir, Addr: addr}
	for range o.Starts {
		p, err := StartPlatform(ctx, at)
		if err != nil {
			return report, err
		}
		report.Starts = append(report.Starts, p.Started)
		if err := p.Stop(); err != nil {
			return report, err
		}
	}
	slices.Sort(report.Starts)
	profiler := ""
	if o.Profile != "" {
		if profiler, err = FreeAddr(); err != nil {
			return report, err
		}
		at.Args = []string{"--pprof-addr", profiler}
	}
	p, err := StartPlatform(ctx, at)
	if err != nil {
		return report, err
	}
	if err = errors.Join(report.load(ctx, p, o, profiler), p.Stop()); err != nil || len(o.Retail) == 0 {
		return report, err
	}
	at.Dir, at.Args = filepath.Join(o.Dir, "import"), nil
	report.Import, err = importRetail(ctx, at, o.Retail)
	return report, err
}

// importRetail measures an import with sixteen requests at once.
func importRetail(ctx context.Context, at Place, invoices []retail.Invoice) (*Import, error) {
	p, err := StartPlatform(ctx, at)
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	importer := retail.Importer{API: p.API, Location: "main", Workers: 16, Patience: time.Minute}
	report, err := importer.Run(ctx, invoices)
	duration := time.Since(begin)
	memory, memoryErr := p.Memory()
	return &Import{Report: report, Duration: duration, Memory: memory}, errors.Join(err, memoryErr, p.Stop())
}

func (r *Report) load(ctx context.Context, p *Platform, o Options, profiler string) (err error) {
	if r.Fresh, err = p.Memory(); err != nil {
		return err
	}
	if err := Stock(ctx, p.API); err != nil {
		return err
	}
	if o.Rate > 0 {
		if r.Delivery, err = MeasureDelivery(ctx, p.API, o.Rate, o.Duration); err != nil {
			return err
		}
	}
	if err := r.throughput(ctx, p, o, profiler); err != nil {
		return err
	}
	r.Loaded, err = p.Memory()
	return err
}

// throughput places orders with each number of callers, and profiles all of it
// where that is asked for.
func (r *Report) throughput(ctx context.Context, p *Platform, o Options, profiler string) error {
	profiled, ctx := errgroup.WithContext(ctx)
	if profiler != "" {
		profiled.Go(func() error {
			return profile(ctx, profiler, time.Duration(len(o.Callers))*o.Duration, o.Profile)
		})
	}
	for _, callers := range o.Callers {
		t, err := PlaceOrders(ctx, p, fmt.Sprintf("throughput-%d", callers), callers, o.Duration)
		if err != nil {
			return errors.Join(err, profiled.Wait())
		}
		r.Throughput = append(r.Throughput, t)
	}
	return profiled.Wait()
}

// Print writes the report for a person.
func (r Report) Print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	if n := len(r.Starts); n > 0 {
		fmt.Fprintf(t, "start to ready\tmedian %s, longest %s of %d\n", ms(r.Starts[n/2]), ms(r.Starts[n-1]), n)
	}
	for _, m := range r.Throughput {
		fmt.Fprintf(t, "orders, %d callers\t%.0f/s, p50 %s, p99 %s (%d orders, %d pending), processor time of each %.2f ms and %.2f ms of the callers\n",
			m.Callers, m.PerSecond, ms(m.P50), ms(m.P99), m.Orders, m.Pending, m.Platform.Seconds()*1000, m.Load.Seconds()*1000)
	}
	if d := r.Delivery; d.Rate > 0 {
		fmt.Fprintf(t, "append to receiver at %d orders/s\tp50 %s, p95 %s, p99 %s (%d of %d received)\n", d.Rate, ms(d.P50), ms(d.P95), ms(d.P99), d.Received, d.Orders)
	}
	fmt.Fprintf(t, "memory when ready\t%s\n", mib(r.Fresh.Now))
	fmt.Fprintf(t, "memory after the load\t%s, at most %s\n", mib(r.Loaded.Now), mib(r.Loaded.Peak))
	if i := r.Import; i != nil {
		fmt.Fprintf(t, "import of %d invoices, %d lines\t%s, %.0f orders/s, %.0f lines/s\n", i.Report.Invoices, i.Report.Lines,
			i.Duration.Round(100*time.Millisecond), float64(i.Report.Orders)/i.Duration.Seconds(), float64(i.Report.Lines)/i.Duration.Seconds())
		fmt.Fprintf(t, "memory after the import\t%s, at most %s\n", mib(i.Memory.Now), mib(i.Memory.Peak))
	}
	return t.Flush()
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) }

func mib(bytes int64) string { return fmt.Sprintf("%d MiB", bytes>>20) }
