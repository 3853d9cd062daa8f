// Package projections turns the log into read models. Each has its own
// database, its checkpoint in it, and is brought forward a page of events at a
// time, rows and checkpoint in one transaction. It promises that a page may
// come twice, that nothing is skipped, and that an event which cannot be
// applied blocks its own stream and no other. A projection causes nothing:
// it writes its rows and that is all.
package projections

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/waybill-dev/waybill/database"
	"github.com/waybill-dev/waybill/eventstore"
)

// Projection is the code of one read model.
type Projection interface {
	// Name is that of the read model, and of its file.
	Name() string
	// Version grows with every change of the rows that are made: another
	// version fills a file of its own.
	Version() int
	// Migrations is the schema, for goose.
	Migrations() fs.FS
	// Prefixes are what the names of its streams begin with.
	Prefixes() []string
	// Apply changes the rows by one event. What the transaction wrote for the
	// event is undone when it returns an error.
	Apply(ctx context.Context, tx *Tx, r eventstore.Recorded) error
}

//go:embed migrations
var migrations embed.FS

func schema(name string) fs.FS { return database.Embedded(migrations, "migrations/"+name) }

// Tx is the transaction a page is applied in.
type Tx struct {
	tx    *sql.Tx
	batch *database.Batch
}

// Exec runs a statement, at the latest before the next query. On Postgres a
// failure may show there, or at the end of the page. A statement is short, so
// that it need not be stopped half-way: to watch the context would cost a
// goroutine each time. The transaction does.
func (t *Tx) Exec(ctx context.Context, query string, args ...any) error {
	return t.batch.Exec(context.WithoutCancel(ctx), query, args...)
}

// flush runs what Exec has kept.
func (t *Tx) flush(ctx context.Context) error { return t.batch.Flush(context.WithoutCancel(ctx)) }

// Changes is Exec, and reports whether any row is another one now.
func (t *Tx) Changes(ctx context.Context, query string, args ...any) (bool, error) {
	result, err := t.tx.ExecContext(context.WithoutCancel(ctx), query, args...)
	if err != nil {
		return false, err
	}
	rows, err := result.RowsAffected()
	return rows > 0, err
}

// Query reads rows, what this transaction wrote included. They are to be
// closed before the next statement.
func (t *Tx) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := t.flush(ctx); err != nil {
		return nil, err
	}
	return t.tx.QueryContext(context.WithoutCancel(ctx), query, args...)
}

// QueryRow reads one row.
func (t *Tx) QueryRow(ctx context.Context, query string, args ...any) Row {
	if err := t.flush(ctx); err != nil {
		return Row{err: err}
	}
	return Row{row: t.tx.QueryRowContext(context.WithoutCancel(ctx), query, args...)}
}

// Row is one row, or why there is none.
type Row struct {
	row *sql.Row
	err error
}

// Scan reads the row, as [sql.Row] does.
func (r Row) Scan(into ...any) error {
	if r.err != nil {
		return r.err
	}
	return r.row.Scan(into...)
}

// ReadPosition is how far the read model behind a database is: whatever was
// recorded up to there shows in what is read after it.
func ReadPosition(ctx context.Context, db *sql.DB) (eventstore.Position, error) {
	var position int64
	if err := db.QueryRowContext(ctx, readPosition).Scan(&position); err != nil {
		return 0, fmt.Errorf("read the checkpoint: %w", err)
	}
	return eventstore.Position(position), nil //nolint:gosec // written from a Position
}

// ErrNotFound says that a read model has no such row.
var ErrNotFound = errors.New("not found in the read model")

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// rowsOf reads every row of a query.
func rowsOf[T any](rows *sql.Rows, err error, scan func(*sql.Rows) (T, error)) (list []T, _ error) {
	if err != nil {
		return nil, fmt.Errorf("query: %w", err)
	}
	defer func() { _ = rows.Close() }() // a failure shows in Err
	for rows.Next() {
		row, err := scan(rows)
		if err != nil {
			return nil, fmt.Errorf("read a row: %w", err)
		}
		list = append(list, row)
	}
	return list, rows.Err()
}
