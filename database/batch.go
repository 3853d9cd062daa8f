package database

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Batch runs statements whose answers nobody waits for. On Postgres they are
// sent together, which saves the way there and back for each; SQLite has no such
// way, and runs them at once. A statement that failed shows at the latest in
// [Batch.Flush]; on Postgres its transaction is lost then.
type Batch struct {
	tx       *sql.Tx
	together bool
	queued   []queued
	affected int64
}

type queued struct {
	query string
	args  []any
}

// mostQueued is how many statements are sent together at most.
const mostQueued = 500

// Batch returns one for a transaction of this database.
func (db *DB) Batch(tx *sql.Tx) *Batch { return &Batch{tx: tx, together: db.server != nil} }

// Exec runs a statement, or keeps it to be run before the next [Batch.Flush]
// returns.
func (b *Batch) Exec(ctx context.Context, query string, args ...any) error {
	if !b.together {
		result, err := b.tx.ExecContext(ctx, query, args...)
		if err == nil {
			b.affected, err = result.RowsAffected()
		}
		return err
	}
	b.queued = append(b.queued, queued{query, args})
	if len(b.queued) < mostQueued {
		return nil
	}
	return b.Flush(ctx)
}

// Flush runs what was kept.
func (b *Batch) Flush(ctx context.Context) error {
	if len(b.queued) == 0 {
		return nil
	}
	statements := b.queued
	b.queued = b.queued[:0]
	result, err := b.tx.ExecContext(ctx, "", together(statements))
	if err == nil {
		b.affected, err = result.RowsAffected()
	}
	return err
}

// Affected is how many rows the last statement changed, after a Flush.
func (b *Batch) Affected() int64 { return b.affected }

// together are statements that go to [pgConn] as the argument of one.
type together []queued

// send runs statements that are sent together.
func (c *pgConn) send(ctx context.Context, statements together) (driver.Result, error) {
	var batch pgx.Batch
	for _, s := range statements {
		args := make([]any, len(s.args))
		for i, arg := range s.args {
			var err error
			if args[i], err = postgresValue(arg); err != nil {
				return nil, fmt.Errorf("argument %d: %w", i+1, err)
			}
		}
		batch.Queue(c.schema.text(s.query), args...)
	}
	results := c.Conn.Conn().SendBatch(ctx, &batch)
	var affected int64
	for range statements {
		tag, err := results.Exec()
		if err != nil {
			_ = results.Close() // it is the same error
			return nil, c.explained(ctx, err)
		}
		affected = tag.RowsAffected()
	}
	return driver.RowsAffected(affected), c.explained(ctx, results.Close())
}
