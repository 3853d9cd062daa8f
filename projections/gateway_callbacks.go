package projections

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"math"
	"time"

	callback "github.com/waybill-dev/waybill/domain/gatewaycallback"
	"github.com/waybill-dev/waybill/eventstore"
)

// GatewayCallbacks is the list of callbacks of payment gateways that were not
// applied: the to-do list of those that are tried again, and the list of those
// that nobody claims, for somebody to see.
type GatewayCallbacks struct{}

// Name implements [Projection].
func (GatewayCallbacks) Name() string { return "gateway_callbacks" }

// Version implements [Projection].
func (GatewayCallbacks) Version() int { return 1 }

// Migrations implements [Projection].
func (GatewayCallbacks) Migrations() fs.FS { return schema("gateway_callbacks") }

// Prefixes implements [Projection].
func (GatewayCallbacks) Prefixes() []string { return []string{callback.Decider.Category + "-"} }

// Apply implements [Projection].
func (GatewayCallbacks) Apply(ctx context.Context, tx *Tx, r eventstore.Recorded) error {
	event, err := r.Decode()
	if err != nil {
		return err
	}
	switch e := event.(type) {
	case callback.GatewayCallbackReceived:
		return tx.Exec(ctx, `
			INSERT INTO gateway_callbacks (id, gateway, callback_id, kind, payment_id, status, received_at)
			VALUES (?, ?, ?, ?, ?, 'waiting', ?) ON CONFLICT DO NOTHING`,
			e.ID, e.Gateway, e.CallbackID, e.Kind, e.PaymentID, millis(e.ReceivedAt))
	case callback.GatewayCallbackApplied:
		return tx.Exec(ctx, `DELETE FROM gateway_callbacks WHERE id = ?`, e.ID)
	case callback.GatewayCallbackUnclaimed:
		return tx.Exec(ctx, `UPDATE gateway_callbacks SET status = 'unclaimed', reason = ? WHERE id = ?`, e.Reason, e.ID)
	}
	return fmt.Errorf("%T is no event of a gateway's callback", event)
}

// GatewayCallback is a callback that was not applied.
type GatewayCallback struct {
	ID, Gateway, CallbackID, Kind string
	PaymentID, Status, Reason     string
	ReceivedAt                    time.Time
}

// GatewayCallbackQueries reads callbacks that were not applied.
type GatewayCallbackQueries struct{ DB *sql.DB }

// GatewayCallbackKey is where a list of callbacks may begin.
type GatewayCallbackKey struct {
	ReceivedAt time.Time
	ID         string
}

const listGatewayCallbacks = `
	SELECT id, gateway, callback_id, kind, payment_id, status, reason, received_at FROM gateway_callbacks
	WHERE status = ? AND (received_at, id) > (?, ?) ORDER BY received_at, id LIMIT ?`

// List returns callbacks of a status, waiting or unclaimed, the oldest first,
// beginning after a key.
func (q GatewayCallbackQueries) List(ctx context.Context, status string, after *GatewayCallbackKey, limit int) ([]GatewayCallback, error) {
	at, id := int64(math.MinInt64), ""
	if after != nil {
		at, id = millis(after.ReceivedAt), after.ID
	}
	rows, err := q.DB.QueryContext(ctx, listGatewayCallbacks, status, at, id, limit)
	return rowsOf(rows, err, func(rows *sql.Rows) (c GatewayCallback, err error) {
		var received int64
		err = rows.Scan(&c.ID, &c.Gateway, &c.CallbackID, &c.Kind, &c.PaymentID, &c.Status, &c.Reason, &received)
		c.ReceivedAt = fromMillis(received)
		return c, err
	})
}

// Count returns how many callbacks were not applied, by status.
func (q GatewayCallbackQueries) Count(ctx context.Context) (waiting, unclaimed int, err error) {
	err = q.DB.QueryRowContext(ctx, `
		SELECT (SELECT count(*) FROM gateway_callbacks WHERE status = 'waiting'),
			(SELECT count(*) FROM gateway_callbacks WHERE status = 'unclaimed')`).Scan(&waiting, &unclaimed)
	return waiting, unclaimed, err
}
