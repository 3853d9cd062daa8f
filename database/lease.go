package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// LeaseConfig names a right that one process has at a time.
type LeaseConfig struct {
	DB    *DB    // where it is kept
	Name  string // of what the right is for
	Owner string // of this process, and of no other
	// For is how long the right lasts without being renewed: so long after the
	// end of a process another one waits. 0 means [DefaultLease].
	For time.Duration
	// Now is what the right goes by; nil is the clock of the database, which all
	// processes share.
	Now    func() time.Time
	Logger *slog.Logger
}

// DefaultLease is how long a right lasts.
const DefaultLease = 5 * time.Second

// renewals is how often a right is renewed before it would run out.
const renewals = 5

// Lease is a right that one process has at a time. Whoever takes it gets a
// higher number than everybody before, its epoch; whatever may be done with the
// right alone is written only where the epoch is still the last one, see
// [Lease.Fence].
type Lease struct{ cfg LeaseConfig }

const leases = `
CREATE TABLE IF NOT EXISTS leases (
  name  TEXT PRIMARY KEY,
  owner TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  until INTEGER NOT NULL -- milliseconds since 1970
)`

// NewLease prepares the table of leases.
func NewLease(ctx context.Context, cfg LeaseConfig) (*Lease, error) {
	if cfg.For == 0 {
		cfg.For = DefaultLease
	}
	if err := cfg.DB.Script(ctx, leases); err != nil {
		return nil, fmt.Errorf("make the table of leases: %w", err)
	}
	return &Lease{cfg}, nil
}

// Take gets the right if it is free, ours, or has run out. It waits for a
// transaction of whoever had it.
func (l *Lease) Take(ctx context.Context) (epoch int64, ok bool, err error) {
	lasting, args := l.Lasting("l")
	epoch, err = l.write(ctx, l.cfg.Owner, `WHERE l.owner = excluded.owner OR NOT (`+lasting+`)`, args...)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("take the lease of %s: %w", l.cfg.Name, err)
	}
	return epoch, true, nil
}

// Seize takes the right whoever has it: who had it writes nothing any more. It
// waits for a transaction that is being written with it.
func (l *Lease) Seize(ctx context.Context) (epoch int64, err error) {
	epoch, err = l.write(ctx, "seized by "+l.cfg.Owner, "")
	if err != nil {
		return 0, fmt.Errorf("seize the lease of %s: %w", l.cfg.Name, err)
	}
	return epoch, nil
}

// write gives the right to an owner where a condition lets it.
func (l *Lease) write(ctx context.Context, owner, where string, args ...any) (epoch int64, err error) {
	until, end := l.Until()
	all := slices.Concat([]any{l.cfg.Name, owner}, end, args)
	err = l.cfg.DB.Tx(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, `
			INSERT INTO leases AS l (name, owner, epoch, until) VALUES (?, ?, 1, `+until+`)
			ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, epoch = l.epoch + 1, until = excluded.until `+where+`
			RETURNING epoch`, all...).Scan(&epoch)
	})
	return epoch, err
}

// Renew prolongs the right, and tells whether it is still ours.
func (l *Lease) Renew(ctx context.Context, epoch int64) (bool, error) {
	until, args := l.Until()
	//nolint:gosec // the parts are constants, what comes from outside are arguments
	result, err := l.cfg.DB.Write.ExecContext(ctx, `UPDATE leases SET until = `+until+` WHERE name = ? AND epoch = ?`, append(args, l.cfg.Name, epoch)...)
	if err != nil {
		return false, fmt.Errorf("renew the lease of %s: %w", l.cfg.Name, err)
	}
	n, err := result.RowsAffected()
	return n > 0, err
}

// Until is when a right that is taken or renewed in a statement runs out, in
// milliseconds since 1970, with the arguments that it takes.
func (l *Lease) Until() (expression string, args []any) {
	clock, now := Clock(l.cfg.Now)
	return clock + ` + ?`, append(now, l.cfg.For.Milliseconds())
}

// Lasting is a condition of SQL, with its arguments, that is true of a row which
// has an owner, as long as the time until which it has one has not come. One that
// lies further ahead than [Lease.Until] ever is was written before the clock went
// back: it has run out, or is about to be renewed.
func (l *Lease) Lasting(row string) (condition string, args []any) {
	clock, now := Clock(l.cfg.Now)
	condition = row + `.owner <> '' AND ` + row + `.until BETWEEN ` + clock + ` AND ` + clock + ` + ?`
	return condition, slices.Concat(now, now, []any{tooFar * l.cfg.For.Milliseconds()})
}

// tooFar is for how many times its length no right is taken: processes may have
// been told of lengths that differ a little.
const tooFar = 2

// Interval is how often whoever has the right renews it, and whoever has not
// looks for it.
func (l *Lease) Interval() time.Duration { return l.cfg.For / renewals }

// Keep renews a right that was taken or seized until the context ends, or the
// right is lost.
func (l *Lease) Keep(ctx context.Context, epoch int64) { l.keep(ctx, epoch, l.Interval()) }

// Release gives the right back, if it is still ours.
func (l *Lease) Release(ctx context.Context, epoch int64) error {
	_, err := l.cfg.DB.Write.ExecContext(ctx, `UPDATE leases SET owner = '', until = 0 WHERE name = ? AND epoch = ?`, l.cfg.Name, epoch)
	if err != nil {
		return fmt.Errorf("release the lease of %s: %w", l.cfg.Name, err)
	}
	return nil
}

// Fence is a condition of SQL, with its arguments, that is true as long as
// nobody else took the right. In a transaction of [DB.Tx] of the same database
// it stays true until the end.
func (l *Lease) Fence(epoch int64) (condition string, args []any) {
	return `EXISTS (SELECT 1 FROM leases WHERE name = ? AND epoch = ?)`, []any{l.cfg.Name, epoch}
}

// Hold takes the right whenever it can, and lets work use it until the context
// of work ends: when the right was lost, or when that of Hold ends. Then it is
// given back, so that others need not wait.
func (l *Lease) Hold(ctx context.Context, work func(ctx context.Context, epoch int64)) {
	wait := l.Interval()
	for {
		epoch, ok, err := l.Take(ctx)
		if err != nil && ctx.Err() == nil {
			l.cfg.Logger.WarnContext(ctx, "cannot take a lease, will try again", "lease", l.cfg.Name, "error", err)
		}
		if ok {
			l.use(ctx, epoch, wait, work)
		}
		if !pause(ctx, wait) {
			return
		}
	}
}

func (l *Lease) use(ctx context.Context, epoch int64, every time.Duration, work func(context.Context, int64)) {
	l.cfg.Logger.InfoContext(ctx, "took a lease", "lease", l.cfg.Name, "epoch", epoch)
	working, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer stop()
		work(working, epoch)
	}()
	l.keep(working, epoch, every)
	stop()
	<-done
	releasing, cancel := context.WithTimeout(context.WithoutCancel(ctx), connectTimeout)
	defer cancel()
	if err := l.Release(releasing, epoch); err != nil {
		l.cfg.Logger.WarnContext(ctx, "cannot give a lease back, it runs out by itself", "lease", l.cfg.Name, "error", err)
	}
}

// keep renews the right until it is lost or the context ends. While the
// database is away nobody else can take it either.
func (l *Lease) keep(ctx context.Context, epoch int64, every time.Duration) {
	for pause(ctx, every) {
		ours, err := l.Renew(ctx, epoch)
		if err == nil && !ours {
			l.cfg.Logger.WarnContext(ctx, "lost a lease to another process", "lease", l.cfg.Name, "epoch", epoch)
			return
		}
		if err != nil && ctx.Err() == nil {
			l.cfg.Logger.WarnContext(ctx, "cannot renew a lease, will try again", "lease", l.cfg.Name, "error", err)
		}
	}
}

func pause(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
