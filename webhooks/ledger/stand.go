package ledger

import (
	"context"
	"errors"
	"fmt"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/delivery"
)

// Stand is where the live cursor of an endpoint stands.
type Stand struct {
	EndpointID string
	Through    eventstore.Position
	Breaker    delivery.BreakerState
}

// Stands returns where the live cursors of all endpoints stand.
func (l *Ledger) Stands(ctx context.Context) (list []Stand, err error) {
	rows, err := l.Read.QueryContext(ctx, `SELECT endpoint_id, pos, breaker FROM wh_cursor WHERE run_id = ?`, Live)
	if err != nil {
		return nil, fmt.Errorf("read where cursors stand: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var s Stand
		var position, breaker int64
		if err := rows.Scan(&s.EndpointID, &position, &breaker); err != nil {
			return nil, fmt.Errorf("read where cursors stand: %w", err)
		}
		s.Through, s.Breaker = toPosition(position), delivery.BreakerState(breaker)
		list = append(list, s)
	}
	return list, rows.Err()
}

// ParkedCount is how many messages are parked, over all endpoints and runs.
type ParkedCount struct{ Waiting, Behind, Dead int }

// CountParked counts what is parked: waiting for another attempt, behind one
// that does, and given up.
func (l *Ledger) CountParked(ctx context.Context) (c ParkedCount, err error) {
	err = l.Read.QueryRowContext(ctx, `
		SELECT coalesce(sum(CASE WHEN dead = 0 AND due_at IS NOT NULL THEN 1 ELSE 0 END), 0),
			coalesce(sum(CASE WHEN dead = 0 AND due_at IS NULL THEN 1 ELSE 0 END), 0),
			coalesce(sum(CASE WHEN dead = 1 THEN 1 ELSE 0 END), 0)
		FROM wh_parked`).Scan(&c.Waiting, &c.Behind, &c.Dead)
	if err != nil {
		return c, fmt.Errorf("count what is parked: %w", err)
	}
	return c, nil
}
