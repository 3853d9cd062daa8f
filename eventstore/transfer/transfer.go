// Package transfer moves events between databases: it exports a log to a file,
// and imports the file into another database, through the ordinary client.
//
// It promises that a file is complete or visibly not, that both directions go
// on where they were interrupted, and that nothing is imported twice or left
// out without a word. It must not know what any event means.
package transfer

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"github.com/waybill-dev/waybill/eventstore"
)

// Progress is told how far a stage of the work has got. It may be called from
// more than one goroutine, one at a time.
type Progress func(stage string, done, total uint64)

// The stages, and what they count.
const (
	StageExport   = "export"   // the log, as positions do
	StageCheck    = "check"    // bytes of the file
	StageImport   = "import"   // events
	StageMetadata = "metadata" // streams
)

func (p Progress) advance(stage string, done, total uint64) {
	if p != nil {
		p(stage, done, total)
	}
}

// Database is one end of a transfer.
type Database struct {
	ConnectionString string
	// Patience is how long it may be away; default 5 minutes.
	Patience time.Duration
	Logger   *slog.Logger // hears when it goes away and comes back; nil is silence
	// Waits hears now and then why a database that is there takes nothing, and
	// how long it is asked again before the transfer gives up; nil is silence.
	Waits func(cause error, left time.Duration)

	client *eventstore.Client
	told   *atomic.Bool // Waits has heard something a moment ago
}

func (d *Database) open() error {
	const patience = 5 * time.Minute
	if d.Patience == 0 {
		d.Patience = patience
	}
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	d.told = &atomic.Bool{}
	codec, err := eventstore.NewCodec()
	if err != nil {
		return err
	}
	d.client, err = eventstore.NewClient(eventstore.Config{ConnectionString: d.ConnectionString, Codec: codec, Logger: d.Logger})
	return err
}

func (d *Database) close() { _ = d.client.Close() } // it never fails

// ask repeats f, which must be harmless to repeat, while the database is away.
func ask[T any](ctx context.Context, d *Database, f func(context.Context, *esdb.Client) (T, error)) (T, error) {
	const first, last = 50 * time.Millisecond, 2 * time.Second
	ctx, cancel := context.WithTimeout(ctx, d.Patience)
	defer cancel()
	for wait := first; ; wait = min(2*wait, last) {
		answer, err := eventstore.Do(ctx, d.client, func(c *esdb.Client) (T, error) { return f(ctx, c) })
		if err == nil || !errors.Is(err, eventstore.ErrUnavailable) {
			return answer, err
		}
		d.tell(ctx, err)
		select {
		case <-time.After(wait - rand.N(wait/2)): //nolint:gosec // no secret
		case <-ctx.Done():
			return answer, errors.Join(err, context.Cause(ctx))
		}
	}
}

// tell passes over what takes but a moment, and repeats nothing for a while.
func (d *Database) tell(ctx context.Context, cause error) {
	const moment, while = time.Second, 15 * time.Second
	end, ok := ctx.Deadline()
	left := time.Until(end)
	if !ok || d.Waits == nil || left <= 0 || d.Patience-left < moment || !d.told.CompareAndSwap(false, true) {
		return
	}
	time.AfterFunc(while, func() { d.told.Store(false) })
	d.Waits(cause, left)
}

// hasCode reports whether the database has answered with that code of the
// client.
func hasCode(err error, code esdb.ErrorCode) bool {
	e, ok := errors.AsType[*esdb.Error](err)
	return ok && e.Code() == code
}
