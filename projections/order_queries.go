package projections

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
)

// OrderRow is one order of the list.
type OrderRow struct {
	OrderID, Number, CustomerID             string
	Status, PaymentStatus, FulfilmentStatus string
	HoldReason                              string // of the last hold in force
	Tags                                    []string
	Totals                                  order.Totals // as edited
	Authorised, Captured, Refunded          domain.Money // over all payments
	LineCount                               int
	ShipToCountry                           string
	External                                order.External // zero where the order began here
	PlacedAt, UpdatedAt                     time.Time
	Revision                                eventstore.Revision
}

// OrderFilter narrows a list of orders; zero fields do not.
type OrderFilter struct {
	Status, PaymentStatus, CustomerID string
	SKU, Tag                          string
	ExternalSource, ExternalRef       string
	PlacedFrom, PlacedTo              time.Time // from inclusive, to exclusive
	OldestFirst                       bool      // instead of the newest
}

// OrderKey is the place of an order in the list.
type OrderKey struct {
	PlacedAt time.Time
	OrderID  string
}

// OrderQueries reads the list of orders.
type OrderQueries struct{ DB *sql.DB }

const orderColumns = `o.order_id, number, customer_id, status, payment_status, fulfilment_status, hold_reason, tags, currency,
	subtotal, discount, shipping, tax, o.total, authorised, captured, refunded, line_count, ship_to_country,
	external_source, external_ref, external_time, o.placed_at, updated_at, revision`

// List returns up to limit orders that come after a place in the list; nil is
// its beginning.
func (q OrderQueries) List(ctx context.Context, filter OrderFilter, after *OrderKey, limit int) ([]OrderRow, error) {
	query, args := filter.query(after)
	rows, err := q.DB.QueryContext(ctx, query, append(args, limit)...)
	return rowsOf(rows, err, scanOrder)
}

// query writes the statement of a list: a walk along one index, from where the
// last page ended. The index is that of the orders, of a tag or of a SKU; a
// CROSS JOIN keeps SQLite from beginning at the other end.
func (f OrderFilter) query(after *OrderKey) (query string, args []any) {
	return f.statement(orderColumns, after)
}

// statement writes the statement of a list with some columns; none is the place
// of each order alone.
func (f OrderFilter) statement(columns string, after *OrderKey) (query string, args []any) {
	var conditions []string
	where := func(condition string, values ...any) {
		conditions = append(conditions, condition)
		args = append(args, values...)
	}
	from, walk, group := "orders o", "o", ""
	switch {
	case f.Tag != "":
		from, walk = "order_tags t CROSS JOIN orders o", "t"
		where("o.order_id = t.order_id")
		where("t.tag = ?", f.Tag)
		if f.SKU != "" {
			where("EXISTS (SELECT 1 FROM order_lines l WHERE l.order_id = o.order_id AND l.sku = ?)", f.SKU)
		}
	case f.SKU != "":
		from, walk = "order_lines l CROSS JOIN orders o", "l"
		where("o.order_id = l.order_id")
		group = " GROUP BY l.placed_at, l.order_id, o.order_id" // an order with two lines of it is one
		where("l.sku = ?", f.SKU)
	}
	for _, equal := range []struct{ column, value string }{
		{"o.customer_id", f.CustomerID},
		{"o.external_source", f.ExternalSource},
		{"o.external_ref", f.ExternalRef},
		{"o.status", f.Status},
		{"o.payment_status", f.PaymentStatus},
	} {
		if equal.value != "" {
			where(equal.column+" = ?", equal.value)
		}
	}
	if f.ExternalRef != "" {
		where("o.external_ref <> ''") // lets the partial index serve
	}
	key, direction, beyond := walk+".placed_at", " DESC", "<"
	if f.OldestFirst {
		direction, beyond = "", ">"
	}
	placedFrom, placedTo, place := f.PlacedFrom, f.PlacedTo, false
	if after != nil {
		placedFrom, placedTo, place = narrower(f.OldestFirst, placedFrom, placedTo, millis(after.PlacedAt))
	}
	if !placedFrom.IsZero() {
		where(key+" >= ?", millis(placedFrom))
	}
	if !placedTo.IsZero() {
		where(key+" < ?", millis(placedTo))
	}
	if place {
		where("("+key+", "+walk+".order_id) "+beyond+" (?, ?)", millis(after.PlacedAt), after.OrderID)
	}
	query = "SELECT " + cmp.Or(columns, key+" AS place") + " FROM " + from
	if len(conditions) > 0 {
		query += " WHERE " + strings.Join(conditions, " AND ")
	}
	return query + group + " ORDER BY " + key + direction + ", " + walk + ".order_id" + direction + " LIMIT ?", args
}

// Get returns an order, or [ErrNotFound].
func (q OrderQueries) Get(ctx context.Context, orderID string) (OrderRow, error) {
	return q.one(ctx, `o.order_id`, orderID)
}

// ByNumber returns the order with a number, or [ErrNotFound].
func (q OrderQueries) ByNumber(ctx context.Context, number string) (OrderRow, error) {
	return q.one(ctx, `number`, number)
}

func (q OrderQueries) one(ctx context.Context, column, value string) (OrderRow, error) {
	row, err := scanOrder(q.DB.QueryRowContext(ctx, oneOrder(column), value))
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
	var currency, tags string
	var external, placed, updated int64
	err := row.Scan(&o.OrderID, &o.Number, &o.CustomerID, &o.Status, &o.PaymentStatus, &o.FulfilmentStatus, &o.HoldReason, &tags, &currency,
		&o.Totals.Subtotal.Amount, &o.Totals.Discount.Amount, &o.Totals.Shipping.Amount, &o.Totals.Tax.Amount, &o.Totals.Grand.Amount,
		&o.Authorised.Amount, &o.Captured.Amount, &o.Refunded.Amount, &o.LineCount, &o.ShipToCountry,
		&o.External.Source, &o.External.Ref, &external, &placed, &updated, &o.Revision)
	for _, money := range []*domain.Money{
		&o.Totals.Subtotal, &o.Totals.Discount, &o.Totals.Shipping, &o.Totals.Tax, &o.Totals.Grand, &o.Authorised, &o.Captured, &o.Refunded,
	} {
		money.Currency = currency
	}
	o.External.Time, o.PlacedAt, o.UpdatedAt = fromMillis(external), fromMillis(placed), fromMillis(updated)
	if err == nil && tags != "[]" { // most have none
		err = json.Unmarshal([]byte(tags), &o.Tags)
	}
	return o, err
}

// oneOrder reads an order by a column of ours.
func oneOrder(column string) string {
	return "SELECT " + orderColumns + " FROM orders o WHERE " + column + " = ?" //nolint:gosec // see above
}
