package projections

import (
	"context"
	"fmt"
	"io/fs"

	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
)

// Orders is the list of orders: a row per order and per line.
type Orders struct{}

// Name implements [Projection].
func (Orders) Name() string { return "orders" }

// Version implements [Projection].
func (Orders) Version() int { return 2 }

// Migrations implements [Projection].
func (Orders) Migrations() fs.FS { return schema("orders") }

// Prefixes implements [Projection].
func (Orders) Prefixes() []string { return []string{order.Decider.Category + "-"} }

// LateIndexes implements [LateIndexes].
func (Orders) LateIndexes() []string { return []string{"orders", "order_lines"} }

// Apply implements [Projection].
func (Orders) Apply(ctx context.Context, tx *Tx, r eventstore.Recorded) error {
	event, err := r.Decode()
	if err != nil {
		return err
	}
	switch e := event.(type) {
	case order.OrderPlaced:
		return insertOrder(ctx, tx, r, e)
	case order.Event:
		return changeOrder(ctx, tx, r, e)
	default:
		return fmt.Errorf("%T is no event of an order", event)
	}
}

func insertOrder(ctx context.Context, tx *Tx, r eventstore.Recorded, e order.OrderPlaced) error {
	err := tx.Exec(ctx, `
		INSERT INTO orders (order_id, number, customer_id, status, payment_status, fulfilment_status, currency,
			subtotal, discount, shipping, tax, total, payment_id, authorised, line_count, ship_to_country,
			external_source, external_ref, external_time, placed_at, updated_at, revision)
		VALUES (?, ?, ?, 'placed', 'authorised', 'unfulfilled', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (order_id) DO NOTHING`,
		e.OrderID, e.Number, e.CustomerID, e.Currency,
		e.Totals.Subtotal.Amount, e.Totals.Discount.Amount, e.Totals.Shipping.Amount, e.Totals.Tax.Amount, e.Totals.Grand.Amount,
		e.PaymentID, e.Authorised.Amount, len(e.Lines), e.ShipToCountry,
		e.External.Source, e.External.Ref, millis(e.External.Time), millis(e.PlacedAt), millis(r.Created), int64(r.Revision))
	if err != nil {
		return err
	}
	for lines := e.Lines; len(lines) > 0; {
		n := 1
		if len(lines) >= manyLines {
			n = manyLines
		}
		if err := insertLines(ctx, tx, e.OrderID, millis(e.PlacedAt), lines[:n]); err != nil {
			return err
		}
		lines = lines[n:]
	}
	return nil
}

// manyLines are inserted by one statement: that halves what a line costs. The
// rest go one by one, so that there are two statements to keep prepared.
const manyLines = 8

func insertLines(ctx context.Context, tx *Tx, orderID string, placedAt int64, lines []order.Line) error {
	args := make([]any, 0, 9*len(lines))
	for _, line := range lines {
		args = append(args, orderID, line.LineID, line.SKU, line.Title, line.Quantity, line.UnitPrice.Amount, line.Total.Amount, line.Location, placedAt)
	}
	query := insertOneLine
	if len(lines) == manyLines {
		query = insertManyLines
	}
	return tx.Exec(ctx, query, args...)
}

const (
	insertLine = `INSERT INTO order_lines (order_id, line_id, sku, title, quantity, unit_price, total, location, placed_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (order_id, line_id)`
	insertOneLine   = insertLine + ` DO NOTHING`
	insertManyLines = `INSERT INTO order_lines (order_id, line_id, sku, title, quantity, unit_price, total, location, placed_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?, ?, ?),
			(?, ?, ?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (order_id, line_id) DO NOTHING`
)
