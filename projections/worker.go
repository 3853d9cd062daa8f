package projections

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/waybill-dev/waybill/database"
	"github.com/waybill-dev/waybill/eventstore"
)

// workEvery is how often a process looks for rebuilds to do.
const workEvery = 500 * time.Millisecond

// wake lets the worker of this process look at once.
func (s *Set) wake() {
	select {
	case s.news <- struct{}{}:
	default:
	}
}

// Work builds read models anew, as they were told to be, and removes versions
// that are kept no longer, until the context ends. Of several processes one
// works on a read model.
func (s *Set) Work(ctx context.Context) error {
	w := &worker{set: s, jobs: map[string]*assignment{}}
	defer w.stop()
	looks, cleans := time.NewTicker(workEvery), time.NewTicker(useEvery)
	defer looks.Stop()
	defer cleans.Stop()
	for {
		if err := w.look(ctx); err != nil && ctx.Err() == nil {
			s.cfg.Logger.WarnContext(ctx, "cannot look which read models are to be built anew, will try again", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-looks.C:
		case <-s.news:
		case <-cleans.C:
			if err := s.clean(ctx); err != nil && ctx.Err() == nil {
				s.cfg.Logger.WarnContext(ctx, "cannot remove a version of a read model, will try again", "error", err)
			}
		}
	}
}

// worker does the rebuilds that are on this process.
type worker struct {
	set     *Set
	jobs    map[string]*assignment // by projection
	running sync.WaitGroup
}

type assignment struct {
	id       string
	stop     context.CancelFunc
	done     chan struct{}
	failures int
	position eventstore.Position // at the last failure
	until    time.Time           // not before
}

func (w *worker) stop() {
	for _, j := range w.jobs {
		j.stop()
	}
	w.running.Wait()
}

// look starts what is to be done and stops what is not.
func (w *worker) look(ctx context.Context) error {
	open, err := w.set.catalogue.openRebuilds(ctx)
	if err != nil {
		return err
	}
	wanted := map[string]bool{}
	for _, r := range open {
		m, err := w.set.Model(r.Projection)
		if err != nil || m.projection.Version() != r.Version.Code || r.wanted == wantedPause {
			continue // that is on other code
		}
		wanted[r.Projection] = true
		if j := w.jobs[r.Projection]; j != nil && (j.id != r.ID || r.wanted == wantedCancel) {
			j.stop()
		}
		w.begin(ctx, m, r)
	}
	for name, j := range w.jobs {
		if !wanted[name] {
			j.stop()
		}
	}
	return nil
}

// begin works on a rebuild, if this process does not do it yet.
func (w *worker) begin(ctx context.Context, m *Model, r Rebuild) {
	j := w.jobs[r.Projection]
	if j != nil {
		select {
		case <-j.done:
		default:
			return
		}
	}
	if j == nil || j.id != r.ID {
		j = &assignment{id: r.ID}
	}
	if w.set.cfg.Now().Before(j.until) && r.wanted != wantedCancel {
		return
	}
	ctx, j.stop = context.WithCancel(ctx)
	j.done = make(chan struct{})
	w.jobs[r.Projection] = j
	w.running.Go(func() {
		defer w.set.wake()
		defer close(j.done)
		defer j.stop()
		w.set.alone(ctx, r, func(ctx context.Context, fence fence) {
			if err := w.set.work(ctx, m, r, fence); err != nil && ctx.Err() == nil {
				w.failed(ctx, j, r, err)
			}
		})
	})
}

// maxFailures is how often a rebuild fails at the same place before it is given
// up, each time after another pause.
const (
	maxFailures  = 5
	failurePause = time.Second
)

func (w *worker) failed(ctx context.Context, j *assignment, r Rebuild, cause error) {
	c := w.set.catalogue
	now, err := c.rebuild(ctx, c.db.Read, r.Projection, r.Version.Code)
	if err == nil && now.Position > j.position {
		j.position, j.failures = now.Position, 0
	}
	j.failures++
	j.until = w.set.cfg.Now().Add(failurePause << j.failures)
	w.set.cfg.Logger.WarnContext(ctx, "a rebuild failed", "projection", r.Projection, "failures", j.failures, "error", cause)
	if j.failures >= maxFailures && !errors.Is(cause, database.ErrUnavailable) {
		err = c.finish(ctx, r, Failed, cause.Error())
		if r.Kind == Back {
			err = errors.Join(err, c.keepOn(ctx, r))
		}
	} else {
		_, err = c.db.Write.ExecContext(ctx, `UPDATE rebuilds SET error = ? WHERE projection = ? AND version = ? AND id = ?`,
			cause.Error(), r.Projection, r.Version.Code, r.ID)
	}
	if err != nil && ctx.Err() == nil {
		w.set.cfg.Logger.WarnContext(ctx, "cannot keep why a rebuild failed", "projection", r.Projection, "error", err)
	}
}

// fence is a condition of SQL, with its arguments, that is true as long as a
// rebuild is ours.
type fence func() (condition string, args []any)

func unfenced() (condition string, args []any) { return `1 = 1`, nil }

// alone does something while no other process does it: on files there is none.
func (s *Set) alone(ctx context.Context, r Rebuild, do func(context.Context, fence)) {
	if s.cfg.Server == nil {
		do(ctx, unfenced)
		return
	}
	lease, err := database.NewLease(ctx, database.LeaseConfig{
		DB: s.catalogue.db, Name: "rebuild of " + versionName(r.Projection, r.Version.Code), Owner: s.cfg.Owner, For: s.cfg.Lease, Now: s.cfg.LeaseNow, Logger: s.cfg.Logger,
	})
	if err != nil {
		s.cfg.Logger.WarnContext(ctx, "cannot take a rebuild, will try again", "projection", r.Projection, "error", err)
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lease.Hold(ctx, func(ctx context.Context, epoch int64) {
		defer cancel()
		do(ctx, func() (string, []any) { return lease.Fence(epoch) })
	})
}

// finish ends a rebuild, unless something else is wanted of it since it was
// begun on: one that is to be cancelled is, and one that is to be swapped in
// whatever the comparison says does not end with what it said.
func (c *Catalogue) finish(ctx context.Context, r Rebuild, state RebuildState, cause string) error {
	_, err := c.db.Write.ExecContext(ctx, `UPDATE rebuilds SET state = ?, error = ?, ended_at = ? WHERE projection = ? AND version = ? AND id = ? AND ended_at = 0
		AND (wanted <> 'cancel' OR ? = 'cancelled') AND (accept = 0 OR ? <> 'different')`,
		string(state), cause, millis(c.cfg.Now()), r.Projection, r.Version.Code, r.ID, string(state), string(state))
	if err != nil {
		return fmt.Errorf("end the rebuild of %s: %w", r.Projection, err)
	}
	return nil
}

func (c *Catalogue) enter(ctx context.Context, r Rebuild, state RebuildState) error {
	_, err := c.db.Write.ExecContext(ctx, `UPDATE rebuilds SET state = ?, error = '' WHERE projection = ? AND version = ? AND id = ? AND ended_at = 0`,
		string(state), r.Projection, r.Version.Code, r.ID)
	if err != nil {
		return fmt.Errorf("say where the rebuild of %s stands: %w", r.Projection, err)
	}
	return nil
}

func (c *Catalogue) keepComparison(ctx context.Context, r Rebuild, compared *Comparison) error {
	text, err := json.Marshal(compared)
	if err != nil {
		return err
	}
	_, err = c.db.Write.ExecContext(ctx, `UPDATE rebuilds SET compared = ? WHERE projection = ? AND version = ? AND id = ?`,
		string(text), r.Projection, r.Version.Code, r.ID)
	if err != nil {
		return fmt.Errorf("keep what the comparison of %s found: %w", r.Projection, err)
	}
	return nil
}

// discard removes what a rebuild made and ends it.
func (s *Set) discard(ctx context.Context, r Rebuild, state RebuildState) error {
	if r.Kind == Back { // what it worked on stays kept
		return errors.Join(s.catalogue.keepOn(ctx, r), s.catalogue.finish(ctx, r, state, ""))
	}
	if err := s.catalogue.remove(ctx, r.Projection, r.Version.Code, r.Version.Build); err != nil {
		return err
	}
	return s.catalogue.finish(ctx, r, state, "")
}

// keepOn keeps a version that was not gone back to for as long as if it had just
// been replaced. Nobody would remove it otherwise.
func (c *Catalogue) keepOn(ctx context.Context, r Rebuild) error {
	_, err := c.db.Write.ExecContext(ctx, `UPDATE versions SET keep_until = ? WHERE projection = ? AND version = ? AND build = ? AND state = 'kept'`,
		millis(c.cfg.Now().Add(keepFor)), r.Projection, r.Version.Code, r.Version.Build)
	return err
}

// clean removes versions that nobody wants any more: those kept for long
// enough, those of rebuilds that are over, and those of code that no program
// has any more.
func (s *Set) clean(ctx context.Context) error {
	now := s.cfg.Now()
	rows, err := s.catalogue.db.Read.QueryContext(ctx, `
		SELECT v.projection, v.version, v.build FROM versions v
		WHERE v.state = 'kept' AND v.keep_until > 0 AND v.keep_until < ?
			OR v.state = 'building' AND v.changed_at < ? AND NOT EXISTS (
				SELECT 1 FROM rebuilds r WHERE r.projection = v.projection AND r.version = v.version AND r.build = v.build AND (r.ended_at = 0 OR r.state = 'different'))
			OR v.state = 'live' AND v.used_at < ? AND EXISTS (
				SELECT 1 FROM versions n WHERE n.projection = v.projection AND n.version > v.version AND n.state = 'live' AND n.changed_at < ?)`,
		millis(now), millis(now.Add(-useEvery)), millis(now.Add(-keepFor)), millis(now.Add(-keepFor)))
	type one struct {
		projection  string
		code, build int
	}
	list, err := rowsOf(rows, err, func(rows *sql.Rows) (o one, err error) { return o, rows.Scan(&o.projection, &o.code, &o.build) })
	for _, o := range list {
		if m, unknown := s.Model(o.projection); unknown == nil && m.Live().Version() == (Version{Code: o.code, Build: o.build}) {
			continue // we have not followed a swap yet
		}
		err = errors.Join(err, s.catalogue.remove(ctx, o.projection, o.code, o.build))
	}
	return err
}
