package projections

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/waybill-dev/waybill/eventstore"
)

// in is how many parts a projection is to be brought forward in.
func (s *Set) in(p Projection) int {
	if _, ok := p.(PerStream); !ok || s.cfg.Server == nil || s.cfg.Partitions < 1 {
		return 1
	}
	return s.cfg.Partitions
}

// bring brings a version forward in as many parts as it is to have, until the
// context ends.
func (m *Model) bring(ctx context.Context, drive Drive, r *Runner) error {
	parts := m.set.in(m.projection)
	if _, ok := m.projection.(PerStream); !ok || r.owner.lease == nil {
		return drive(ctx, r)
	}
	for {
		if err := r.divide(ctx, parts); err != nil {
			return ended(ctx, err)
		}
		var err error
		if parts == 1 {
			err = r.undivided(ctx, drive)
		} else {
			err = newCrew(r, drive, parts).run(ctx)
		}
		if err != nil || ctx.Err() != nil {
			return ended(ctx, err)
		}
		r.cfg.Logger.WarnContext(ctx, "another process brings a read model forward in other parts; do they all have the same setting?",
			"projection", r.Name(), "parts", parts)
	}
}

func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// undivided drives a version as a whole until it is in parts.
func (r *Runner) undivided(ctx context.Context, drive Drive) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	driven := make(chan error, 1)
	go func() { driven <- drive(ctx, r) }()
	ticks := time.NewTicker(r.owner.lease.Interval())
	defer ticks.Stop()
	for {
		select {
		case err := <-driven:
			if err == nil && ctx.Err() == nil {
				err = errEnded
			}
			return err
		case <-ticks.C:
		}
		if parts, err := readParts(ctx, r.db.Write); err == nil && len(parts) > 0 {
			stop()
			return ignoreCancelled(<-driven)
		}
	}
}

func ignoreCancelled(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// divide brings a version into so many parts, as soon as nobody works on it any
// more in others: until then it waits.
func (r *Runner) divide(ctx context.Context, parts int) error {
	for told := false; ; {
		busy, err := r.tryDivide(ctx, parts)
		switch {
		case err != nil && ctx.Err() == nil:
			r.cfg.Logger.WarnContext(ctx, "cannot look in how many parts a read model is, will try again", "projection", r.Name(), "error", err)
		case err == nil && busy == "":
			return r.refresh(ctx)
		case err == nil && !told:
			r.cfg.Logger.InfoContext(ctx, "another process brings the read model forward in other parts, will wait for its end",
				"projection", r.Name(), "parts", parts, "by", busy)
			told = true
		}
		if err := pause(ctx, r.owner.lease.Interval()); err != nil {
			return err
		}
	}
}

func (r *Runner) refresh(ctx context.Context) error {
	r.writing.Lock()
	defer r.writing.Unlock()
	return r.remember(ctx)
}

// tryDivide changes the parts of a version, unless it is busy: then it says who
// works on it. All parts begin where the last one of the old ones was, so some
// events come again.
func (r *Runner) tryDivide(ctx context.Context, into int) (busy string, err error) {
	err = r.db.Tx(ctx, func(tx *sql.Tx) error {
		busy = ""
		parts, err := readParts(ctx, tx)
		if err != nil || max(len(parts), 1) == into {
			return err
		}
		lasting, args := r.owner.lease.Lasting("l")
		err = tx.QueryRowContext(ctx, `SELECT owner FROM leases l WHERE `+lasting+` LIMIT 1`, args...).Scan(&busy)
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		return r.redivide(ctx, tx, parts, into)
	})
	if err != nil {
		return "", fmt.Errorf("bring %s into %d parts: %w", r.Name(), into, err)
	}
	return busy, nil
}

// redivide writes other parts. Whoever had one writes nothing any more.
func (r *Runner) redivide(ctx context.Context, tx *sql.Tx, parts []progress, into int) error {
	exec := func(query string, args ...any) error {
		_, err := tx.ExecContext(ctx, query, args...)
		return err
	}
	if err := exec(`UPDATE leases SET epoch = epoch + 1, owner = ?, until = 0`, ""); err != nil {
		return err
	}
	if len(parts) > 0 {
		all := together(parts)
		err := exec(`UPDATE checkpoint SET position = ?, applied = ?, events = events + ?`, positionValue(all.position), millis(all.applied), all.events)
		if err != nil {
			return err
		}
	}
	if err := exec(`DELETE FROM partitions WHERE parts <> ?`, into); err != nil {
		return err
	}
	for n := 1; n <= into && into > 1; n++ {
		err := exec(`INSERT INTO partitions (part, parts, position, applied, events) SELECT ?, ?, position, applied, 0 FROM checkpoint`, n, into)
		if err != nil {
			return err
		}
	}
	return nil
}

func positionValue(p eventstore.Position) int64 { return int64(p) } //nolint:gosec // a log of 8 EiB is far
