package projections

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/eventstore"
)

// PerStream is a projection each row of which follows from the events of one
// stream alone: it may be brought forward in parts, each of them some of the
// streams, by several processes at once. Its rows must stay right when events
// that were applied come again after later ones of other streams.
type PerStream interface{ PerStream() }

// Partition tells which of so many parts a stream belongs to, from 1: the
// FNV-1a hash of its name, 64 bits, modulo the number of parts. It is stored
// how far each part is, so this never changes.
func Partition(stream string, of int) int {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(stream))       // never fails
	return int(hash.Sum64()%uint64(of)) + 1 //nolint:gosec // a small number
}

// partition is some of the streams of a read model; the zero value is all of them.
type partition struct{ number, of int }

func (p partition) has(stream string) bool { return p.of == 0 || Partition(stream, p.of) == p.number }

// lease is the name of the right to bring a part forward.
func (p partition) lease() string {
	if p.of == 0 {
		return wholeLease
	}
	return fmt.Sprintf("part %d of %d", p.number, p.of)
}

const wholeLease = "projection"

// partitioning is kept beside the rows of a version that is brought forward in
// parts: then there is a row for each, and what the checkpoint says is of the
// time when there were none.
const partitioning = `
CREATE TABLE IF NOT EXISTS partitions (
  part     INTEGER PRIMARY KEY, -- from 1
  parts    INTEGER NOT NULL,    -- that there are
  position INTEGER NOT NULL,
  applied  INTEGER NOT NULL,    -- as of the checkpoint
  events   INTEGER NOT NULL
)`

// readPosition is how far all parts are.
const readPosition = `SELECT coalesce((SELECT min(position) FROM partitions), position) FROM checkpoint`

// progress is how far a part is.
type progress struct {
	partition

	position eventstore.Position
	applied  time.Time
	events   int64
}

type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// readParts lists how far the parts are, by number; none where a version is in
// one.
func readParts(ctx context.Context, db queryer) ([]progress, error) {
	rows, err := db.QueryContext(ctx, `SELECT part, parts, position, applied, events FROM partitions ORDER BY part`)
	return rowsOf(rows, err, func(rows *sql.Rows) (p progress, err error) {
		var applied int64
		err = rows.Scan(&p.number, &p.of, &p.position, &applied, &p.events)
		p.applied = fromMillis(applied)
		return p, err
	})
}

// together is how far all of it is: everything up to the smallest position
// shows.
func together(parts []progress) (all progress) {
	for i, p := range parts {
		if i == 0 || p.position < all.position {
			all.position = p.position
		}
		if p.applied.After(all.applied) {
			all.applied = p.applied
		}
		all.events += p.events
	}
	return all
}

// lane is a runner for one part. It shares the database of the whole, which is
// closed with that.
func (r *Runner) lane(ctx context.Context, p partition) (*Runner, error) {
	lane := newRunner(r.projection, r.cfg, r.db.Section(p.number, p.of))
	lane.part, lane.whole = p, r
	if err := lane.openOwnership(ctx); err != nil {
		return nil, err
	}
	return lane, lane.remember(ctx)
}

// laneOf is the runner that may look at a stream: of the whole, or of its part.
func (r *Runner) laneOf(ctx context.Context, stream string) (*Runner, error) {
	parts, err := readParts(ctx, r.db.Write)
	if err != nil || len(parts) == 0 {
		return r, err
	}
	return r.lane(ctx, partition{Partition(stream, len(parts)), len(parts)})
}

// errOtherParts says that a version is in other parts than it was.
var errOtherParts = errors.New("the read model is brought forward in other parts")

// rememberPart reads how far a part is.
func (r *Runner) rememberPart(ctx context.Context) (p progress, err error) {
	var applied int64
	row := r.db.Write.QueryRowContext(ctx, `SELECT position, applied, events FROM partitions WHERE part = ? AND parts = ?`, r.part.number, r.part.of)
	err = row.Scan(&p.position, &applied, &p.events)
	if errors.Is(err, sql.ErrNoRows) {
		err = errOtherParts
	}
	p.partition, p.applied = r.part, fromMillis(applied)
	return p, err
}

// rememberWhole reads how far all of it is.
func (r *Runner) rememberWhole(ctx context.Context) (p progress, err error) {
	var applied int64
	row := r.db.Write.QueryRowContext(ctx, `SELECT position, applied, events FROM checkpoint`)
	if err := row.Scan(&p.position, &applied, &p.events); err != nil {
		return p, err
	}
	p.applied = fromMillis(applied)
	parts, err := readParts(ctx, r.db.Write)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.before, r.parts = p.events, parts
	return r.all(p), err
}

// all is how far the parts are together, and p where there are none; r.mu is
// held.
func (r *Runner) all(p progress) progress {
	if len(r.parts) == 0 {
		return p
	}
	p = together(r.parts)
	p.events += r.before
	return p
}

// advanced is told how far a part is that this process brings forward.
func (r *Runner) advanced(p progress) {
	r.mu.Lock()
	if len(r.parts) != p.of {
		r.mu.Unlock()
		return // it is about to be in others
	}
	r.parts = slices.Clone(r.parts)
	r.parts[p.number-1] = p
	all := r.all(p)
	r.mu.Unlock()
	r.advance(all.position, all.applied, all.events)
}

// positions tells of each stream how far it is.
func (r *Runner) positions() func(stream string) eventstore.Position {
	r.mu.Lock()
	defer r.mu.Unlock()
	parts, position := r.parts, r.position
	return func(stream string) eventstore.Position {
		if len(parts) == 0 {
			return position
		}
		return parts[Partition(stream, len(parts))-1].position
	}
}
