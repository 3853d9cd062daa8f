package projections

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/waybill-dev/waybill/database"
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
	along, err := q.rarest(ctx, filter, after)
	if err != nil {
		return nil, err
	}
	query, args := filter.statement(orderColumns, after, along)
	rows, err := q.DB.QueryContext(ctx, query, append(args, limit)...)
	return rowsOf(rows, err, scanOrder)
}

// statement writes the statement of a list with some columns; none is the place
// of each order alone. It is a walk along one index, from where the last page
// ended.
func (f OrderFilter) statement(columns string, after *OrderKey, along way) (query string, args []any) {
	w := listing{ascending: f.OldestFirst}
	f.walk(&w, along)
	f.stretch(&w, after)
	w.columns = cmp.Or(columns, w.key[0]+" AS place")
	return w.query()
}

// stretch narrows a list to the time that is asked for and what comes after a
// place.
func (f OrderFilter) stretch(w *listing, after *OrderKey) {
	var place []any
	if after != nil {
		place = []any{millis(after.PlacedAt), after.OrderID}
	}
	w.stretch(f.PlacedFrom, f.PlacedTo, place...)
}

// walk goes along an index. What else is asked is looked at order by order. A
// CROSS JOIN keeps SQLite from beginning at the other end.
func (f OrderFilter) walk(w *listing, along way) {
	along.begin(w)
	if along.alias() != "o" {
		w.from += " CROSS JOIN orders o"
		w.where("o.order_id = " + along.alias() + ".order_id")
	}
	for _, asked := range f.ways() {
		if asked.column != along.column {
			asked.lookAt(w, along)
		}
	}
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

func scanOrder[R database.Row](row R) (OrderRow, error) {
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
