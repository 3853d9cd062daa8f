package sandbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/database"
	"github.com/waybill-dev/waybill/gateways/payment"
)

// Movement is one capture or refund in the ledger.
type Movement struct {
	Kind     string `json:"kind"`
	ID       string `json:"id"`
	Key      string `json:"key"`
	Ref      string `json:"ref"`
	Status   string `json:"status"`
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
	Code     string `json:"code,omitempty"`
	Message  string `json:"message,omitempty"`
	Asked    int    `json:"asked"`
}

const movementColumns = `kind, id, key, ref, status, amount, currency, code, message, asked`

// move captures or refunds once for an id of a key, and afterwards counts how
// often that was asked for again.
func (l *ledger) move(ctx context.Context, m Movement, final bool) (Movement, error) {
	err := l.db.Tx(ctx, func(tx *sql.Tx) error {
		known, err := scanMovement(tx.QueryRowContext(ctx, `UPDATE movements SET asked = asked + 1
			WHERE kind = ? AND key = ? AND id = ? RETURNING `+movementColumns, m.Kind, m.Key, m.ID))
		if !errors.Is(err, errNoEntry) {
			if err == nil && (known.Amount != m.Amount || known.Currency != m.Currency) {
				return errReused
			}
			m = known
			return err
		}
		e, err := l.scan(tx.QueryRowContext(ctx, `SELECT `+columns+` FROM authorisations WHERE key = ?`, m.Key))
		if err != nil {
			return err
		}
		m.Ref, m.Asked = "sbx_"+uuid.NewSHA1(uuid.NameSpaceOID, []byte(m.Kind+" "+m.Key+" "+m.ID)).String(), 1
		book(&e, &m, final)
		_, err = tx.ExecContext(ctx, `INSERT INTO movements (kind, id, key, ref, status, amount, currency, code, message)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`, m.Kind, m.ID, m.Key, m.Ref, m.Status, m.Amount, m.Currency, m.Code, m.Message)
		if err != nil {
			return fmt.Errorf("write the ledger: %w", err)
		}
		if err := update(ctx, tx, e); err != nil || !l.unanswered(e, m.Kind) {
			return err
		}
		return l.tell(ctx, tx, aboutMovement(e, m))
	})
	return m, err
}

// unanswered reports whether what a verb did is to be told, although who asked
// for it may be answered.
func (l *ledger) unanswered(e Entry, verb string) bool {
	return l.tellAll || behaviour(e.Method, verb) == "timeout"
}

// book decides a movement, and does it.
func book(e *Entry, m *Movement, final bool) {
	if m.Code, m.Message = refusal(*e, *m); m.Code != "" {
		m.Status = string(payment.Failed)
		return
	}
	m.Status = string(payment.Done)
	if m.Kind == string(payment.Refunds) {
		e.Refunded += m.Amount
		return
	}
	e.Captured += m.Amount
	e.Final = final
}

func refusal(e Entry, m Movement) (code, message string) {
	capture := m.Kind == string(payment.Captures)
	switch {
	case behaviour(e.Method, m.Kind) == "declined":
		return m.Kind + "-declined", "the gateway was told to decline this " + m.Kind
	case m.Currency != e.Currency || m.Amount <= 0:
		return "amount-invalid", "the amount is positive and of the authorisation's currency"
	case capture && e.Status != authorised:
		return "not-authorised", "the authorisation is " + e.Status
	case capture && (e.Final || m.Amount > e.Amount-e.Captured):
		return "amount-too-large", "the gateway does not hold that much"
	case !capture && m.Amount > e.Captured-e.Refunded-min(e.ChargedBack, e.Captured-e.Refunded):
		return "amount-too-large", "that much was not captured"
	}
	return "", ""
}

func (l *ledger) findMovement(ctx context.Context, kind, key, id string) (Movement, error) {
	return scanMovement(l.db.Read.QueryRowContext(ctx,
		`SELECT `+movementColumns+` FROM movements WHERE kind = ? AND key = ? AND id = ?`, kind, key, id))
}

func (l *ledger) movements(ctx context.Context) (movements []Movement, err error) {
	rows, err := l.db.Read.QueryContext(ctx, `SELECT `+movementColumns+` FROM movements ORDER BY key, kind, id`)
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		m, err := scanMovement(rows)
		if err != nil {
			return nil, err
		}
		movements = append(movements, m)
	}
	return movements, rows.Err()
}

func scanMovement(row database.Row) (Movement, error) {
	var m Movement
	err := row.Scan(&m.Kind, &m.ID, &m.Key, &m.Ref, &m.Status, &m.Amount, &m.Currency, &m.Code, &m.Message, &m.Asked)
	if errors.Is(err, sql.ErrNoRows) {
		return m, errNoEntry
	}
	if err != nil {
		return m, fmt.Errorf("read the ledger: %w", err)
	}
	return m, nil
}
