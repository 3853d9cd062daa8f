package projections

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/waybill-dev/waybill/database"
	"github.com/waybill-dev/waybill/eventstore"
)

// barrier is a position that no part goes beyond as long as somebody has the
// lease of that name: they come to it and stand there, so that all of them are
// at one position.
const barrier = `
CREATE TABLE IF NOT EXISTS barrier (
  id       INTEGER PRIMARY KEY CHECK (id = 1),
  position INTEGER NOT NULL
);
INSERT INTO barrier VALUES (1, 0) ON CONFLICT DO NOTHING`

const (
	barrierLease = "barrier"
	// beyondAll is beyond every barrier.
	beyondAll = eventstore.Position(math.MaxInt64)
)

// errBarrier says that a part is not to go on for now.
var errBarrier = errors.New("the read model is held at a position")

// inTheWay is a query, with its arguments, for a barrier that is not to be passed
// on the way to a position.
func (r *Runner) inTheWay(through eventstore.Position) (query string, args []any) {
	lasting, args := r.owner.lease.Lasting("l")
	return `SELECT b.position FROM barrier b WHERE b.position < ? AND EXISTS (
		SELECT 1 FROM leases l WHERE l.name = '` + barrierLease + `' AND ` + lasting + `)`, append([]any{positionValue(through)}, args...)
}

// barrier returns the position that is not to be passed on the way to another
// one, if there is such.
func (r *Runner) barrier(ctx context.Context, tx rowReader, through eventstore.Position) (at eventstore.Position, there bool, err error) {
	query, args := r.inTheWay(through)
	err = tx.QueryRowContext(ctx, query, args...).Scan(&at)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, false, nil
	}
	return at, err == nil, err
}

// toBarrier applies what of a page is before the barrier, and waits until it is
// taken away.
func (r *Runner) toBarrier(ctx context.Context, page eventstore.Page) error {
	for {
		at, there, err := r.barrier(ctx, r.db.Write, page.Through)
		if err != nil || !there {
			return err
		}
		if at > r.Position() {
			first, _ := cut(page, at)
			if err := r.apply(ctx, first); err != nil && !errors.Is(err, errBarrier) {
				return err
			}
		}
		if err := pause(ctx, look); err != nil {
			return err
		}
	}
}

// cut divides a page at a position within it.
func cut(page eventstore.Page, at eventstore.Position) (first, rest eventstore.Page) {
	n := 0
	for n < len(page.Events) && page.Events[n].Position <= at {
		n++
	}
	return eventstore.Page{Events: page.Events[:n], Through: at}, eventstore.Page{Events: page.Events[n:], Through: page.Through, Live: page.Live}
}

// standstill brings the parts of a version to one position, and lets them stand
// there until it is thawed. Who has them does that: it waits for them.
func (r *Runner) standstill(ctx context.Context) (frozen, error) {
	lease, err := database.NewLease(ctx, database.LeaseConfig{
		DB: r.db, Name: barrierLease, Owner: r.cfg.Owner, For: r.cfg.Lease, Now: r.cfg.LeaseNow, Logger: r.cfg.Logger.With("projection", r.Name()),
	})
	if err != nil {
		return frozen{}, err
	}
	standing, err := r.seize(ctx, lease)
	if err != nil {
		return frozen{}, err
	}
	if standing.at, err = r.raise(ctx); err != nil {
		standing.thaw()
		return frozen{}, fmt.Errorf("bring the parts of %s to one position: %w", r.Name(), err)
	}
	return standing, nil
}

// quiet is for how long parts that are at different positions do not move until
// the log is asked whether there is anything for them in between: at its end
// they may know of different events that are none of theirs.
const quiet = 100 * time.Millisecond

// raise puts the barrier where the first of the parts is, and waits for the
// others.
func (r *Runner) raise(ctx context.Context) (at eventstore.Position, err error) {
	err = r.db.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE barrier SET position = coalesce((SELECT max(position) FROM partitions), position) WHERE id = ?`, 1)
		return err
	})
	var last []progress
	var since time.Time
	for err == nil {
		var parts []progress
		if parts, err = readParts(ctx, r.db.Write); err != nil {
			break
		}
		now := time.Now() //nolint:forbidigo // how long nothing moves
		if !slices.Equal(parts, last) {
			last, since = parts, now
		}
		if same(parts) || now.Sub(since) > quiet {
			var level bool
			if at, level, err = r.level(ctx, parts); level || err != nil {
				break
			}
			since = now
		}
		err = pause(ctx, look)
	}
	return at, err
}

// same tells whether all parts are at the same position.
func same(parts []progress) bool {
	return !slices.ContainsFunc(parts, func(p progress) bool { return p.position != parts[0].position })
}

// level tells whether all parts are at one position as far as their own events
// go, and which that is.
func (r *Runner) level(ctx context.Context, parts []progress) (at eventstore.Position, level bool, err error) {
	for _, p := range parts {
		at = max(at, p.position)
	}
	if same(parts) || r.cfg.log == nil {
		return at, same(parts), nil
	}
	feed := r.cfg.log.Feed(eventstore.FeedConfig{Prefixes: r.Prefixes(), From: together(parts).position, PageSize: lagPage})
	defer feed.Close()
	for {
		page, err := feed.Next(ctx)
		if err != nil {
			return at, false, fmt.Errorf("look what is between the parts: %w", err)
		}
		for _, e := range page.Events {
			if e.Position <= at && e.Position > parts[Partition(e.Stream, len(parts))-1].position {
				return at, false, nil
			}
		}
		if page.Live || page.Through >= at {
			return at, true, nil
		}
	}
}

// seize takes a right from whoever has it, and keeps it until it is thawed.
func (r *Runner) seize(ctx context.Context, lease *database.Lease) (frozen, error) {
	epoch, err := lease.Seize(ctx)
	if err != nil {
		return frozen{}, err
	}
	keeping, stop := context.WithCancel(ctx) // on a busy machine it may take longer than a lease lasts
	var renewing sync.WaitGroup
	renewing.Go(func() { lease.Keep(keeping, epoch) })
	rest := func() { stop(); renewing.Wait() }
	return frozen{
		leave: rest,
		thaw: sync.OnceFunc(func() {
			rest()
			if err := lease.Release(context.WithoutCancel(ctx), epoch); err != nil {
				r.cfg.Logger.WarnContext(ctx, "cannot give a lease back, it runs out by itself", "projection", r.Name(), "error", err)
			}
		}),
		still: func(ctx context.Context) error {
			ours, err := lease.Renew(ctx, epoch)
			if err == nil && !ours {
				err = errNotOurs
			}
			return err
		},
	}, nil
}

// levelSnapshot begins to read a version as it is at one position.
func (r *Runner) levelSnapshot(ctx context.Context) (*sql.Tx, eventstore.Position, error) {
	if tx, at, err := r.snapshotIfLevel(ctx); tx != nil || err != nil {
		return tx, at, err
	}
	standing, err := r.standstill(ctx)
	if err != nil {
		return nil, 0, err
	}
	defer standing.thaw()
	tx, at, err := r.snapshotIfLevel(ctx)
	if tx == nil && err == nil {
		err = errNotOurs // it took too long, and they went on
	}
	return tx, at, err
}

func (r *Runner) snapshotIfLevel(ctx context.Context) (*sql.Tx, eventstore.Position, error) {
	tx, err := r.db.Snapshot(ctx)
	if err != nil {
		return nil, 0, err
	}
	parts, err := readParts(ctx, tx)
	var at eventstore.Position
	level := true
	switch {
	case err != nil:
	case len(parts) == 0:
		at, err = ReadPositionTx(ctx, tx)
	default:
		at, level, err = r.level(ctx, parts)
	}
	if err != nil || !level {
		return nil, 0, errors.Join(err, tx.Rollback())
	}
	return tx, at, nil
}
