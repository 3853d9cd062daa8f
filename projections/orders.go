package projections

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
)

// Orders is the list of orders: a row per order and per line.
type Orders struct{}

// Name implements [Projection].
func (Orders) Name() string { return "orders" }

// Version implements [Projection].
func (Orders) Version() int { return 1 }

// Migrations implements [Projection].
func (Orders) Migrations() fs.FS { return schema("orders") }

// Prefixes implements [Projection].
func (Orders) Prefixes() []string { return []string{order.Decider.Category + "-"} }

// Apply implements [Projection].
func (Orders) Apply(ctx context.Context, tx *Tx, r eventstore.Recorded) error {
	event, err := r.Decode()
	if err != nil {
		return err
	}
	switch e := event.(type) {
	case order.OrderPlaced:
		return insertOrder(ctx, tx, r, e)
	case order.OrderHeld, order.OrderHoldReleased, order.OrderNoteAdded, order.OrderTagged, order.OrderAddressChanged, order.OrderEdited,
		order.OrderPaymentUpdated, order.OrderFulfilmentRequested, order.OrderShipped, order.OrderDelivered, order.OrderShipmentFailed,
		order.OrderReturnRequested, order.OrderReturnReceived, order.OrderReturnRejected,
		order.OrderRefundRequested, order.OrderRefunded, order.OrderRefundFailed,
		order.OrderCancelRequested, order.OrderCancelled, order.OrderCancelRefused, order.OrderCompleted, order.OrderReopened:
		return nil // the list shows an order as it was placed
	default:
		return fmt.Errorf("%T is no event of an order", event)
	}
}

func insertOrder(ctx context.Context, tx *Tx, r eventstore.Recorded, e order.OrderPlaced) error {
	err := tx.Exec(ctx, `
		INSERT INTO orders (order_id, number, customer_id, status, payment_status, fulfilment_status, currency,
			subtotal, discount, shipping, tax, total, authorised, line_count, ship_to_country,
			external_source, external_ref, external_time, placed_at, updated_at, revision)
		VALUES (?, ?, ?, 'placed', 'authorised', 'unfulfilled', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (order_id) DO NOTHING`,
		e.OrderID, e.Number, e.CustomerID, e.Currency,
		e.Totals.Subtotal.Amount, e.Totals.Discount.Amount, e.Totals.Shipping.Amount, e.Totals.Tax.Amount, e.Totals.Grand.Amount,
		e.Authorised.Amount, len(e.Lines), e.ShipToCountry,
		e.External.Source, e.External.Ref, millis(e.External.Time), millis(e.PlacedAt), millis(r.Created), int64(r.Revision))
	if err != nil {
		return err
	}
	for lines := e.Lines; len(lines) > 0; {
		n := 1
		if len(lines) >= manyLines {
			n = manyLines
		}
		if err := insertLines(ctx, tx, e.OrderID, lines[:n]); err != nil {
			return err
		}
		lines = lines[n:]
	}
	return nil
}

// manyLines are inserted by one statement: that halves what a line costs. The
// rest go one by one, so that there are two statements to keep prepared.
const manyLines = 8

func insertLines(ctx context.Context, tx *Tx, orderID string, lines []order.Line) error {
	args := make([]any, 0, 8*len(lines))
	for _, line := range lines {
		args = append(args, orderID, line.LineID, line.SKU, line.Title, line.Quantity, line.UnitPrice.Amount, line.Total.Amount, line.Location)
	}
	query := insertLine
	if len(lines) == manyLines {
		query = insertManyLines
	}
	return tx.Exec(ctx, query, args...)
}

const (
	insertLine = `INSERT INTO order_lines (order_id, line_id, sku, title, quantity, unit_price, total, location)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (order_id, line_id) DO NOTHING`
	insertManyLines = `INSERT INTO order_lines (order_id, line_id, sku, title, quantity, unit_price, total, location)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?, ?),
			(?, ?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (order_id, line_id) DO NOTHING`
)

// OrderRow is one order of the list.
type OrderRow struct {
	OrderID, Number, CustomerID             string
	Status, PaymentStatus, FulfilmentStatus string
	Totals                                  order.Totals
	Authorised                              domain.Money
	LineCount                               int
	ShipToCountry                           string
	External                                order.External // zero where the order began here
	PlacedAt, UpdatedAt                     time.Time
	Revision                                eventstore.Revision
}

// OrderFilter narrows a list of orders; zero fields do not.
type OrderFilter struct {
	Status, PaymentStatus, CustomerID string
	SKU                               string
	ExternalSource, ExternalRef       string
	PlacedFrom, PlacedTo              time.Time // from inclusive, to exclusive
}

// OrderKey is the place of an order in the list.
type OrderKey struct {
	PlacedAt time.Time
	OrderID  string
}

// OrderQueries reads the list of orders.
type OrderQueries struct{ DB *sql.DB }

const orderColumns = `order_id, number, customer_id, status, payment_status, fulfilment_status, currency,
	subtotal, discount, shipping, tax, total, authorised, line_count, ship_to_country,
	external_source, external_ref, external_time, placed_at, updated_at, revision`

// List returns up to limit orders, newest first, that come after a place in
// the list; nil is its beginning.
func (q OrderQueries) List(ctx context.Context, filter OrderFilter, after *OrderKey, limit int) ([]OrderRow, error) {
	query, args := filter.query(after)
	rows, err := q.DB.QueryContext(ctx, query, append(args, limit)...)
	return rowsOf(rows, err, scanOrder)
}

// query writes the statement of a list: a walk along one index, from where the
// last page ended.
func (f OrderFilter) query(after *OrderKey) (query string, args []any) {
	var conditions []string
	where := func(condition string, values ...any) {
		conditions = append(conditions, condition)
		args = append(args, values...)
	}
	for _, equal := range []struct{ column, value string }{
		{"customer_id", f.CustomerID},
		{"external_source", f.ExternalSource},
		{"external_ref", f.ExternalRef},
		{"status", f.Status},
		{"payment_status", f.PaymentStatus},
	} {
		if equal.value != "" {
			where(equal.column+" = ?", equal.value)
		}
	}
	if f.ExternalRef != "" {
		where("external_ref <> ''") // lets the partial index serve
	}
	if f.SKU != "" {
		where("order_id IN (SELECT order_id FROM order_lines WHERE sku = ?)", f.SKU)
	}
	if !f.PlacedFrom.IsZero() {
		where("placed_at >= ?", millis(f.PlacedFrom))
	}
	if !f.PlacedTo.IsZero() {
		where("placed_at < ?", millis(f.PlacedTo))
	}
	if after != nil {
		where("(placed_at, order_id) < (?, ?)", millis(after.PlacedAt), after.OrderID)
	}
	query = "SELECT " + orderColumns + " FROM orders"
	if len(conditions) > 0 {
		query += " WHERE " + strings.Join(conditions, " AND ")
	}
	return query + " ORDER BY placed_at DESC, order_id DESC LIMIT ?", args
}

// Get returns an order, or [ErrNotFound].
func (q OrderQueries) Get(ctx context.Context, orderID string) (OrderRow, error) {
	return q.one(ctx, `order_id`, orderID)
}

// ByNumber returns the order with a number, or [ErrNotFound].
func (q OrderQueries) ByNumber(ctx context.Context, number string) (OrderRow, error) {
	return q.one(ctx, `number`, number)
}

func (q OrderQueries) one(ctx context.Context, column, value string) (OrderRow, error) {
	row, err := scanOrder(q.DB.QueryRowContext(ctx, "SELECT "+orderColumns+" FROM orders WHERE "+column+" = ?", value)) //nolint:gosec // the column is ours
	if errors.Is(err, sql.ErrNoRows) {
		return row, ErrNotFound
	}
	if err != nil {
		return row, fmt.Errorf("read order %s: %w", value, err)
	}
	return row, nil
}

func scanOrder[R interface{ Scan(...any) error }](row R) (OrderRow, error) {
	var o OrderRow
	var currency string
	var external, placed, updated int64
	err := row.Scan(&o.OrderID, &o.Number, &o.CustomerID, &o.Status, &o.PaymentStatus, &o.FulfilmentStatus, &currency,
		&o.Totals.Subtotal.Amount, &o.Totals.Discount.Amount, &o.Totals.Shipping.Amount, &o.Totals.Tax.Amount, &o.Totals.Grand.Amount,
		&o.Authorised.Amount, &o.LineCount, &o.ShipToCountry,
		&o.External.Source, &o.External.Ref, &external, &placed, &updated, &o.Revision)
	for _, money := range []*domain.Money{
		&o.Totals.Subtotal, &o.Totals.Discount, &o.Totals.Shipping, &o.Totals.Tax, &o.Totals.Grand, &o.Authorised,
	} {
		money.Currency = currency
	}
	o.External.Time, o.PlacedAt, o.UpdatedAt = fromMillis(external), fromMillis(placed), fromMillis(updated)
	return o, err
}
