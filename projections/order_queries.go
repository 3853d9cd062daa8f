package projections

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
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
// last page ended.
func (f OrderFilter) query(after *OrderKey) (query string, args []any) {
	return f.statement(orderColumns, after)
}

// statement writes the statement of a list with some columns; none is the place
// of each order alone.
func (f OrderFilter) statement(columns string, after *OrderKey) (query string, args []any) {
	w := listing{ascending: f.OldestFirst}
	f.walk(&w)
	var place []any
	if after != nil {
		place = []any{millis(after.PlacedAt), after.OrderID}
	}
	w.stretch(f.PlacedFrom, f.PlacedTo, place...)
	w.columns = cmp.Or(columns, w.key[0]+" AS place")
	return w.query()
}

// walk chooses the index: that of a reference or a customer, who have few
// orders, of a tag, of a SKU, or of the orders. What else is asked is looked at
// order by order, and said so that SQLite, which does not know which is rarer,
// cannot walk along the index of that. A CROSS JOIN keeps it from beginning at
// the other end.
func (f OrderFilter) walk(w *listing) {
	few := f.ExternalRef != "" || f.CustomerID != ""
	along := "o"
	w.from = "orders o"
	switch {
	case few:
	case f.Tag != "":
		along, w.from = "t", "order_tags t CROSS JOIN orders o"
		w.where("o.order_id = t.order_id")
		w.where("t.tag = ?", f.Tag)
	case f.SKU != "":
		along, w.from = "l", "order_lines l CROSS JOIN orders o"
		w.where("o.order_id = l.order_id")
		w.where("l.sku = ?", f.SKU)
		w.where(firstLineOfSKU)
	}
	if f.Tag != "" && along != "t" {
		w.where(hasTag, f.Tag)
	}
	if f.SKU != "" && along != "l" {
		w.where(hasSKU, f.SKU)
	}
	f.equals(w, few)
	w.key = []string{along + ".placed_at", along + ".order_id"}
}

// equals adds what an order has to be. Where a reference or a customer leads to
// it, everything else is computed.
func (f OrderFilter) equals(w *listing, few bool) {
	if f.ExternalRef != "" {
		w.where("o.external_ref <> ''") // lets the partial index serve
	} else if f.ExternalSource != "" && !few {
		w.where("o.external_source <> ''") // as above
	}
	leads := "o.customer_id"
	if f.ExternalRef != "" {
		leads = "o.external_ref"
	}
	for _, equal := range f.columns() {
		if few && equal.name != leads {
			equal.name += " || ''"
		}
		w.equal(equal.name, equal.value)
	}
}

type equalTo struct{ name, value string }

// columns are those of an order that a filter names a value of.
func (f OrderFilter) columns() []equalTo {
	return []equalTo{
		{"o.customer_id", f.CustomerID},
		{"o.external_source", f.ExternalSource},
		{"o.external_ref", f.ExternalRef},
		{"o.status", f.Status},
		{"o.payment_status", f.PaymentStatus},
	}
}

// Conditions on what belongs to an order. An order with two lines of a SKU is
// listed with the first of them: to group them SQLite would sort all orders that
// have the SKU, for each page.
const (
	hasTag         = "EXISTS (SELECT 1 FROM order_tags t WHERE t.tag = ? AND t.placed_at = o.placed_at AND t.order_id = o.order_id)"
	hasSKU         = "EXISTS (SELECT 1 FROM order_lines l WHERE l.order_id = o.order_id AND l.sku = ?)"
	firstLineOfSKU = "l.line_id = (SELECT min(f.line_id) FROM order_lines f WHERE f.sku = l.sku AND f.placed_at = l.placed_at AND f.order_id = l.order_id)"
)

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
