// Package rebuildbench measures how fast read models are filled from the first
// event, beside how fast the same events are read and decoded alone. It makes
// its events itself, in a node of its own.
package rebuildbench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/waybill-dev/waybill/bench"
	"github.com/waybill-dev/waybill/database"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/node"
	"github.com/waybill-dev/waybill/node/grpcapi"
	"github.com/waybill-dev/waybill/projections"
)

// Options say what to measure.
type Options struct {
	Dir      string // for everything that is made
	Orders   int
	Log      string // folder of the node's log; where there is none it is made there and kept. Empty makes one in Dir.
	Models   []projections.Projection
	Codec    *eventstore.Codec
	Postgres *database.Server // nil measures SQLite alone
	Profile  string           // file for a CPU profile of the filling; empty is none
	Advance  func(stage string, done, of int)
	Measured func(Model) // hears of each as soon as it was measured; nil tells nobody
}

// Report is what was measured.
type Report struct {
	Orders int           `json:"orders"`         // that were made; 0 where the log was there
	Events int           `json:"events"`         // in the log
	Raw    float64       `json:"raw_per_second"` // read and decoded alone, all of them
	Setup  time.Duration `json:"setup"`
	Models []Model       `json:"models"`
}

// Model is one read model on one engine.
type Model struct {
	Projection string        `json:"projection"`
	Engine     string        `json:"engine"`
	Events     int64         `json:"events"`            // of its streams
	Raw        float64       `json:"raw_per_second"`    // the same events, read and decoded alone
	Rows       time.Duration `json:"rows"`              // until every event was applied
	Indexes    time.Duration `json:"indexes"`           // to make those that were put off
	PerSecond  float64       `json:"events_per_second"` // applied, indexes included
	OfLog      float64       `json:"log_per_second"`    // events of the log passed over, those of other streams included
	Memory     uint64        `json:"memory"`            // the most of the process, node included, in bytes
	Alive      uint64        `json:"alive"`             // the most that the collector left of that
	Processor  time.Duration `json:"processor"`         // of the process, node included, but for Postgres
}

// Run measures.
func Run(ctx context.Context, o Options) (Report, error) {
	var report Report
	quiet := slog.New(slog.DiscardHandler)
	if o.Log == "" {
		o.Log = filepath.Join(o.Dir, "events")
	}
	_, missing := os.Stat(o.Log)
	n, err := node.Open(node.Config{Dir: o.Log, Logger: quiet, Now: time.Now})
	if err != nil {
		return report, err
	}
	defer func() { _ = n.Close() }() // nothing was written since
	if missing != nil {
		began := time.Now()
		if err := fill(ctx, n, o); err != nil {
			return report, fmt.Errorf("make the events: %w", err)
		}
		report.Orders, report.Setup = o.Orders, time.Since(began)
	}
	server, err := grpcapi.Listen("127.0.0.1:0", n, grpcapi.Config{Logger: quiet})
	if err != nil {
		return report, err
	}
	defer func() { _ = server.Stop(context.WithoutCancel(ctx)) }()
	client, err := eventstore.NewClient(eventstore.Config{ConnectionString: server.ConnectionString(), Codec: o.Codec, Logger: quiet})
	if err != nil {
		return report, err
	}
	defer func() { _ = client.Close() }()
	return report, report.measure(ctx, client, o)
}

// measure measures the log as a whole, and each read model.
func (r *Report) measure(ctx context.Context, client *eventstore.Client, o Options) (err error) {
	if r.Events, r.Raw, err = read(ctx, client, streams()); err != nil {
		return fmt.Errorf("read the log: %w", err)
	}
	stop, err := profile(o.Profile)
	if err != nil {
		return err
	}
	defer stop()
	engines := []*database.Server{nil}
	if o.Postgres != nil {
		engines = append(engines, o.Postgres)
	}
	for _, p := range o.Models {
		_, raw, err := read(ctx, client, p.Prefixes())
		if err != nil {
			return fmt.Errorf("read the events of %s: %w", p.Name(), err)
		}
		for _, engine := range engines {
			m, err := model(ctx, client, p, o.Dir, engine)
			if err != nil {
				return fmt.Errorf("fill %s: %w", p.Name(), err)
			}
			m.Raw = raw
			m.OfLog = float64(r.Events) / (m.Rows + m.Indexes).Seconds()
			r.Models = append(r.Models, m)
			if o.Measured != nil {
				o.Measured(m)
			}
			o.Advance("read models", len(r.Models), len(o.Models)*len(engines))
		}
	}
	return nil
}

// model fills one read model in a database of its own, and removes it.
func model(ctx context.Context, client *eventstore.Client, p projections.Projection, dir string, server *database.Server) (Model, error) {
	m := Model{Projection: p.Name(), Engine: "SQLite"}
	folder, err := os.MkdirTemp(dir, "store-")
	if err != nil {
		return m, err
	}
	if server != nil {
		m.Engine, server = "Postgres", server.Within("bench_"+filepath.Base(folder)+"_")
	}
	cfg := projections.Config{Dir: folder, Server: server, Store: client, Logger: slog.New(slog.DiscardHandler), Now: time.Now, Owner: "bench"}
	runtime.GC()
	stop := watchMemory(&m)
	used := bench.ProcessorTime()
	filled, err := projections.Fill(ctx, p, cfg, client)
	m.Processor = bench.ProcessorTime() - used
	stop()
	if err == nil {
		err = database.Remove(ctx, database.Config{Path: filepath.Join(folder, fmt.Sprintf("%s-v%d.db", p.Name(), p.Version())), Server: server})
	}
	m.Events, m.Rows, m.Indexes = filled.Events, filled.Rows, filled.Indexes
	m.PerSecond = float64(m.Events) / (m.Rows + m.Indexes).Seconds()
	return m, errors.Join(err, os.RemoveAll(folder))
}

// read reads and decodes the events of some streams, on every processor as a
// rebuild does, and returns how many there are and how many in a second.
func read(ctx context.Context, client *eventstore.Client, prefixes []string) (n int, perSecond float64, err error) {
	feed := client.Feed(eventstore.FeedConfig{Prefixes: prefixes, PageSize: 16 * 1024})
	defer feed.Close()
	var decoding errgroup.Group
	decoding.SetLimit(runtime.GOMAXPROCS(0))
	began := time.Now()
	for live := false; !live; {
		page, err := feed.Next(ctx)
		if err != nil {
			return n, 0, err
		}
		const some = 512
		for events := range slices.Chunk(page.Events, some) {
			decoding.Go(func() error {
				for _, e := range events {
					if _, err := e.Decode(); err != nil {
						return err
					}
				}
				return nil
			})
		}
		n += len(page.Events)
		live = page.Live
	}
	err = decoding.Wait()
	return n, float64(n) / time.Since(began).Seconds(), err
}

// streams are the prefixes of every stream there is, but those of the node.
func streams() []string {
	return []string{
		"apikeys", "checkout", "creditnote", "customer", "deadletters", "draft", "gatewaycallback", "idempotency", "installation", "job", "numbers", "order",
		"payment", "product", "stock",
	}
}

// Print writes the report as a table.
func (r Report) Print(w io.Writer) error {
	if r.Orders > 0 {
		fmt.Fprintf(w, "%d orders, written in %s\n", r.Orders, r.Setup.Round(time.Millisecond))
	}
	fmt.Fprintf(w, "%d events in the log, read and decoded at %.0f/s\n", r.Events, r.Raw)
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "read model\tengine\tevents\tread/s\tapplied/s\tlog/s\trows\tindexes\tprocessor\tmemory\talive\t")
	for _, m := range r.Models {
		fmt.Fprintln(t, m)
	}
	return t.Flush()
}

// String is the model's line of the table.
func (m Model) String() string {
	const mega = 1 << 20
	return fmt.Sprintf("%s\t%s\t%d\t%.0f\t%.0f\t%.0f\t%s\t%s\t%s\t%d MiB\t%d MiB\t", m.Projection, m.Engine, m.Events, m.Raw, m.PerSecond, m.OfLog,
		m.Rows.Round(time.Millisecond), m.Indexes.Round(time.Millisecond), m.Processor.Round(time.Millisecond), m.Memory/mega, m.Alive/mega)
}
