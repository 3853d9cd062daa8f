package database

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Batch runs statements that do not need each other's answers. On Postgres they
// are sent together, which saves the way there and back for each; SQLite has no
// such way, and runs them at once. A statement that failed shows at the latest in
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
	read  func(Row) error // nil where only its effect is wanted
}

// Row is what a statement answers with. It is scanned once, into what is of the
// same kind: Postgres makes no bool of a number.
type Row interface{ Scan(into ...any) error }

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
	return b.keep(ctx, queued{query: query, args: args})
}

// QueryRow runs a statement like [Batch.Exec], and has its row read before the
// next [Batch.Flush] returns. Where there is none Scan returns [sql.ErrNoRows].
// An error of read is one of the statement.
func (b *Batch) QueryRow(ctx context.Context, read func(Row) error, query string, args ...any) error {
	if !b.together {
		return read(b.tx.QueryRowContext(ctx, query, args...))
	}
	return b.keep(ctx, queued{query, args, read})
}

func (b *Batch) keep(ctx context.Context, statement queued) error {
	b.queued = append(b.queued, statement)
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
	for _, s := range statements {
		n, err := s.answer(results)
		if err != nil {
			_ = results.Close() // it is the same error
			return nil, c.explained(ctx, err)
		}
		affected = n
	}
	return driver.RowsAffected(affected), c.explained(ctx, results.Close())
}

// answer takes what the server says of a statement.
func (s queued) answer(results pgx.BatchResults) (affected int64, err error) {
	if s.read != nil {
		return 0, s.read(results.QueryRow())
	}
	tag, err := results.Exec()
	return tag.RowsAffected(), err
}
