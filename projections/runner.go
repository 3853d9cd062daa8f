package projections

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/waybill-dev/waybill/database"
	"github.com/waybill-dev/waybill/eventstore"
)

// Config is where and with what a projection runs.
type Config struct {
	Dir    string           // of the SQLite files
	Store  eventstore.Store // to read blocked streams again
	Logger *slog.Logger
	Now    func() time.Time

	// Server is the Postgres to use instead of files; nil is SQLite.
	Server *database.Server
	// Owner is the name of this process among all that use the Server.
	Owner string
	// Build is which of the databases of the same code it is; the first is 0.
	Build int
	// Lease is how long after the end of a process another one takes over; 0
	// means [database.DefaultLease].
	Lease time.Duration
	// LeaseNow is what leases go by; nil is the clock of the Server, which all
	// processes share.
	LeaseNow func() time.Time

	// Partitions is how many parts a projection that is [PerStream] is brought
	// forward in, which the processes on one Server share; 0 means 1. They all
	// have the same number. A file has one writer, and is never in parts.
	Partitions int

	catalogue *Catalogue // knows the repairs; nil has none
	log       Log        // tells what is between two positions; nil tells nothing
}

// Runner brings one read model forward. One process runs it at a time: of a
// file the lock on its folder decides, in a Postgres a lease.
type Runner struct {
	projection Projection
	cfg        Config
	db         *database.DB
	part       partition // that it brings forward
	whole      *Runner   // of a part: what it is one of

	writing sync.Mutex // one page or retry at a time; guards blocked and repairs
	blocked map[string]bool
	repairs map[eventPlace]Repair
	woken   chan struct{} // holds one token when blocked streams may be due
	owner   ownership

	mu       sync.Mutex // guards what follows
	position eventstore.Position
	events   int64         // applied since the first
	applied  time.Time     // when the last applied event was recorded
	moved    chan struct{} // closed when position grows
	parts    []progress    // of a whole that is in parts
	before   int64         // events that were applied before it was
	lanes    []*Runner     // of the parts that this process brings forward, or tries to
}

// What the runner keeps beside the rows. A stream is blocked from a revision
// on: what comes later of it waits in the log.
const bookkeeping = `
CREATE TABLE IF NOT EXISTS checkpoint (
  id       INTEGER PRIMARY KEY CHECK (id = 1),
  position INTEGER NOT NULL,
  applied  INTEGER NOT NULL, -- milliseconds since 1970, of the last event's record
  events   INTEGER NOT NULL  -- that were applied
);
INSERT INTO checkpoint VALUES (1, 0, 0, 0) ON CONFLICT DO NOTHING;
CREATE TABLE IF NOT EXISTS blocked_streams (
  stream   TEXT PRIMARY KEY,
  revision INTEGER NOT NULL, -- of the event that cannot be applied
  error    TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  since    INTEGER NOT NULL, -- milliseconds since 1970
  due_at   INTEGER NOT NULL  -- of the next attempt
);` + partitioning

// Open opens a projection's file, migrates it and reads its checkpoint.
func Open(ctx context.Context, p Projection, cfg Config) (*Runner, error) {
	store := database.Config{
		Path: storePath(cfg.Dir, p.Name(), p.Version(), cfg.Build), Server: cfg.Server, Migrations: p.Migrations(),
	}
	db, err := database.Open(ctx, store)
	if err != nil {
		return nil, cannotOpen(p, store, err)
	}
	r := newRunner(p, cfg, db)
	if err := r.restore(ctx); err != nil {
		return nil, errors.Join(cannotOpen(p, store, err), db.Close())
	}
	return r, nil
}

// cannotOpen says what helps where nothing in the database is needed: all of it
// follows from the events.
func cannotOpen(p Projection, store database.Config, err error) error {
	err = fmt.Errorf("open read model %s: %w", p.Name(), err)
	if database.Broken(err) {
		return fmt.Errorf("%w; delete it while the program is stopped, and it is filled anew from the events: %s", err, store.Place())
	}
	return err
}

func newRunner(p Projection, cfg Config, db *database.DB) *Runner {
	return &Runner{
		projection: p, cfg: cfg, db: db,
		blocked: map[string]bool{}, moved: make(chan struct{}), woken: make(chan struct{}, 1),
	}
}

func (r *Runner) restore(ctx context.Context) error {
	if err := r.db.Script(ctx, bookkeeping); err != nil {
		return err
	}
	if err := r.openOwnership(ctx); err != nil {
		return err
	}
	if r.owner.lease == nil {
		if err := r.begin(ctx); err != nil {
			return err
		}
	}
	return r.remember(ctx)
}

// begin is the first thing that is done by whoever brings the read model
// forward. It may be a repaired program: what is blocked is tried at once.
func (r *Runner) begin(ctx context.Context) error {
	return r.db.Tx(ctx, func(raw *sql.Tx) error {
		tx := r.tx(raw)
		blocked, err := r.blockedHere(ctx)
		for _, b := range blocked {
			err = errors.Join(err, tx.Exec(ctx, `UPDATE blocked_streams SET due_at = 0 WHERE stream = ?`, b.Stream))
		}
		if err != nil {
			return err
		}
		return r.fenced(ctx, tx, r.Position(), `position = position`)
	})
}

// remember reads what is kept beside the rows.
func (r *Runner) remember(ctx context.Context) error {
	read := r.rememberWhole
	if r.whole != nil {
		read = r.rememberPart
	}
	now, err := read(ctx)
	if err != nil {
		return err
	}
	blocked, err := r.blockedHere(ctx)
	if err != nil {
		return err
	}
	if r.repairs, err = r.readRepairs(ctx); err != nil {
		return err
	}
	clear(r.blocked)
	for _, b := range blocked {
		r.blocked[b.Stream] = true
	}
	r.advance(now.position, now.applied, now.events)
	return nil
}

// Close closes the file.
func (r *Runner) Close() error {
	r.writing.Lock()
	defer r.writing.Unlock()
	return r.db.Close()
}

// Name is the read model's.
func (r *Runner) Name() string { return r.projection.Name() }

// Part names the part that it brings forward, 2/4 the second of four; empty is
// all of it.
func (r *Runner) Part() string {
	if r.whole == nil {
		return ""
	}
	return fmt.Sprintf("%d/%d", r.part.number, r.part.of)
}

// Prefixes are those of the projection's streams.
func (r *Runner) Prefixes() []string { return r.projection.Prefixes() }

// Read is where the read model is queried.
func (r *Runner) Read() *sql.DB { return r.db.Read }

// Handle applies the page of a message, for a Watermill router.
func (r *Runner) Handle(msg *message.Message) error {
	page, ok := eventstore.PageOf(msg)
	if !ok {
		return fmt.Errorf("message %s carries no page of events", msg.UUID)
	}
	return r.Apply(msg.Context(), page)
}

// Checkpoint returns how far the read model is, once it is on this process to
// bring it forward.
func (r *Runner) Checkpoint(ctx context.Context) (eventstore.Position, error) {
	if err := r.lock(ctx); err != nil {
		return 0, err
	}
	defer r.unlock()
	return r.Position(), nil
}

// Position returns how far the read model is.
func (r *Runner) Position() eventstore.Position {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.position
}

// Events returns how many events were applied since the first.
func (r *Runner) Events() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.events
}

// Version is which of the read model's databases this is.
func (r *Runner) Version() Version { return Version{Code: r.projection.Version(), Build: r.cfg.Build} }

// Applied returns when the last event that was applied had been recorded: how
// far the read model is in time.
func (r *Runner) Applied() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.applied
}

// WaitFor returns when the read model is as far as a position.
func (r *Runner) WaitFor(ctx context.Context, position eventstore.Position) error {
	for {
		r.mu.Lock()
		reached, moved := r.position >= position, r.moved
		r.mu.Unlock()
		if reached {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (r *Runner) advance(position eventstore.Position, applied time.Time, events int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.position, r.events = position, events
	if !applied.IsZero() {
		r.applied = applied
	}
	close(r.moved)
	r.moved = make(chan struct{})
	if r.whole != nil {
		r.whole.advanced(progress{r.part, position, r.applied, events})
	}
}
