package projections

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/waybill-dev/waybill/database"
	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/eventstore"
)

// RebuildKind is what a rebuild is for.
type RebuildKind string

// What a rebuild may be for.
const (
	Anew   RebuildKind = "rebuild" // fill the next version and swap it in
	Verify RebuildKind = "verify"  // fill one, compare it, and throw it away
	Back   RebuildKind = "back"    // go back to a version that was kept
)

// RebuildState is where a rebuild stands.
type RebuildState string

// Where a rebuild may stand.
const (
	Filling   RebuildState = "filling"
	Comparing RebuildState = "comparing"
	Swapping  RebuildState = "swapping"
	Swapped   RebuildState = "swapped"   // it is the live one
	Verified  RebuildState = "verified"  // compared, which was all
	Different RebuildState = "different" // compared, not equal, and so not swapped: accept it or not
	Cancelled RebuildState = "cancelled"
	Failed    RebuildState = "failed"
)

// RebuildOptions say how to build a read model anew.
type RebuildOptions struct {
	ID     string // the same again is the same rebuild
	Kind   RebuildKind
	Accept bool // swaps whatever the comparison says
	Rate   int  // the most events in a second; 0 is as many as there are
	By     string
}

// Rebuild is a rebuild that goes on or is over.
type Rebuild struct {
	Projection  string
	Version     Version // that is filled
	ID          string
	Kind        RebuildKind
	Accept      bool
	Rate        int
	Paused      bool
	State       RebuildState
	Error       string // of the last attempt, where it is not over
	Position    eventstore.Position
	Head        eventstore.Position // of the log, as it was last seen
	Events      int64
	Worked      time.Duration // filling
	Compared    *Comparison   // nil is not yet
	RequestedBy string
	RequestedAt time.Time
	EndedAt     time.Time

	wanted string
}

// What is wanted of a rebuild.
const (
	wantedRun    = "run"
	wantedPause  = "pause"
	wantedCancel = "cancel"
)

// Ended reports whether nothing more happens by itself.
func (r Rebuild) Ended() bool { return !r.EndedAt.IsZero() }

// Equal reports whether it was compared and no difference was found.
func (r Rebuild) Equal() bool { return r.Compared != nil && r.Compared.Equal }

// PerSecond is how many events were applied in a second.
func (r Rebuild) PerSecond() float64 {
	if r.Worked <= 0 {
		return 0
	}
	return float64(r.Events) / r.Worked.Seconds()
}

// Progress is the share of the log that is done, from 0 to 1.
func (r Rebuild) Progress() float64 {
	switch {
	case r.State == Swapped || r.State == Verified || r.State == Different:
		return 1
	case r.Head == 0:
		return 0
	}
	return min(float64(r.Position)/float64(r.Head), 1)
}

// Left is how long the rest of the log takes, as it looks; 0 is unknown.
func (r Rebuild) Left() time.Duration {
	done := r.Progress()
	if done <= 0 || done >= 1 || r.Ended() {
		return 0
	}
	return time.Duration(float64(r.Worked) * (1 - done) / done)
}

// Refusals of rebuilds.
var (
	ErrRebuilding = domain.Rule("rebuild-in-progress", "the read model is being built anew already")
	ErrNoRebuild  = domain.Rule("rebuild-not-found", "the read model was not built anew, or that is over")
	ErrNoneKept   = domain.Rule("version-not-kept", "no earlier version of the read model is kept")
)

const rebuildColumns = `projection, version, id, kind, accept, rate, build, wanted, state, error, position, head, events, worked, compared,
	requested_by, requested_at, ended_at`

func scanRebuild[R database.Row](row R) (r Rebuild, err error) {
	var accept, worked, requested, ended int64
	var compared string
	err = row.Scan(&r.Projection, &r.Version.Code, &r.ID, &r.Kind, &accept, &r.Rate, &r.Version.Build, &r.wanted, &r.State, &r.Error,
		&r.Position, &r.Head, &r.Events, &worked, &compared, &r.RequestedBy, &requested, &ended)
	if err != nil {
		return r, err
	}
	r.Accept, r.Paused, r.Worked = accept != 0, r.wanted == wantedPause, time.Duration(worked)*time.Millisecond
	r.RequestedAt, r.EndedAt = fromMillis(requested), fromMillis(ended)
	if compared != "" {
		r.Compared = &Comparison{}
		err = json.Unmarshal([]byte(compared), r.Compared)
	}
	return r, err
}

// StartRebuild begins to build a read model anew, or to go back to the version
// that was live before. Some process that runs projections does it.
func (s *Set) StartRebuild(ctx context.Context, name string, o RebuildOptions) (Rebuild, error) {
	m, err := s.Model(name)
	if err != nil {
		return Rebuild{}, err
	}
	code := m.projection.Version()
	err = s.catalogue.db.Tx(ctx, func(tx *sql.Tx) error {
		last, err := s.catalogue.rebuild(ctx, tx, name, code)
		if err == nil && last.ID == o.ID {
			return last.asked(o)
		}
		if err == nil && !last.Ended() {
			return ErrRebuilding
		}
		if err != nil && !errors.Is(err, ErrNoRebuild) {
			return err
		}
		build, err := s.catalogue.buildFor(ctx, tx, name, code, o.Kind)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `
			INSERT INTO rebuilds (`+rebuildColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, 'run', 'filling', '', 0, 0, 0, 0, '', ?, ?, 0)
			ON CONFLICT (projection, version) DO UPDATE SET id = excluded.id, kind = excluded.kind, accept = excluded.accept, rate = excluded.rate,
				build = excluded.build, wanted = 'run', state = 'filling', error = '', position = 0, head = 0, events = 0, worked = 0, compared = '',
				requested_by = excluded.requested_by, requested_at = excluded.requested_at, ended_at = 0`,
			name, code, o.ID, string(o.Kind), o.Accept, o.Rate, build, o.By, millis(s.cfg.Now()))
		return err
	})
	if err != nil {
		return Rebuild{}, fmt.Errorf("build %s anew: %w", name, err)
	}
	s.wake()
	return s.Rebuild(ctx, name)
}

// asked refuses another request than the one that began a rebuild. That its
// differences were accepted may have come later.
func (r Rebuild) asked(o RebuildOptions) error {
	if r.Kind != o.Kind || r.Rate != o.Rate || o.Accept && !r.Accept {
		return domain.ErrKeyReused
	}
	return nil
}

// buildFor returns which version a rebuild works on.
func (c *Catalogue) buildFor(ctx context.Context, tx *sql.Tx, name string, code int, kind RebuildKind) (build int, err error) {
	if kind != Back {
		return c.nextBuild(ctx, tx, name, code)
	}
	row := tx.QueryRowContext(ctx, `SELECT build FROM versions WHERE projection = ? AND version = ? AND state = 'kept' ORDER BY changed_at DESC, build DESC LIMIT 1`, name, code)
	if err = row.Scan(&build); errors.Is(err, sql.ErrNoRows) {
		return 0, ErrNoneKept
	}
	if err != nil {
		return 0, err
	}
	_, err = tx.ExecContext(ctx, `UPDATE versions SET keep_until = 0 WHERE projection = ? AND version = ? AND build = ?`, name, code, build)
	return build, err
}

// Rebuild returns the last rebuild of a read model, or [ErrNoRebuild]. What it
// says is swapped in is what this process reads.
func (s *Set) Rebuild(ctx context.Context, name string) (Rebuild, error) {
	m, err := s.Model(name)
	if err != nil {
		return Rebuild{}, err
	}
	r, err := s.catalogue.rebuild(ctx, s.catalogue.db.Read, name, m.projection.Version())
	if err == nil && r.State == Swapped && m.Live().Version().Build != r.Version.Build {
		err = s.look(ctx) // it is read a moment later, and in other processes when they look
	}
	return r, err
}

type rowReader interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func (c *Catalogue) rebuild(ctx context.Context, from rowReader, name string, code int) (Rebuild, error) {
	r, err := scanRebuild(from.QueryRowContext(ctx, `SELECT `+rebuildColumns+` FROM rebuilds WHERE projection = ? AND version = ?`, name, code))
	if errors.Is(err, sql.ErrNoRows) {
		return r, ErrNoRebuild
	}
	if err != nil {
		return r, fmt.Errorf("read the rebuild of %s: %w", name, err)
	}
	return r, nil
}

// openRebuilds lists those that are not over.
func (c *Catalogue) openRebuilds(ctx context.Context) ([]Rebuild, error) {
	rows, err := c.db.Read.QueryContext(ctx, `SELECT `+rebuildColumns+` FROM rebuilds WHERE ended_at = 0`)
	return rowsOf(rows, err, scanRebuild[*sql.Rows])
}

// PauseRebuild stops a rebuild where it is, until it is resumed.
func (s *Set) PauseRebuild(ctx context.Context, name string) (Rebuild, error) {
	return s.want(ctx, name, `UPDATE rebuilds SET wanted = 'pause' WHERE ended_at = 0 AND wanted <> 'cancel'`)
}

// ResumeRebuild lets a rebuild go on that was paused.
func (s *Set) ResumeRebuild(ctx context.Context, name string) (Rebuild, error) {
	return s.want(ctx, name, `UPDATE rebuilds SET wanted = 'run' WHERE ended_at = 0 AND wanted <> 'cancel'`)
}

// CancelRebuild ends a rebuild and throws away what it made, also of one that
// found differences.
func (s *Set) CancelRebuild(ctx context.Context, name string) (Rebuild, error) {
	return s.want(ctx, name, `UPDATE rebuilds SET wanted = 'cancel', ended_at = 0 WHERE (ended_at = 0 OR state = 'different')`)
}

// AcceptRebuild swaps in what a rebuild has made although it is not equal.
func (s *Set) AcceptRebuild(ctx context.Context, name string) (Rebuild, error) {
	return s.want(ctx, name, `UPDATE rebuilds SET accept = 1, wanted = 'run', state = CASE WHEN state = 'different' THEN 'filling' ELSE state END, ended_at = 0
		WHERE (ended_at = 0 AND wanted <> 'cancel' OR state = 'different' AND ended_at <> 0) AND kind <> 'verify'`)
}

func (s *Set) want(ctx context.Context, name, change string) (Rebuild, error) {
	m, err := s.Model(name)
	if err != nil {
		return Rebuild{}, err
	}
	result, err := s.catalogue.db.Write.ExecContext(ctx, change+` AND projection = ? AND version = ?`, name, m.projection.Version())
	if err != nil {
		return Rebuild{}, fmt.Errorf("change the rebuild of %s: %w", name, err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return Rebuild{}, errors.Join(err, ErrNoRebuild)
	}
	s.wake()
	return s.Rebuild(ctx, name)
}
