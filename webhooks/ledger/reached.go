package ledger

import (
	"context"
	"errors"
	"fmt"

	"github.com/waybill-dev/waybill/eventstore"
)

// Reached is how far the live run of an endpoint has come.
type Reached struct {
	EndpointID string
	// Through is a position up to which nothing waits any more.
	Through eventstore.Position
	Seeks   int
	// Delivered counts messages.
	Delivered int
}

// Reached returns how far the live runs of one owner have come. An event that
// is parked waits, however far the cursor is.
func (l *Ledger) Reached(ctx context.Context, owner string) (list []Reached, err error) {
	rows, err := l.Read.QueryContext(ctx, `
		SELECT c.endpoint_id, c.pos, c.seeks, c.delivered, coalesce((SELECT min(commit_pos) FROM wh_parked p
			WHERE p.endpoint_id = c.endpoint_id AND p.run_id = c.run_id AND dead = 0), c.pos + 1)
		FROM wh_cursor c WHERE c.run_id = ? AND c.owner = ?`, Live, owner)
	if err != nil {
		return nil, fmt.Errorf("read how far deliveries are: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var r Reached
		var position, waiting int64
		if err := rows.Scan(&r.EndpointID, &position, &r.Seeks, &r.Delivered, &waiting); err != nil {
			return nil, fmt.Errorf("read how far deliveries are: %w", err)
		}
		r.Through = toPosition(min(position, waiting-1))
		list = append(list, r)
	}
	return list, rows.Err()
}
