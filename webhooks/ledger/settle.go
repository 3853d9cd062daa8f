package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/delivery"
)

// Attempt is one attempt that was made.
type Attempt struct {
	EndpointID string
	RunID      string
	Position   eventstore.Position
	EventID    string
	EventType  string
	Attempt    int
	At         time.Time
	Status     int // HTTP, or 0 when there was no answer
	Class      delivery.Class
	Took       time.Duration
	TraceID    string
}

// Settlement is what one cursor has to save.
type Settlement struct {
	Lease    Lease
	Changes  delivery.Changes
	Attempts []Attempt
}

// Settle saves several settlements in one transaction and says for each
// whether it was saved: one whose lease went to another owner writes nothing,
// while the others are not disturbed.
func (l *Ledger) Settle(ctx context.Context, settlements []Settlement) ([]bool, error) {
	saved := make([]bool, len(settlements))
	err := l.tx(ctx, func(ctx context.Context, t *tx) error {
		var attempts []Attempt
		for i, s := range settlements {
			ours, err := t.settle(ctx, s)
			if err != nil {
				return err
			}
			if saved[i] = ours; ours {
				attempts = append(attempts, s.Attempts...)
			}
		}
		return t.insertAttempts(ctx, attempts)
	})
	if err != nil {
		return nil, fmt.Errorf("settle: %w", err)
	}
	return saved, nil
}

// settle moves the cursor first: if that is not ours to do, nothing else of
// the settlement is written. Moving it by epoch alone suffices, as every
// owner has an epoch of its own and only ever moves forward.
func (t *tx) settle(ctx context.Context, s Settlement) (bool, error) {
	moved, err := t.exec(ctx, `
		UPDATE wh_cursor SET pos = ?, gate_until = ?, breaker = ?
		WHERE endpoint_id = ? AND run_id = ? AND epoch = ? AND pos <= ?`,
		fromPosition(s.Changes.Through), millis(s.Changes.Gate), int(s.Changes.Breaker),
		s.Lease.EndpointID, s.Lease.RunID, s.Lease.Epoch, fromPosition(s.Changes.Through))
	if err != nil || moved == 0 {
		return false, err
	}
	if err := t.park(ctx, s.Lease.Key, s.Changes.Parked); err != nil {
		return false, err
	}
	return true, t.unpark(ctx, s.Lease.Key, s.Changes.Unparked)
}

const chunk = 64 // rows of one statement

func (t *tx) park(ctx context.Context, key Key, rows []delivery.Parked) error {
	return inChunks(rows, func(rows []delivery.Parked) error {
		const columns = 10
		args := make([]any, 0, len(rows)*columns)
		for _, r := range rows {
			due := sql.NullInt64{Int64: millis(r.Due), Valid: !r.Due.IsZero()}
			args = append(args, key.EndpointID, key.RunID, fromPosition(r.Position), r.Lane, int64(r.Revision), r.ID, r.Attempts, due, r.Dead, string(r.Class))
		}
		_, err := t.exec(ctx, `
			INSERT INTO wh_parked (endpoint_id, run_id, commit_pos, lane, revision, event_id, attempt, due_at, dead, last_class)
			VALUES `+values(len(rows), columns)+`
			ON CONFLICT (endpoint_id, run_id, commit_pos) DO UPDATE SET
				attempt = excluded.attempt, due_at = excluded.due_at, dead = excluded.dead, last_class = excluded.last_class`, args...)
		return err
	})
}

func (t *tx) unpark(ctx context.Context, key Key, positions []eventstore.Position) error {
	return inChunks(positions, func(positions []eventstore.Position) error {
		args := []any{key.EndpointID, key.RunID}
		for _, p := range positions {
			args = append(args, fromPosition(p))
		}
		_, err := t.exec(ctx, `DELETE FROM wh_parked WHERE endpoint_id = ? AND run_id = ? AND commit_pos IN `+values(1, len(positions)), args...)
		return err
	})
}

func (t *tx) insertAttempts(ctx context.Context, attempts []Attempt) error {
	return inChunks(attempts, func(attempts []Attempt) error {
		const columns = 11
		args := make([]any, 0, len(attempts)*columns)
		for _, a := range attempts {
			args = append(args, a.EndpointID, a.RunID, fromPosition(a.Position), a.EventID, a.EventType, a.Attempt,
				millis(a.At), a.Status, string(a.Class), a.Took.Microseconds(), a.TraceID)
		}
		_, err := t.exec(ctx, `
			INSERT INTO wh_attempt (endpoint_id, run_id, commit_pos, event_id, event_type, attempt, at, status, class, micros, trace_id)
			VALUES `+values(len(attempts), columns), args...)
		return err
	})
}

func inChunks[T any](rows []T, do func([]T) error) error {
	for len(rows) > 0 {
		n := min(len(rows), chunk)
		if err := do(rows[:n]); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// Attempts returns the last attempts at an endpoint, newest first.
func (l *Ledger) Attempts(ctx context.Context, endpointID string, limit int) (list []Attempt, err error) {
	rows, err := l.Read.QueryContext(ctx, strings.TrimSpace(`
		SELECT endpoint_id, run_id, commit_pos, event_id, event_type, attempt, at, status, class, micros, trace_id
		FROM wh_attempt WHERE endpoint_id = ? ORDER BY id DESC LIMIT ?`), endpointID, limit)
	if err != nil {
		return nil, fmt.Errorf("read attempts at %s: %w", endpointID, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var a Attempt
		var position, at, micros int64
		if err := rows.Scan(&a.EndpointID, &a.RunID, &position, &a.EventID, &a.EventType, &a.Attempt, &at, &a.Status, &a.Class, &micros, &a.TraceID); err != nil {
			return nil, fmt.Errorf("read an attempt at %s: %w", endpointID, err)
		}
		a.Position, a.At, a.Took = toPosition(position), fromMillis(at), time.Duration(micros)*time.Microsecond
		list = append(list, a)
	}
	return list, rows.Err()
}

const forgotten = 1000 // rows in one transaction, so that nobody waits for long

// ForgetAttempts deletes the attempts made before a time.
func (l *Ledger) ForgetAttempts(ctx context.Context, before time.Time) error {
	for {
		l.statements.Add(1)
		result, err := l.Write.ExecContext(ctx, `
			DELETE FROM wh_attempt WHERE id IN (SELECT id FROM wh_attempt ORDER BY id LIMIT ?) AND at < ?`, forgotten, millis(before))
		if err != nil {
			return fmt.Errorf("forget attempts: %w", err)
		}
		if n, err := result.RowsAffected(); err != nil || n < forgotten {
			return err
		}
	}
}
