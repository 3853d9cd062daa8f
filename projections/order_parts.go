package projections

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
)

// Statuses of a shipment.
const (
	ShipmentShipped   = "shipped"
	ShipmentDelivered = "delivered"
	ShipmentFailed    = "failed"
)

// changeParts keeps the lists of parcels and returns. An order that was only
// placed has neither.
func changeParts(ctx context.Context, tx *Tx, orderID string, r eventstore.Recorded, event order.Event) error {
	at := millis(r.Created)
	switch e := event.(type) { //nolint:gochecksumtype // the others are about neither
	case order.OrderShipped:
		return insertShipment(ctx, tx, orderID, at, e)
	case order.OrderDelivered:
		return tx.Exec(ctx, `UPDATE shipments SET status = ?, failure = '', delivered_at = ?, changed_at = ? WHERE order_id = ? AND shipment_id = ?`,
			ShipmentDelivered, millis(e.At), at, orderID, e.ShipmentID)
	case order.OrderShipmentFailed:
		return tx.Exec(ctx, `UPDATE shipments SET status = ?, failure = ?, changed_at = ? WHERE order_id = ? AND shipment_id = ?`,
			ShipmentFailed, e.Reason, at, orderID, e.ShipmentID)
	case order.OrderReturnRequested:
		return insertReturn(ctx, tx, orderID, at, e)
	case order.OrderReturnReceived:
		received := sum(e.Lines, func(l order.ReceivedUnits) int { return l.Quantity })
		return tx.Exec(ctx, `UPDATE returns SET status = ?, received = ?, changed_at = ? WHERE order_id = ? AND return_id = ?`,
			string(order.ReturnReceived), received, at, orderID, e.ReturnID)
	case order.OrderReturnRejected:
		return tx.Exec(ctx, `UPDATE returns SET status = ?, reason = ?, changed_at = ? WHERE order_id = ? AND return_id = ?`,
			string(order.ReturnRejected), e.Reason, at, orderID, e.ReturnID)
	}
	return nil
}

func insertShipment(ctx context.Context, tx *Tx, orderID string, at int64, e order.OrderShipped) error {
	lines, err := json.Marshal(append([]order.Units{}, e.Lines...))
	if err != nil {
		return fmt.Errorf("write the lines of shipment %s: %w", e.ShipmentID, err)
	}
	return tx.Exec(ctx, `
		INSERT INTO shipments (order_id, shipment_id, status, carrier, tracking, units, lines, shipped_at, changed_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		orderID, e.ShipmentID, ShipmentShipped, e.Carrier, e.Tracking, sum(e.Lines, func(l order.Units) int { return l.Quantity }),
		string(lines), millis(e.ShippedAt), at)
}

func insertReturn(ctx context.Context, tx *Tx, orderID string, at int64, e order.OrderReturnRequested) error {
	lines, err := json.Marshal(append([]order.ReturnedUnits{}, e.Lines...))
	if err != nil {
		return fmt.Errorf("write the lines of return %s: %w", e.ReturnID, err)
	}
	return tx.Exec(ctx, `
		INSERT INTO returns (order_id, return_id, status, kind, units, lines, requested_at, changed_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		orderID, e.ReturnID, string(order.ReturnOpen), string(e.Kind), sum(e.Lines, func(l order.ReturnedUnits) int { return l.Quantity }),
		string(lines), at, at)
}

// sum adds up a number of each.
func sum[T any](all []T, of func(T) int) (n int) {
	for _, one := range all {
		n += of(one)
	}
	return n
}
