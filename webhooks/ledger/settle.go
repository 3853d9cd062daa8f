package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/delivery"
)

// Settlement is what one cursor has to save.
type Settlement struct {
	Lease    Lease
	Changes  delivery.Changes
	Attempts []Attempt
	// Wishes were done with these changes; they are named by their revisions.
	Wishes []eventstore.Revision
}

// Settle saves several settlements in one transaction and says for each
// whether it was saved: one whose lease went to another owner writes nothing,
// while the others are not disturbed.
func (l *Ledger) Settle(ctx context.Context, settlements []Settlement) (saved []bool, err error) {
	var made []day
	err = l.tx(ctx, func(ctx context.Context, t *tx) error {
		saved = make([]bool, len(settlements))
		ours, err := t.move(ctx, settlements)
		if err != nil {
			return err
		}
		var attempts []Attempt
		for i, s := range settlements {
			if epoch, moved := ours[s.Lease.Key]; !moved || epoch != s.Lease.Epoch {
				continue
			}
			saved[i] = true
			attempts = append(attempts, s.Attempts...)
			if err := t.park(ctx, s.Lease.Key, s.Changes.Parked); err != nil {
				return err
			}
			if err := t.unpark(ctx, s.Lease.Key, s.Changes.Unparked); err != nil {
				return err
			}
			if err := t.revive(ctx, s); err != nil {
				return err
			}
			if err := t.fulfil(ctx, s.Lease.EndpointID, s.Wishes); err != nil {
				return err
			}
		}
		made, err = t.insertAttempts(ctx, &l.days, attempts)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("settle: %w", err)
	}
	for _, of := range made {
		l.days.set(of, true)
	}
	return saved, nil
}

// move moves the cursors first: of one that is not ours nothing else is
// written. It returns the epochs of those that were. Moving by epoch alone
// suffices, as every owner has an epoch of its own and only ever moves forward.
func (t *tx) move(ctx context.Context, settlements []Settlement) (ours map[Key]int64, err error) {
	ours = make(map[Key]int64, len(settlements))
	return ours, inChunks(settlements, func(settlements []Settlement) (err error) {
		const columns = 8
		args := make([]any, 0, len(settlements)*columns)
		for _, s := range settlements {
			args = append(args, s.Lease.EndpointID, s.Lease.RunID, s.Lease.Epoch,
				fromPosition(s.Changes.Through), millis(s.Changes.Gate), int(s.Changes.Breaker), millis(s.Changes.Failing), len(deliveredBy(s.Attempts)))
		}
		t.count.Add(1)
		rows, err := t.QueryContext(ctx, moveCursors(len(settlements), columns), args...)
		if err != nil {
			return fmt.Errorf("move cursors: %w", err)
		}
		defer func() { err = errors.Join(err, rows.Close()) }()
		for rows.Next() {
			var key Key
			var epoch int64
			if err := rows.Scan(&key.EndpointID, &key.RunID, &epoch); err != nil {
				return fmt.Errorf("move cursors: %w", err)
			}
			ours[key] = epoch
		}
		return rows.Err()
	})
}

// moveCursors is the statement for so many cursors. The first row tells the
// types of all.
func moveCursors(rows, columns int) string {
	query := `WITH settled (endpoint_id, run_id, epoch, pos, gate_until, breaker, failing_since, delivered) AS (
			VALUES (?, ?, CAST(? AS BIGINT), CAST(? AS BIGINT), CAST(? AS BIGINT), CAST(? AS BIGINT), CAST(? AS BIGINT), CAST(? AS BIGINT))`
	if rows > 1 {
		query += ", " + values(rows-1, columns)
	}
	return query + `)
		UPDATE wh_cursor SET pos = settled.pos, gate_until = settled.gate_until, breaker = settled.breaker,
			failing_since = settled.failing_since, delivered = wh_cursor.delivered + settled.delivered FROM settled
		WHERE wh_cursor.endpoint_id = settled.endpoint_id AND wh_cursor.run_id = settled.run_id
			AND wh_cursor.epoch = settled.epoch AND wh_cursor.pos <= settled.pos
		RETURNING wh_cursor.endpoint_id, wh_cursor.run_id, wh_cursor.epoch`
}

const chunk = 256 // rows of one statement

func (t *tx) park(ctx context.Context, key Key, rows []delivery.Parked) error {
	return inChunks(rows, func(rows []delivery.Parked) error {
		const columns = 13
		args := make([]any, 0, len(rows)*columns)
		for _, r := range rows {
			due := sql.NullInt64{Int64: millis(r.Due), Valid: !r.Due.IsZero()}
			args = append(args, key.EndpointID, key.RunID, fromPosition(r.Position), r.Lane, int64(r.Revision), r.ID, r.Attempts, due,
				r.Dead, string(r.Class), r.Blocked, r.Resent, r.Told)
		}
		_, err := t.exec(ctx, `
			INSERT INTO wh_parked (endpoint_id, run_id, commit_pos, lane, revision, event_id, attempt, due_at, dead, last_class, blocked, resent, told)
			VALUES `+values(len(rows), columns)+`
			ON CONFLICT (endpoint_id, run_id, commit_pos) DO UPDATE SET
				attempt = excluded.attempt, due_at = excluded.due_at, dead = excluded.dead, last_class = excluded.last_class,
				blocked = excluded.blocked, resent = excluded.resent, told = excluded.told`, args...)
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
