package sandbox

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/waybill-dev/waybill/database"
)

//go:embed migrations/*.sql
var migrations embed.FS

// ledger is the gateway's own book: one row per key.
type ledger struct{ db *database.DB }

// Entry is one row of the ledger.
type Entry struct {
	Key       string    `json:"key"`
	Ref       string    `json:"ref"`
	Status    string    `json:"status"`
	Amount    int64     `json:"amount"`
	Currency  string    `json:"currency"`
	Method    string    `json:"method"`
	Code      string    `json:"code,omitempty"`
	Message   string    `json:"message,omitempty"`
	ExpiresAt time.Time `json:"expires_at"`
	Asked     int       `json:"asked"`
}

var errNoEntry = errors.New("no authorisation under that key")

func openLedger(ctx context.Context, path string) (*ledger, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	db, err := database.Open(ctx, database.Config{Path: path, Migrations: files})
	if err != nil {
		return nil, err
	}
	return &ledger{db}, nil
}

// enter writes an entry, or counts that its key was asked for once more and
// returns what was written first.
func (l *ledger) enter(ctx context.Context, e Entry) (Entry, error) {
	row := l.db.Write.QueryRowContext(ctx, `
		INSERT INTO authorisations (key, ref, status, amount, currency, method, code, message, expires_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (key) DO UPDATE SET asked = asked + 1
		RETURNING `+columns,
		e.Key, e.Ref, e.Status, e.Amount, e.Currency, e.Method, e.Code, e.Message, e.ExpiresAt.UnixMilli())
	return scan(row)
}

const columns = `key, ref, status, amount, currency, method, code, message, expires_at, asked`

func (l *ledger) find(ctx context.Context, key string) (Entry, error) {
	return scan(l.db.Read.QueryRowContext(ctx, `SELECT `+columns+` FROM authorisations WHERE key = ?`, key))
}

func (l *ledger) void(ctx context.Context, key string) (Entry, error) {
	return scan(l.db.Write.QueryRowContext(ctx, `
		UPDATE authorisations SET status = CASE status WHEN 'authorised' THEN 'voided' ELSE status END
		WHERE key = ? RETURNING `+columns, key))
}

func (l *ledger) all(ctx context.Context) (entries []Entry, err error) {
	rows, err := l.db.Read.QueryContext(ctx, `SELECT `+columns+` FROM authorisations ORDER BY key`)
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		e, err := scan(rows)
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, rows.Err()
}

func scan(row interface{ Scan(...any) error }) (Entry, error) {
	var e Entry
	var expires int64
	err := row.Scan(&e.Key, &e.Ref, &e.Status, &e.Amount, &e.Currency, &e.Method, &e.Code, &e.Message, &expires, &e.Asked)
	if errors.Is(err, sql.ErrNoRows) {
		return e, errNoEntry
	}
	if err != nil {
		return e, fmt.Errorf("read the ledger: %w", err)
	}
	e.ExpiresAt = time.UnixMilli(expires).UTC()
	return e, nil
}
