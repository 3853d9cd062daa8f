package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/delivery"
)

const parkedColumns = `commit_pos, revision, lane, event_id, attempt, due_at, dead, last_class, blocked, resent, told`

// Parked returns the parked events of a cursor in the order of the log, those
// given up included if the cursor has yet to pass them.
func (l *Ledger) Parked(ctx context.Context, lease Lease) ([]delivery.Parked, error) {
	return l.parked(ctx, lease.Key, `AND (dead = 0 OR commit_pos > ?)`, fromPosition(lease.Through))
}

// Untold returns the events of a cursor that were given up without its owner
// knowing.
func (l *Ledger) Untold(ctx context.Context, key Key) ([]delivery.Parked, error) {
	return l.parked(ctx, key, `AND told = 0 AND (dead = 1 OR blocked = 1)`)
}

// ParkedEvent returns the row of one event of a cursor, and whether there is
// one.
func (l *Ledger) ParkedEvent(ctx context.Context, key Key, eventID string) (delivery.Parked, bool, error) {
	rows, err := l.parked(ctx, key, `AND event_id = ?`, eventID)
	if err != nil || len(rows) == 0 {
		return delivery.Parked{}, false, err
	}
	return rows[0], true, nil
}

// Tell notes that the owner of an endpoint knows of events that were given up.
func (l *Ledger) Tell(ctx context.Context, key Key, positions []eventstore.Position) error {
	return inChunks(positions, func(positions []eventstore.Position) error {
		args := []any{key.EndpointID, key.RunID}
		for _, p := range positions {
			args = append(args, fromPosition(p))
		}
		l.statements.Add(1)
		//nolint:gosec // the parts are constants, what comes from outside are arguments
		_, err := l.Write.ExecContext(ctx, `
			UPDATE wh_parked SET told = 1 WHERE endpoint_id = ? AND run_id = ? AND (dead = 1 OR blocked = 1) AND commit_pos IN `+values(1, len(positions)), args...)
		if err != nil {
			return fmt.Errorf("note what the owner of %s knows: %w", key.EndpointID, err)
		}
		return nil
	})
}

func (l *Ledger) parked(ctx context.Context, key Key, which string, args ...any) (list []delivery.Parked, err error) {
	//nolint:gosec // the parts are constants, what comes from outside are arguments
	rows, err := l.Read.QueryContext(ctx, `SELECT `+parkedColumns+` FROM wh_parked
		WHERE endpoint_id = ? AND run_id = ? `+which+` ORDER BY commit_pos`, append([]any{key.EndpointID, key.RunID}, args...)...)
	if err != nil {
		return nil, fmt.Errorf("read parked events of %s: %w", key.EndpointID, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		row, err := scanParked(rows)
		if err != nil {
			return nil, fmt.Errorf("read a parked event of %s: %w", key.EndpointID, err)
		}
		list = append(list, row)
	}
	return list, rows.Err()
}

func scanParked(rows *sql.Rows) (row delivery.Parked, err error) {
	var position int64
	var due sql.NullInt64
	err = rows.Scan(&position, &row.Revision, &row.Lane, &row.ID, &row.Attempts, &due, &row.Dead, &row.Class,
		&row.Blocked, &row.Resent, &row.Told)
	row.Position, row.Due = toPosition(position), fromMillis(due.Int64)
	return row, err
}
