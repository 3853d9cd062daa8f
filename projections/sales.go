package projections

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
)

// Sales is what was sold, per day, currency, country and SKU. Everything that
// happens to an order later counts for the day of the order: in UTC, where it
// began elsewhere the day it began there.
//
// Its columns are
//   - orders: orders with units of the SKU. Without the SKU each order counts
//     once.
//   - units: ordered, as edited, and not cancelled. Units that come back stay
//     in it.
//   - returned: units that came back.
//   - gross: what the units cost, before discount, tax and shipping.
//   - discount: what was taken off for them. Of a line that is cancelled in
//     part it is the share of the units that are left, rounded down.
//   - refunds: money that went back, with what it holds of tax and shipping,
//     but for what was given back for a cancellation or an edit: those units
//     are not in gross either. A refund is split over the units it is for, or
//     else all lines, by what they cost.
//   - net: gross less discount and refunds.
//
// Credit notes are no orders, and are not in it.
type Sales struct{}

// Name implements [Projection].
func (Sales) Name() string { return "sales" }

// Version implements [Projection].
func (Sales) Version() int { return 1 }

// Migrations implements [Projection].
func (Sales) Migrations() fs.FS { return schema("sales") }

// Prefixes implements [Projection].
func (Sales) Prefixes() []string { return []string{order.Decider.Category + "-"} }

// Apply implements [Projection].
func (Sales) Apply(ctx context.Context, tx *Tx, r eventstore.Recorded) error {
	event, err := r.Decode()
	if err != nil {
		return err
	}
	switch e := event.(type) {
	case order.OrderPlaced:
		page := salesPage{}
		page.sell(r, e)
		return page.write(ctx, tx)
	case order.OrderEdited:
		return resell(ctx, tx, r, e.OrderID, func(k *keptSale) { k.edit(e) })
	case order.OrderCancelled:
		return resell(ctx, tx, r, e.OrderID, func(k *keptSale) { k.cancel(e) })
	case order.OrderReturnReceived:
		return resell(ctx, tx, r, e.OrderID, func(k *keptSale) { k.takeBack(e) })
	case order.OrderRefundRequested:
		return resell(ctx, tx, r, e.OrderID, func(k *keptSale) { k.ask(e) })
	case order.OrderRefunded:
		return resell(ctx, tx, r, e.OrderID, func(k *keptSale) { k.refund(e) })
	case order.OrderRefundFailed:
		return resell(ctx, tx, r, e.OrderID, func(k *keptSale) { k.forget(e.RefundID) })
	case order.OrderHeld, order.OrderHoldReleased, order.OrderNoteAdded, order.OrderTagged, order.OrderAddressChanged,
		order.OrderPaymentUpdated, order.OrderFulfilmentRequested, order.OrderShipped, order.OrderDelivered, order.OrderShipmentFailed,
		order.OrderReturnRequested, order.OrderReturnRejected, order.OrderCancelRequested, order.OrderCancelRefused,
		order.OrderCompleted, order.OrderReopened:
		return nil // nothing is sold or given back
	}
	return fmt.Errorf("%T is no event of an order", event)
}

// saleKey is where the shares of an order count.
type saleKey struct{ day, currency, country string }

// sale is a share in the columns.
type sale struct{ orders, units, returned, gross, discount, refunds int64 }

func (s sale) plus(o sale) sale {
	return sale{s.orders + o.orders, s.units + o.units, s.returned + o.returned, s.gross + o.gross, s.discount + o.discount, s.refunds + o.refunds}
}

func (s sale) less(o sale) sale {
	return sale{s.orders - o.orders, s.units - o.units, s.returned - o.returned, s.gross - o.gross, s.discount - o.discount, s.refunds - o.refunds}
}

// saleDay is the day an order counts for.
func saleDay(e order.OrderPlaced, recorded time.Time) string {
	for _, at := range []time.Time{e.External.Time, e.PlacedAt} {
		if !at.IsZero() {
			return at.UTC().Format(time.DateOnly)
		}
	}
	return recorded.UTC().Format(time.DateOnly)
}

// resell changes the shares of an order by what happened to it.
func resell(ctx context.Context, tx *Tx, r eventstore.Recorded, orderID string, change func(*keptSale)) error {
	var key saleKey
	var state string
	var known int64
	err := tx.QueryRow(ctx, `SELECT day, currency, country, state, revision FROM sales_orders WHERE order_id = ?`, orderID).
		Scan(&key.day, &key.currency, &key.country, &state, &known)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("order %s was not placed", orderID)
	case err != nil:
		return fmt.Errorf("read the sale of order %s: %w", orderID, err)
	case int64(r.Revision) <= known:
		return nil
	}
	var before, after keptSale
	for _, into := range []*keptSale{&before, &after} {
		if err := json.Unmarshal([]byte(state), into); err != nil {
			return fmt.Errorf("read the sale of order %s: %w", orderID, err)
		}
	}
	change(&after)
	written, err := json.Marshal(after)
	if err != nil {
		return fmt.Errorf("write the sale of order %s: %w", orderID, err)
	}
	if err := tx.Exec(ctx, `UPDATE sales_orders SET state = ?, revision = ? WHERE order_id = ?`, string(written), int64(r.Revision), orderID); err != nil {
		return err
	}
	return countSale(ctx, tx, key, before, after)
}

// countSale adds what the shares of an order have become more, or less.
func countSale(ctx context.Context, tx *Tx, key saleKey, before, after keptSale) error {
	was, wasAll := before.shares()
	is, isAll := after.shares()
	for sku := range was {
		if _, still := is[sku]; !still {
			is[sku] = sale{}
		}
	}
	var counts saleCounts
	for sku, share := range is {
		counts.add(key, sku, share.less(was[sku]))
	}
	counts.addAll(key, isAll.less(wasAll))
	return counts.write(ctx, tx)
}
