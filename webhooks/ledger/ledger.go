// Package ledger is what the dispatcher keeps in SQL: the endpoints as the log
// describes them, one fenced cursor per endpoint, the parked exceptions, and
// the attempts. It promises that whoever lost a cursor to another owner writes
// nothing any more. It must not know when anything is sent.
package ledger

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"strings"
	"sync/atomic"
	"time"

	"github.com/waybill-dev/waybill/database"
	"github.com/waybill-dev/waybill/eventstore"
)

// Live is the run that follows the log.
const Live = "live"

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations returns the schema, for goose.
func Migrations() fs.FS { return database.Embedded(migrations, "migrations") }

// Ledger reads and writes the tables, of a SQLite file or in a Postgres that
// several processes share.
type Ledger struct {
	Write, Read *sql.DB
	// Now is what leases go by; nil is the clock of the database, which all
	// processes share.
	Now func() time.Time

	statements atomic.Int64
	days       days
}

// Statements returns how many SQL statements were sent to Write so far,
// BEGIN and COMMIT included.
func (l *Ledger) Statements() int64 { return l.statements.Load() }

// tx runs several statements as one step. Where another one was in the way it
// is run again.
func (l *Ledger) tx(ctx context.Context, do func(context.Context, *tx) error) error {
	return database.Retry(func() error { return l.once(ctx, do) })
}

func (l *Ledger) once(ctx context.Context, do func(context.Context, *tx) error) error {
	raw, err := l.Write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	l.statements.Add(2)
	// After a panic, too, the connection must be free again.
	defer func() { _ = raw.Rollback() }()
	if err := do(ctx, &tx{Tx: raw, count: &l.statements}); err != nil {
		return err
	}
	if err := raw.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

type tx struct {
	*sql.Tx
	count *atomic.Int64
}

func (t *tx) exec(ctx context.Context, query string, args ...any) (int64, error) {
	t.count.Add(1)
	result, err := t.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", firstWords(query), err)
	}
	return result.RowsAffected()
}

// values writes "(?, ?), (?, ?)".
func values(rows, columns int) string {
	row := "(" + strings.TrimSuffix(strings.Repeat("?,", columns), ",") + ")"
	return strings.TrimSuffix(strings.Repeat(row+",", rows), ",")
}

func firstWords(query string) string {
	words := strings.Fields(query)
	return strings.ToLower(strings.Join(words[:min(3, len(words))], " "))
}

// SQL has no unsigned numbers; a position would have to pass 8 exabytes to be
// mistaken.
func fromPosition(p eventstore.Position) int64 { return int64(p) }               //nolint:gosec // see above
func toPosition(n int64) eventstore.Position   { return eventstore.Position(n) } //nolint:gosec // see above

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMilli(n).UTC()
}
