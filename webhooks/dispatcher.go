// Package webhooks tells partners what happened. Each endpoint is a durable
// cursor over the public events of the log: deliveries write no rows of their
// own, only exceptions are parked, and an endpoint that is down just stops. It
// promises that every public event reaches every endpoint that wants it at
// least once with the same id and the same numbers every time, in the order of
// its stream, and that one endpoint or one stream in trouble holds up no
// other. It must not know how events come about.
package webhooks

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-resty/resty/v2"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/address"
	"github.com/waybill-dev/waybill/webhooks/credentials"
	"github.com/waybill-dev/waybill/webhooks/cursor"
	"github.com/waybill-dev/waybill/webhooks/delivery"
	"github.com/waybill-dev/waybill/webhooks/ledger"
	"github.com/waybill-dev/waybill/webhooks/message"
	"github.com/waybill-dev/waybill/webhooks/signing"
)

// CursorScope is the scope of the cursors that the shop itself gets: see
// [ScopeOf].
const CursorScope = "public"

// Feed yields pages of the log; [eventstore.Feed] is one.
type Feed interface {
	Next(ctx context.Context) (eventstore.Page, error)
	Close()
}

// Meter is told what metrics are made of. Its functions may be nil.
type Meter struct {
	Settled func(attempts int) // a transaction saved so many
	Fenced  func()             // a cursor went to another owner while it was served
	// Verified is told of each ping that ended, with the reason if it failed.
	Verified func(reason string)
}

// SigningKeys are the keys of each partner; [signingkey.Keys] is one.
type SigningKeys interface {
	Live(ctx context.Context, tenant string) ([]signing.LiveKey, error)
}

// Dispatcher delivers. Its exported fields are set before Run and required
// unless said otherwise.
type Dispatcher struct {
	Store     eventstore.Store
	Ledger    *ledger.Ledger
	Sealer    Sealer
	Catalogue *message.Catalogue
	// Feed opens a feed of the log, as Client.Feed of package eventstore does.
	Feed func(eventstore.FeedConfig) Feed
	// End returns the position of the last event of the log, as Client.End of
	// package eventstore does.
	End func(context.Context) (eventstore.Position, error)
	// Before returns a position after which everything is that was recorded at
	// a time or later, as Client.Before of package eventstore does.
	Before func(context.Context, time.Time) (eventstore.Position, error)
	// Retain lets a stream keep its last events only. May be nil.
	Retain func(ctx context.Context, stream string, count int) error
	Policy address.Policy
	Client *resty.Client // of package guard
	// Clients makes a client for endpoints with certificates of their own, of
	// package guard too.
	Clients   credentials.Clients
	Keys      SigningKeys
	Endpoints *Endpoints // which it disables when a receiver is gone
	People    People     // whose data some endpoints get; nil is nobody's
	Config    Config
	Logger    *slog.Logger
	Now       func() time.Time
	Random    func() float64 // of jitter, from 0 to below 1
	// BacklogProcess serves endpoints that have much of the past to send. May be
	// nil: then they are served here.
	BacklogProcess BacklogProcess
	// Around wraps each attempt, for tracing. The context it passes on carries
	// the attempt's span. May be nil.
	Around func(ctx context.Context, about Delivery, attempt func(context.Context) Result) Result

	Meter Meter

	opening   sync.Once
	opened    error
	cfg       Config
	cursors   *cursor.Codec
	history   *history
	hub       atomic.Pointer[hub] // nil until the log is read
	settler   *settler
	slots     *slots
	pace      *pace
	tooFar    chan string   // endpoints that are to be set aside
	abandoned chan struct{} // closed when nothing can be saved any more

	unreadable      unreadable
	readers, behind seats // who pull, and those of them who read the past
}

const (
	retryAfter   = time.Second // after what should not happen
	forgetEvery  = time.Hour
	historyCache = 1 << 14 // streams
)

// Run delivers until the context ends. It may be called once.
func (d *Dispatcher) Run(ctx context.Context) error {
	if err := d.ready(); err != nil {
		return err
	}
	err := d.run(ctx)
	if ctx.Err() != nil {
		return nil // it was to end, and everything was given back as far as possible
	}
	return err
}

func (d *Dispatcher) run(ctx context.Context) error {
	if d.cfg.BacklogOnly { // the others follow the endpoints
		return d.deliverAll(ctx, nil)
	}
	from, err := d.Ledger.Checkpoint(ctx)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	var beside sync.WaitGroup
	defer beside.Wait()
	defer stop()
	changed := make(chan struct{}, 1)
	beside.Go(func() { (&follower{d: d, changed: changed}).run(ctx, from) })
	select {
	case <-changed: // the endpoints are those of now
	case <-ctx.Done():
		return nil
	}
	return d.deliverAll(ctx, changed)
}

// deliverAll runs the couriers, and what they share, until the context ends.
func (d *Dispatcher) deliverAll(ctx context.Context, changed <-chan struct{}) error {
	start, err := d.beginning(ctx)
	if err != nil {
		return err
	}
	shared := newHub(d.cfg.Ring, d.cfg.RingBytes, start)
	d.hub.Store(shared)
	var beside sync.WaitGroup
	beside.Go(func() { shared.run(ctx, d) })
	beside.Go(func() { d.pace.run(ctx) })
	if !d.cfg.BacklogOnly {
		beside.Go(func() { d.forgetAttempts(ctx) })
	}
	beside.Go(func() { (&checkpointer{d: d, written: map[string]ledger.Reached{}}).run(ctx) })
	saving, stopSaving := context.WithCancel(context.WithoutCancel(ctx))
	beside.Go(func() { d.settler.run(saving) })
	defer beside.Wait()
	defer stopSaving()
	stopAbandon := context.AfterFunc(ctx, func() {
		pause(saving, 2*d.cfg.Drain)
		stopSaving()
		close(d.abandoned)
	})
	defer stopAbandon()
	(&supervisor{
		d: d, couriers: map[ledger.Key]*running{}, budgets: map[string]*delivery.Budget{}, gone: make(chan *running), unwanted: map[string]eventstore.Revision{}, recorded: make(chan stopped),
		replays: newReplays(), aside: newAside(),
	}).run(ctx, changed)
	return nil
}

// beginning returns from where on everything is kept in memory: of those that are
// up to date the furthest, or the end of the log where there are none such.
func (d *Dispatcher) beginning(ctx context.Context) (eventstore.Position, error) {
	if d.cfg.BacklogOnly {
		return d.End(ctx)
	}
	return d.Ledger.Furthest(ctx)
}

// ready prepares what delivering and answering questions need, once.
func (d *Dispatcher) ready() error {
	d.opening.Do(func() { d.opened = d.open() })
	return d.opened
}

func (d *Dispatcher) open() (err error) {
	d.cfg = d.Config
	if err := d.cfg.setDefaults(); err != nil {
		return err
	}
	if d.cursors, err = cursor.New(d.cfg.CursorKey); err != nil {
		return err
	}
	d.history, err = newHistory(d.Store, d.Catalogue, historyCache)
	d.settler = &settler{ledger: d.Ledger, logger: d.Logger, meter: d.Meter, now: d.Now, in: make(chan settling, mostSettled)}
	d.slots = newSlots(d.cfg.PerHost, d.cfg.PerProcess)
	d.pace = newPace(d.Now, d.cfg.BacklogOnly)
	d.tooFar = make(chan string, mostWaiting)
	d.abandoned = make(chan struct{})
	return err
}

// forgetAttempts drops old attempts from time to time, and makes room for those
// to come.
func (d *Dispatcher) forgetAttempts(ctx context.Context) {
	for ctx.Err() == nil {
		now := d.Now()
		err := errors.Join(d.Ledger.PrepareAttempts(ctx, now), d.Ledger.ForgetAttempts(ctx, now.Add(-d.cfg.KeepAttempts)))
		if err != nil && ctx.Err() == nil {
			d.Logger.ErrorContext(ctx, "webhooks cannot make room for attempts", "error", err)
		}
		pause(ctx, forgetEvery)
	}
}

// feed reads what may be public after a position.
func (d *Dispatcher) feed(from eventstore.Position) Feed {
	return d.Feed(eventstore.FeedConfig{Prefixes: d.Catalogue.Prefixes(), From: from})
}

func (d *Dispatcher) head() eventstore.Position {
	if shared := d.hub.Load(); shared != nil {
		return shared.position()
	}
	return 0
}
