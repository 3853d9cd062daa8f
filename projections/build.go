package projections

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/waybill-dev/waybill/eventstore"
)

// LateIndexes is a projection whose Apply does without the indexes of some
// tables, other than those of keys: a rebuild makes them when all rows are
// there, which is far less work than to keep them up to date.
type LateIndexes interface{ LateIndexes() (tables []string) }

const lateIndexes = `
CREATE TABLE IF NOT EXISTS late_indexes (
  name TEXT PRIMARY KEY,
  text TEXT NOT NULL -- the statement that makes it
)`

// putIndexesOff drops indexes of a version that is empty until
// [Runner.makeIndexes]. They are remembered beside the rows. An index that
// keeps rows apart stays: without it an event would be applied that the live
// version refuses.
func (r *Runner) putIndexesOff(ctx context.Context) error {
	late, ok := r.projection.(LateIndexes)
	if !ok || r.Position() > 0 {
		return nil
	}
	if err := r.db.Script(ctx, lateIndexes); err != nil {
		return err
	}
	return r.db.Tx(ctx, func(tx *sql.Tx) error {
		for _, table := range late.LateIndexes() {
			indexes, err := r.db.Indexes(ctx, tx, table)
			if err != nil {
				return err
			}
			for _, index := range indexes {
				if strings.HasPrefix(index.SQL, "CREATE UNIQUE") {
					continue
				}
				if _, err := tx.ExecContext(ctx, `INSERT INTO late_indexes (name, text) VALUES (?, ?)`, index.Name, index.SQL); err != nil {
					return err
				}
				if _, err := tx.ExecContext(ctx, `DROP INDEX `+index.Name); err != nil {
					return fmt.Errorf("put index %s off: %w", index.Name, err)
				}
			}
			filling, filled, err := r.db.FullText(ctx, tx, table)
			if err != nil {
				return err
			}
			if filled == "" {
				continue
			}
			if _, err := tx.ExecContext(ctx, filling); err != nil {
				return fmt.Errorf("put the words of %s off: %w", table, err)
			}
			// A rebuild that was interrupted before its first page comes here again.
			if _, err := tx.ExecContext(ctx, `INSERT INTO late_indexes (name, text) VALUES (?, ?) ON CONFLICT DO NOTHING`, table, filled); err != nil {
				return err
			}
		}
		return nil
	})
}

// makeIndexes makes the indexes that were put off, each at once or not at all.
func (r *Runner) makeIndexes(ctx context.Context) error {
	if _, ok := r.projection.(LateIndexes); !ok {
		return nil
	}
	if err := r.db.Script(ctx, lateIndexes); err != nil {
		return err
	}
	rows, err := r.db.Read.QueryContext(ctx, `SELECT name, text FROM late_indexes ORDER BY name`)
	list, err := rowsOf(rows, err, func(rows *sql.Rows) (index [2]string, err error) { return index, rows.Scan(&index[0], &index[1]) })
	if err != nil {
		return err
	}
	for _, index := range list {
		err := r.db.Tx(ctx, func(tx *sql.Tx) error {
			if err := r.db.Indexing(ctx, tx); err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, index[1]); err != nil {
				return err
			}
			_, err := tx.ExecContext(ctx, `DELETE FROM late_indexes WHERE name = ?`, index[0])
			return err
		})
		if err != nil {
			return fmt.Errorf("make index %s: %w", index[0], err)
		}
	}
	return nil
}

// filling writes many rows: indexes are made after them, and then the database
// is told what it has. Beside live work indexes are kept up to date instead: to
// make one is a single statement, which does not rest.
func (r *Runner) filling(ctx context.Context, live bool, write func() error) (err error) {
	if !live {
		if err := r.putIndexesOff(ctx); err != nil {
			return err
		}
	}
	over, err := r.db.Filling(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, over()) }()
	if err := write(); err != nil {
		return err
	}
	if err := r.makeIndexes(ctx); err != nil {
		return err
	}
	return r.db.Analyze(ctx)
}

// frozen is a version that nobody brings forward until it is thawed.
type frozen struct {
	at    eventstore.Position // of parts that stand at one
	parts int                 // that it is in; 0 is none
	thaw  func()
	leave func()                      // lets it stand for a while yet: as long as a lease lasts
	still func(context.Context) error // tells if somebody does all the same
}

// freeze lets nobody bring a version forward until it is thawed: whoever does
// finds, as after the end of a lease, that it is not theirs.
func (r *Runner) freeze(ctx context.Context) (frozen, error) {
	lease := r.owner.lease
	if lease == nil {
		r.writing.Lock()
		return frozen{thaw: r.writing.Unlock, leave: r.writing.Unlock, still: func(context.Context) error { return nil }}, nil
	}
	for {
		parts, err := readParts(ctx, r.db.Write)
		if err != nil {
			return frozen{}, err
		}
		stand := r.standstill
		if len(parts) == 0 {
			stand = func(ctx context.Context) (frozen, error) { return r.seize(ctx, lease) }
		}
		standing, err := stand(ctx)
		if err != nil {
			return frozen{}, err
		}
		now, err := readParts(ctx, r.db.Write) // which stay as they are while we have a lease
		if err == nil && len(now) == len(parts) {
			standing.parts = len(parts)
			return standing, nil
		}
		standing.thaw()
		if err != nil {
			return frozen{}, err
		}
	}
}
