package ledger

import (
	"context"
	"errors"
	"fmt"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/delivery"
)

// Wish is what an endpoint's owner wants of one event: that it is sent again,
// or given up. It is there until the cursor's owner has done it.
type Wish struct {
	EndpointID string
	Revision   eventstore.Revision // of the wish, in the endpoint's stream
	Skip       bool
	Event      delivery.Parked
}

// want notes a wish, once, whoever applies it.
func (t *tx) want(ctx context.Context, w Wish) error {
	noted, err := t.exec(ctx, `UPDATE wh_cursor SET wishes = ? WHERE endpoint_id = ? AND run_id = ? AND wishes < ?`,
		int64(w.Revision), w.EndpointID, Live, int64(w.Revision))
	if err != nil || noted == 0 {
		return err
	}
	_, err = t.exec(ctx, `
		INSERT INTO wh_wish (endpoint_id, wish, skip, commit_pos, lane, revision, event_id) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		w.EndpointID, int64(w.Revision), number(w.Skip), fromPosition(w.Event.Position), w.Event.Lane, int64(w.Event.Revision), w.Event.ID)
	return err
}

func number(is bool) int {
	if is {
		return 1
	}
	return 0
}

// fulfil forgets wishes that were done.
func (t *tx) fulfil(ctx context.Context, endpointID string, wishes []eventstore.Revision) error {
	return inChunks(wishes, func(wishes []eventstore.Revision) error {
		args := []any{endpointID}
		for _, wish := range wishes {
			args = append(args, int64(wish))
		}
		_, err := t.exec(ctx, `DELETE FROM wh_wish WHERE endpoint_id = ? AND wish IN `+values(1, len(wishes)), args...)
		return err
	})
}

// Wishes returns those that are not done yet, by endpoint and in their order.
func (l *Ledger) Wishes(ctx context.Context) (wishes map[string][]Wish, err error) {
	rows, err := l.Read.QueryContext(ctx, `
		SELECT endpoint_id, wish, skip, commit_pos, lane, revision, event_id FROM wh_wish ORDER BY endpoint_id, wish`)
	if err != nil {
		return nil, fmt.Errorf("read wishes: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var w Wish
		var position int64
		var skip int
		if err := rows.Scan(&w.EndpointID, &w.Revision, &skip, &position, &w.Event.Lane, &w.Event.Revision, &w.Event.ID); err != nil {
			return nil, fmt.Errorf("read a wish: %w", err)
		}
		w.Skip, w.Event.Position = skip == 1, toPosition(position)
		if wishes == nil {
			wishes = map[string][]Wish{}
		}
		wishes[w.EndpointID] = append(wishes[w.EndpointID], w)
	}
	return wishes, rows.Err()
}
