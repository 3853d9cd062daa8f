package webhooks_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-resty/resty/v2"
	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/database"
	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/idempotency"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/vault"
	"github.com/waybill-dev/waybill/webhooks"
	"github.com/waybill-dev/waybill/webhooks/address"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
	"github.com/waybill-dev/waybill/webhooks/guard"
	"github.com/waybill-dev/waybill/webhooks/ledger"
	"github.com/waybill-dev/waybill/webhooks/message"
	"github.com/waybill-dev/waybill/webhooks/signingkey"
)

// placed and noted stand for public events of an order, hidden for one that is
// not public.
type (
	placed struct {
		Text string `json:"text"`
	}
	noted  struct{ Number int }
	hidden struct{}
	shared struct{} // of no sales channel
)

func (placed) EventName() string { return "OrderPlaced" }
func (noted) EventName() string  { return "OrderNoted" }
func (hidden) EventName() string { return "OrderHidden" }
func (shared) EventName() string { return "OrderShared" }

func catalogue() *message.Catalogue {
	same := func(e domain.Event) (any, error) { return e, nil }
	return message.NewCatalogue(append([]message.Kind{
		{Stored: "OrderPlaced", Public: "order.placed", Version: 1, Aggregate: "order", Data: same},
		{Stored: "OrderNoted", Public: "order.noted", Version: 1, Aggregate: "order", Data: same},
		{Stored: "OrderShared", Public: "order.shared", Version: 1, Aggregate: "order", Data: same, Shared: true},
	}, kindOf(endpoint.Tested{}), kindOf(endpoint.VerificationAsked{})))
}

// kindOf is the real kind of an event.
func kindOf(e domain.Event) message.Kind {
	kind, _ := message.NewCatalogue(message.Kinds()).Kind(e.EventName())
	return kind
}

func codec(tb testing.TB) *eventstore.Codec {
	tb.Helper()
	c, err := eventstore.NewCodec(append(domain.EventTypes(placed{}, noted{}, hidden{}, shared{}), slices.Concat(endpoint.EventTypes(), signingkey.EventTypes(), idempotency.EventTypes())...)...)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// platform is a log, a database, and dispatchers that come and go.
type platform struct {
	tb     testing.TB
	log    eventLog
	dir    string
	config webhooks.Config
	guard  guard.Config
	policy address.Policy // of dispatchers, by which they judge URLs

	catalogue *message.Catalogue
	people    webhooks.People
	keys      *vault.Keyring
	around    func(context.Context, webhooks.Delivery, func(context.Context) webhooks.Result) webhooks.Result
	random    func() float64
	verify    webhooks.Verify
	ahead     atomic.Int64     // of the clock on the wall, in nanoseconds
	clock     func() time.Time // of dispatchers started from then on, instead of now
	postgres  *database.Server // nil is SQLite, where leases go by those clocks
	warnings  io.Writer        // nil is nowhere
	fenced    func()           // told by those
	client    *resty.Client    // nil is one of package guard
	starts    atomic.Int64
	backlog   webhooks.BacklogProcess
}

// eventLog is what the dispatcher needs of the event store.
type eventLog interface {
	eventstore.Store
	open(cfg eventstore.FeedConfig) webhooks.Feed
	Before(ctx context.Context, at time.Time) (eventstore.Position, error)
}

var development = address.Policy{AllowPrivate: true}

func newPlatform(tb testing.TB) *platform {
	tb.Helper()
	return platformOf(tb, newLog(tb))
}

func platformOf(tb testing.TB, log eventLog) *platform {
	tb.Helper()
	keys, err := vault.OpenKeyring(tb.TempDir(), "")
	if err != nil {
		tb.Fatal(err)
	}
	return &platform{
		tb: tb, catalogue: catalogue(), keys: keys, random: mathrand.Float64, log: log, dir: tb.TempDir(), guard: guard.Config{Policy: development}, policy: development,
		config: webhooks.Config{
			CursorKey:    bytes.Repeat([]byte{7}, 32),
			Waits:        []time.Duration{30 * time.Millisecond, 60 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond},
			BreakerWaits: []time.Duration{50 * time.Millisecond},
			Timeout:      2 * time.Second,
			Lease:        3 * time.Second,
			Drain:        200 * time.Millisecond,
		},
	}
}

// useKeys takes the keys of a folder, which a process of its own may open, too.
func (p *platform) useKeys(dir string) {
	p.tb.Helper()
	var err error
	if p.keys, err = vault.OpenKeyring(dir, ""); err != nil {
		p.tb.Fatal(err)
	}
}

func (p *platform) logger() *slog.Logger {
	if p.warnings != nil {
		return slog.New(slog.NewTextHandler(p.warnings, &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	if testing.Verbose() {
		return slog.New(slog.NewTextHandler(p.tb.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	return slog.New(slog.DiscardHandler)
}

func (p *platform) database() *database.DB {
	p.tb.Helper()
	db, err := database.Open(p.tb.Context(), database.Config{Path: filepath.Join(p.dir, "webhooks.db"), Server: p.postgres, Migrations: ledger.Migrations()})
	if err != nil {
		p.tb.Fatal(err)
	}
	return db
}

func (p *platform) now() time.Time { return time.Now().Add(time.Duration(p.ahead.Load())) }

// process is a running dispatcher.
type process struct {
	*webhooks.Dispatcher
	stop  func()
	crash func()
}

// start runs a dispatcher until the test ends or stop is called.
func (p *platform) start() *process {
	p.tb.Helper()
	return p.startAs(p.config, p.backlog)
}

func (p *platform) startAs(cfg webhooks.Config, backlog webhooks.BacklogProcess) *process {
	p.tb.Helper()
	db := p.database()
	now := p.now
	if p.clock != nil {
		now = p.clock
	}
	books := &ledger.Ledger{Write: db.Write, Read: db.Read}
	if p.postgres == nil {
		books.Now = now
	}
	client := p.client
	if client == nil {
		client = guard.NewClient(p.guard)
	}
	if cfg.Owner == "" {
		cfg.Owner = fmt.Sprint("process-", p.starts.Add(1))
	}
	d := &webhooks.Dispatcher{
		Store: p.log, Feed: p.log.open, End: p.end, Before: p.log.Before, Ledger: books, Sealer: p.keys, Catalogue: p.catalogue, People: p.people, Policy: p.policy,
		Client: client, Clients: p.clients, Keys: p.signingKeys(), Endpoints: p.endpoints(books), Config: cfg, Logger: p.logger(), Now: now, Random: p.random,
		BacklogProcess: backlog, Around: p.around, Meter: webhooks.Meter{Fenced: p.fenced},
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(p.tb.Context()))
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	var stopped atomic.Bool
	end := func(first func() (crashed bool), last func()) func() {
		return func() {
			if stopped.Swap(true) {
				return
			}
			crashed := first()
			cancel()
			if err := <-done; err != nil && !crashed {
				p.tb.Errorf("run: %v", err)
			}
			client.GetClient().CloseIdleConnections()
			last()
		}
	}
	closeDB := func() {
		if err := db.Close(); err != nil {
			p.tb.Errorf("close: %v", err)
		}
	}
	// After a crash nothing is saved any more, whatever is still under way.
	run := &process{Dispatcher: d, stop: end(func() bool { return false }, closeDB), crash: end(func() bool { closeDB(); return true }, func() {})}
	p.tb.Cleanup(run.stop)
	return run
}

// end reads the log to its end.
func (p *platform) end(ctx context.Context) (eventstore.Position, error) {
	feed := p.log.open(eventstore.FeedConfig{Prefixes: p.catalogue.Prefixes()})
	defer feed.Close()
	for {
		if page, err := feed.Next(ctx); err != nil || page.Live {
			return page.Through, err
		}
	}
}

func (p *platform) clients(extra *tls.Config) *resty.Client {
	cfg := p.guard
	cfg.TLSConfig = extra
	return guard.NewClient(cfg)
}

func (p *platform) signingKeys() *signingkey.Keys {
	return &signingkey.Keys{Store: p.log, Sealer: p.keys, Random: rand.Reader, Now: time.Now}
}

func (p *platform) endpoints(books *ledger.Ledger) *webhooks.Endpoints {
	return &webhooks.Endpoints{
		Store: p.log, Ledger: books, Sealer: p.keys, Catalogue: p.catalogue, Policy: development, Random: rand.Reader, Now: p.now,
		Verify: p.verify,
	}
}

func meta() eventstore.Metadata {
	return eventstore.Metadata{CommandID: uuid.NewString(), TraceParent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", TraceID: "4bf92f3577b34da6a3ce929d0e0e4736"}
}

func (p *platform) endpoint(url string, types ...string) webhooks.CreatedEndpoint {
	p.tb.Helper()
	created, err := p.endpoints(nil).Create(p.tb.Context(), webhooks.NewEndpoint{
		ID: uuid.NewString(), Settings: endpoint.Settings{URL: url, EventTypes: types},
	}, meta())
	if err != nil {
		p.tb.Fatal(err)
	}
	return created
}

// append writes events of an order after those it has.
func (p *platform) append(order string, after eventstore.Revision, events ...domain.Event) (ids []string) {
	p.tb.Helper()
	var list []eventstore.NewEvent
	for i, event := range events {
		id := eventstore.EventID("order-"+order, "test", int(after)+1+i)
		list = append(list, eventstore.NewEvent{ID: id, Event: event, Metadata: meta()})
		ids = append(ids, id.String())
	}
	if _, err := p.log.Append(p.tb.Context(), "order-"+order, after, list...); err != nil {
		p.tb.Fatal(err)
	}
	return ids
}

// eventually waits for something that is about to happen, also on a machine that
// has other things to do.
func eventually(tb testing.TB, what string, is func() bool) {
	tb.Helper()
	const patience = 3 * time.Minute
	for deadline := time.Now().Add(patience); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("waited in vain: %s", what)
		}
	}
}
