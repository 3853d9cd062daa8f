package sandbox

import (
	"context"
	"database/sql"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/waybill-dev/waybill/database"
)

//go:embed migrations/*.sql
var migrations embed.FS

// ledger is the gateway's own book: a row per key, and one per capture or
// refund.
type ledger struct {
	db      *database.DB
	entries database.Group // of requests that come at once
	now     func() time.Time
	// url is where callbacks are sent; while it is empty none are kept.
	url     atomic.Pointer[string]
	tellAll bool
	// base is the URL that pages for shoppers begin with.
	base string
}

// Entry is one authorisation in the ledger.
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

	ReturnURL   string `json:"return_url,omitempty"`
	ActionURL   string `json:"action_url,omitempty"` // made, not kept
	Final       bool   `json:"final,omitempty"`
	Captured    int64  `json:"captured,omitempty"`
	Refunded    int64  `json:"refunded,omitempty"`
	ChargedBack int64  `json:"charged_back,omitempty"`
}

// States of an entry.
const (
	actionRequired = "action_required"
	authorised     = "authorised"
	declined       = "declined"
	voided         = "voided"
	expired        = "expired"
)

var (
	errNoEntry = errors.New("nothing is known under that name")
	errReused  = errors.New("the name was used for something else")
)

func openLedger(ctx context.Context, cfg Config) (*ledger, error) {
	db, err := database.Open(ctx, database.Config{Path: cfg.Ledger, Server: cfg.Server, Migrations: database.Embedded(migrations, "migrations")})
	if err != nil {
		return nil, err
	}
	l := &ledger{db: db, entries: database.Group{DB: db}, now: cfg.Now, tellAll: cfg.TellAll}
	l.url.Store(&cfg.CallbackURL)
	return l, nil
}

func (l *ledger) callbackURL() string { return *l.url.Load() }

const columns = `key, ref, status, amount, currency, method, code, message, expires_at, asked,
	return_url, final <> 0, captured, refunded, charged_back`

const insertEntry = `
	INSERT INTO authorisations (key, ref, status, amount, currency, method, code, message, expires_at, return_url)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
	ON CONFLICT (key) DO UPDATE SET asked = authorisations.asked + 1
	RETURNING ` + columns

// enter writes an entry, or counts that its key was asked for once more and
// returns what was written first. What is new is told, unless it is answered in
// time or was told already.
func (l *ledger) enter(ctx context.Context, e Entry) (Entry, error) {
	args := []any{e.Key, e.Ref, e.Status, e.Amount, e.Currency, e.Method, e.Code, e.Message, e.ExpiresAt.UnixMilli(), e.ReturnURL}
	written := e
	read := func(row database.Row) (err error) {
		written, err = l.scan(row)
		return err
	}
	err := l.entries.Do(ctx,
		func(ctx context.Context, batch *database.Batch) error {
			return batch.QueryRow(ctx, read, insertEntry, args...)
		},
		func(ctx context.Context, tx *sql.Tx) error {
			if written.Asked > 1 || !l.tellsLater(e.Method) {
				return nil
			}
			return l.tell(ctx, tx, aboutEntry(written))
		})
	return written, err
}

// tellsLater reports whether a callback about a new entry is kept, to be sent
// after the answer.
func (l *ledger) tellsLater(method string) bool {
	return l.callbackURL() != "" && !comesFirst(method) && (l.tellAll || late(method))
}

func (l *ledger) find(ctx context.Context, key string) (Entry, error) {
	return l.scan(l.db.Read.QueryRowContext(ctx, `SELECT `+columns+` FROM authorisations WHERE key = ?`, key))
}

func (l *ledger) findRef(ctx context.Context, ref string) (Entry, error) {
	return l.scan(l.db.Read.QueryRowContext(ctx, `SELECT `+columns+` FROM authorisations WHERE ref = ?`, ref))
}

// change lets do alter an entry and writes it; if its state changed, that may
// be told.
func (l *ledger) change(ctx context.Context, key string, tell bool, do func(*Entry) error) (e Entry, err error) {
	err = l.db.Tx(ctx, func(tx *sql.Tx) error {
		if e, err = l.scan(tx.QueryRowContext(ctx, `SELECT `+columns+` FROM authorisations WHERE key = ?`, key)); err != nil {
			return err
		}
		before := e.Status
		if err := do(&e); err != nil {
			return err
		}
		if err := update(ctx, tx, e); err != nil || e.Status == before || !tell {
			return err
		}
		return l.tell(ctx, tx, aboutEntry(e))
	})
	return e, err
}

func update(ctx context.Context, tx *sql.Tx, e Entry) error {
	_, err := tx.ExecContext(ctx, `UPDATE authorisations
		SET status = ?, code = ?, message = ?, expires_at = ?, final = ?, captured = ?, refunded = ?, charged_back = ? WHERE key = ?`,
		e.Status, e.Code, e.Message, e.ExpiresAt.UnixMilli(), e.Final, e.Captured, e.Refunded, e.ChargedBack, e.Key)
	if err != nil {
		return fmt.Errorf("write the ledger: %w", err)
	}
	return nil
}

func (l *ledger) all(ctx context.Context) (entries []Entry, err error) {
	rows, err := l.db.Read.QueryContext(ctx, `SELECT `+columns+` FROM authorisations ORDER BY key`)
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		e, err := l.scan(rows)
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, rows.Err()
}

// tell keeps a callback until it is delivered.
func (l *ledger) tell(ctx context.Context, tx *sql.Tx, c callback) error {
	if l.callbackURL() == "" {
		return nil
	}
	c.At = l.now()
	body, err := json.Marshal(c)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO callbacks (body) VALUES (?)`, body); err != nil {
		return fmt.Errorf("keep a callback: %w", err)
	}
	return nil
}

func (l *ledger) scan(row database.Row) (Entry, error) {
	var e Entry
	var expires int64
	err := row.Scan(&e.Key, &e.Ref, &e.Status, &e.Amount, &e.Currency, &e.Method, &e.Code, &e.Message, &expires, &e.Asked,
		&e.ReturnURL, &e.Final, &e.Captured, &e.Refunded, &e.ChargedBack)
	if errors.Is(err, sql.ErrNoRows) {
		return e, errNoEntry
	}
	if err != nil {
		return e, fmt.Errorf("read the ledger: %w", err)
	}
	e.ExpiresAt = time.UnixMilli(expires).UTC()
	if e = l.ripen(e); e.Status == actionRequired {
		e.ActionURL = l.base + "/actions/" + e.Ref
	}
	return e, nil
}

// ripen tells what time has made of an entry. It is written with the next
// change.
func (l *ledger) ripen(e Entry) Entry {
	if l.now().Before(e.ExpiresAt) {
		return e
	}
	switch {
	case e.Status == authorised && !e.Final && (e.Captured == 0 || e.Captured < e.Amount):
		e.Status = expired
	case e.Status == actionRequired:
		e.Status, e.Code, e.Message = declined, "authentication-expired", "the shopper did not act in time"
	}
	return e
}
