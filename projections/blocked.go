package projections

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/waybill-dev/waybill/eventstore"
)

// BlockedStream is a stream one event of which cannot be applied.
type BlockedStream struct {
	Stream   string
	Revision eventstore.Revision // of that event
	Error    string
	Attempts int
	Since    time.Time
	DueAt    time.Time // of the next attempt
}

const (
	firstRetry = time.Second
	maxRetry   = 5 * time.Minute
)

// Blocked lists the streams that are blocked, longest first.
func (r *Runner) Blocked(ctx context.Context) ([]BlockedStream, error) {
	rows, err := r.db.Read.QueryContext(ctx, `SELECT stream, revision, error, attempts, since, due_at FROM blocked_streams ORDER BY since, stream`)
	return rowsOf(rows, err, func(rows *sql.Rows) (b BlockedStream, err error) {
		var since, due int64
		err = rows.Scan(&b.Stream, &b.Revision, &b.Error, &b.Attempts, &since, &due)
		b.Since, b.DueAt = fromMillis(since), fromMillis(due)
		return b, err
	})
}

// blockedHere lists those of our part.
func (r *Runner) blockedHere(ctx context.Context) (here []BlockedStream, err error) {
	all, err := r.Blocked(ctx)
	for _, b := range all {
		if r.part.has(b.Stream) {
			here = append(here, b)
		}
	}
	return here, err
}

func (r *Runner) block(ctx context.Context, tx *Tx, e eventstore.Recorded, failure error) error {
	now := r.cfg.Now()
	r.cfg.Logger.ErrorContext(ctx, "event cannot be applied, its stream is blocked",
		"projection", r.Name(), "stream", e.Stream, "revision", e.Revision, "type", e.Type, "error", failure)
	return tx.Exec(ctx, `
		INSERT INTO blocked_streams (stream, revision, error, attempts, since, due_at) VALUES (?, ?, ?, 1, ?, ?)
		ON CONFLICT (stream) DO UPDATE SET revision = excluded.revision, error = excluded.error`,
		e.Stream, int64(e.Revision), failure.Error(), now.UnixMilli(), now.Add(firstRetry).UnixMilli())
}

// Retry tries the blocked streams that are due. A stream goes on from the
// event that failed to the read model's checkpoint, in one transaction.
func (r *Runner) Retry(ctx context.Context) error {
	blocked, err := r.blockedHere(ctx)
	if err != nil {
		return err
	}
	now := r.cfg.Now()
	var errs []error
	for _, b := range blocked {
		if b.DueAt.After(now) {
			continue
		}
		if err := r.retry(ctx, b); err != nil && !errors.Is(err, errBarrier) {
			errs = append(errs, fmt.Errorf("retry %s in %s: %w", b.Stream, r.Name(), err))
		}
	}
	return errors.Join(errs...)
}

func (r *Runner) retry(ctx context.Context, b BlockedStream) error {
	if err := r.lock(ctx); err != nil {
		return err
	}
	defer r.unlock()
	repairs, err := r.readRepairs(ctx) // somebody may have decided about the event
	if err != nil {
		return err
	}
	r.repairs = repairs
	failed, failure := b, error(nil)
	err = r.db.Tx(ctx, func(raw *sql.Tx) error {
		tx := r.tx(raw)
		for e, err := range r.cfg.Store.ReadStream(ctx, b.Stream, b.Revision) {
			if err != nil {
				return err
			}
			if e.Position > r.Position() {
				break // a page will bring it
			}
			if failure, err = r.applyRepaired(ctx, tx, e, repairs); err != nil {
				return err
			}
			if failure != nil {
				failed.Revision = e.Revision
				if err := r.postpone(ctx, tx, failed, failure); err != nil {
					return err
				}
				return r.fenced(ctx, tx, beyondAll, `position = position`)
			}
		}
		if err := tx.Exec(ctx, `DELETE FROM blocked_streams WHERE stream = ?`, b.Stream); err != nil {
			return err
		}
		return r.fenced(ctx, tx, beyondAll, `position = position`)
	})
	if err != nil {
		r.notSaved(err)
		return err
	}
	if failure == nil {
		delete(r.blocked, b.Stream)
		r.cfg.Logger.InfoContext(ctx, "stream is no longer blocked", "projection", r.Name(), "stream", b.Stream)
	}
	return nil
}

func (r *Runner) postpone(ctx context.Context, tx *Tx, b BlockedStream, failure error) error {
	wait := min(firstRetry<<min(b.Attempts, 16), maxRetry)
	return tx.Exec(ctx, `UPDATE blocked_streams SET revision = ?, error = ?, attempts = attempts + 1, due_at = ? WHERE stream = ?`,
		int64(b.Revision), failure.Error(), r.cfg.Now().Add(wait).UnixMilli(), b.Stream)
}

// Run retries blocked streams until the context ends. On Postgres it also takes
// the read model over as soon as no other process has it: without it nothing is
// applied there.
func (r *Runner) Run(ctx context.Context) error {
	if r.owner.lease == nil {
		r.retries(ctx)
		return nil
	}
	var watching sync.WaitGroup
	watching.Go(func() { r.watchOthers(ctx) })
	defer watching.Wait()
	r.hold(ctx)
	return nil
}

func (r *Runner) retries(ctx context.Context) {
	ticker := time.NewTicker(firstRetry)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-r.woken:
		}
		if err := r.Retry(ctx); err != nil && ctx.Err() == nil {
			r.cfg.Logger.WarnContext(ctx, "blocked streams could not be tried again", "error", err)
		}
	}
}
