package projections

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/database"
	"github.com/waybill-dev/waybill/eventstore"
)

// errNotOurs says that another process brings the read model forward.
var errNotOurs = errors.New("another process has taken over the read model")

// ownership is which process brings a read model forward. A file belongs to
// whoever has it open; in a Postgres it is decided by a lease, and whoever has
// lost that writes nothing any more.
type ownership struct {
	lease *database.Lease // nil where the file decides
	epoch int64           // of the lease, 0 while it is not ours; guarded by Runner.writing
	// unsure is set when nobody knows whether the last page was kept, or what
	// others have done meanwhile; guarded by Runner.writing.
	unsure  bool
	quit    context.CancelFunc // ends this hold of the lease; guarded by Runner.writing
	changed chan struct{}      // closed when the lease is taken; guarded by Runner.mu
}

func (r *Runner) openOwnership(ctx context.Context) (err error) {
	r.owner.changed = make(chan struct{})
	if !r.db.Shared() {
		return nil
	}
	if r.whole == nil {
		if err := r.db.Script(ctx, workers+`;`+barrier); err != nil {
			return err
		}
	}
	r.owner.lease, err = database.NewLease(ctx, database.LeaseConfig{
		DB: r.db, Name: r.part.lease(), Owner: r.cfg.Owner, For: r.cfg.Lease, Now: r.cfg.LeaseNow, Logger: r.cfg.Logger.With("projection", r.Name()),
	})
	return err
}

// lock returns when it is on us to write, and keeps others of this process from
// it until [Runner.unlock].
func (r *Runner) lock(ctx context.Context) error {
	for {
		r.mu.Lock()
		changed := r.owner.changed
		r.mu.Unlock()
		r.writing.Lock()
		if r.owner.lease == nil || r.owner.epoch > 0 {
			if err := r.beSure(ctx); err != nil {
				r.writing.Unlock()
				return err
			}
			return nil
		}
		r.writing.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (r *Runner) unlock() { r.writing.Unlock() }

// beSure reads what is kept, where it may be other than we remember.
func (r *Runner) beSure(ctx context.Context) error {
	if !r.owner.unsure {
		return nil
	}
	if err := r.remember(ctx); err != nil {
		return err
	}
	r.owner.unsure = false
	return nil
}

// fenced changes how far we are, and makes a transaction fail that comes too
// late, or goes through where somebody does not want it to go. It is the last of
// its statements: no other process can take over until it has ended.
func (r *Runner) fenced(ctx context.Context, tx *Tx, through eventstore.Position, set string, args ...any) error {
	if r.owner.lease == nil {
		return tx.Exec(ctx, `UPDATE checkpoint SET `+set, args...)
	}
	fence, more := r.owner.lease.Fence(r.owner.epoch)
	query := `UPDATE checkpoint SET ` + set + ` WHERE NOT EXISTS (SELECT 1 FROM partitions) AND ` + fence
	if r.whole != nil {
		inTheWay, barred := r.inTheWay(through)
		query = `UPDATE partitions SET ` + set + ` WHERE part = ? AND parts = ? AND NOT EXISTS (` + inTheWay + `) AND ` + fence
		args = slices.Concat(args, []any{r.part.number, r.part.of}, barred)
	}
	if err := tx.Exec(ctx, query, append(args, more...)...); err != nil {
		return err
	}
	if err := tx.flush(ctx); err != nil {
		return err
	}
	if tx.batch.Affected() > 0 {
		return nil
	}
	if r.whole == nil {
		return errNotOurs
	}
	return r.whyNot(ctx, tx)
}

// whyNot tells why a part could not be moved: it is another's, or there are
// other parts. Otherwise a barrier was in the way, which may be gone by now.
func (r *Runner) whyNot(ctx context.Context, tx *Tx) error {
	fence, args := r.owner.lease.Fence(r.owner.epoch)
	var ours int
	err := tx.tx.QueryRowContext(ctx, `SELECT count(*) FROM partitions WHERE part = ? AND parts = ? AND `+fence,
		append([]any{r.part.number, r.part.of}, args...)...).Scan(&ours)
	switch {
	case err != nil:
		return err
	case ours == 0:
		return errNotOurs
	}
	return errBarrier
}

// notSaved notes that a transaction failed: what is kept has to be read before
// the next one, and a lease that another process took is not ours.
func (r *Runner) notSaved(err error) {
	r.owner.unsure = r.owner.lease != nil
	if errors.Is(err, errNotOurs) {
		r.owner.epoch = 0
		if r.owner.quit != nil {
			r.owner.quit() // so that it is taken again, should it still be ours
		}
	}
}

// hold brings the read model forward whenever the lease is ours.
func (r *Runner) hold(ctx context.Context) {
	r.owner.lease.Hold(ctx, func(ctx context.Context, epoch int64) {
		ctx, quit := context.WithCancel(ctx)
		defer quit()
		r.writing.Lock()
		r.owner.epoch, r.owner.unsure, r.owner.quit = epoch, true, quit
		err := r.begin(ctx)
		r.writing.Unlock()
		if err != nil {
			r.cfg.Logger.WarnContext(ctx, "cannot take over a read model, will try again", "projection", r.Name(), "error", err)
			r.disown()
			return
		}
		r.mu.Lock()
		close(r.owner.changed)
		r.owner.changed = make(chan struct{})
		r.mu.Unlock()
		r.retries(ctx)
		r.disown()
	})
}

func (r *Runner) disown() {
	r.writing.Lock()
	r.owner.epoch = 0
	r.writing.Unlock()
}

// Watch keeps the position up to date while other processes move it, for a
// process that does not run the projection itself.
func (r *Runner) Watch(ctx context.Context) error {
	r.watchOthers(ctx)
	return nil
}

func (r *Runner) watchOthers(ctx context.Context) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		r.writing.Lock()
		if r.owner.epoch == 0 {
			if err := r.remember(ctx); err != nil && ctx.Err() == nil {
				r.cfg.Logger.WarnContext(ctx, "cannot read how far a read model is", "projection", r.Name(), "error", err)
			}
		}
		r.writing.Unlock()
	}
}
