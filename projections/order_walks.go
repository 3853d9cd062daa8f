package projections

import (
	"context"
	"fmt"
	"strings"
)

// way is an index that has the orders with one of the things that are asked for,
// in the order of their list. The zero value is that of all orders.
type way struct {
	table, column, value string

	also      string // a condition of the walk along it
	condition string // on an order of another walk; none is that its column has the value
}

// Conditions on what belongs to an order, whose KEY is in the table that the walk
// goes along: the order itself is then read only where it has all of them. An
// order with two lines of a SKU is listed with the first of them: to group them
// SQLite would sort all orders that have the SKU, for each page.
const (
	hasTag         = "EXISTS (SELECT 1 FROM order_tags t WHERE t.tag = ? AND t.placed_at = KEY.placed_at AND t.order_id = KEY.order_id)"
	hasSKU         = "EXISTS (SELECT 1 FROM order_lines l WHERE l.order_id = KEY.order_id AND l.sku = ?)"
	firstLineOfSKU = "l.line_id = (SELECT min(f.line_id) FROM order_lines f WHERE f.sku = l.sku AND f.placed_at = l.placed_at AND f.order_id = l.order_id)"
)

// ways are those of a filter, what has the fewest orders as a rule first.
func (f OrderFilter) ways() (ways []way) {
	for _, w := range []way{
		{table: "orders o", column: "o.external_ref", value: f.ExternalRef, also: "o.external_ref <> ''"}, // lets the partial index serve
		{table: "orders o", column: "o.customer_id", value: f.CustomerID},
		{table: "order_tags t", column: "t.tag", value: f.Tag, condition: hasTag},
		{table: "order_lines l", column: "l.sku", value: f.SKU, also: firstLineOfSKU, condition: hasSKU},
		{table: "orders o", column: "o.external_source", value: f.ExternalSource, also: "o.external_source <> ''"}, // as above
		{table: "orders o", column: "o.status", value: f.Status},
		{table: "orders o", column: "o.payment_status", value: f.PaymentStatus},
	} {
		if w.value != "" {
			ways = append(ways, w)
		}
	}
	return ways
}

// alias is what the way's table is called in a statement.
func (a way) alias() string {
	if a.table == "" {
		return "o"
	}
	return a.table[strings.LastIndexByte(a.table, ' ')+1:]
}

// begin makes a list one along the way.
func (a way) begin(w *listing) {
	w.from = "orders o"
	w.key = []string{a.alias() + ".placed_at", a.alias() + ".order_id"}
	if a.column == "" {
		return
	}
	w.from = a.table
	w.where(a.column+" = ?", a.value)
	if a.also != "" {
		w.where(a.also)
	}
}

// lookAt makes it a condition on orders that something else leads to. The +
// keeps SQLite, which does not know which is rarer, from walking along the index
// of a column instead.
func (a way) lookAt(w *listing, along way) {
	if a.condition != "" {
		w.where(strings.ReplaceAll(a.condition, "KEY", along.alias()), a.value)
		return
	}
	w.where("+"+a.column+" = ?", a.value)
	if a.also != "" { // Postgres may find its partial index of use
		w.where("+" + a.also)
	}
}

// fewOrders are read one by one without anybody noticing.
const fewOrders = 500

// rarest finds the way that is to be walked: the first that has few orders from
// a place on, or else the one whose next few reach farthest, for the orders in it
// are the farthest apart.
func (q OrderQueries) rarest(ctx context.Context, f OrderFilter, after *OrderKey) (rarest way, err error) {
	ways := f.ways()
	if len(ways) == 1 {
		return ways[0], nil
	}
	var farthest int64
	for i, along := range ways {
		n, first, last, err := q.reach(ctx, f, after, along)
		if err != nil {
			return way{}, err
		}
		if n < fewOrders {
			return along, nil
		}
		reached := last
		if !f.OldestFirst {
			reached = -first
		}
		if i == 0 || reached > farthest {
			rarest, farthest = along, reached
		}
	}
	return rarest, nil
}

// reach looks at the next few orders of a way: how many they are, and between
// which times. It reads the index alone.
func (q OrderQueries) reach(ctx context.Context, f OrderFilter, after *OrderKey, along way) (n, first, last int64, err error) {
	query, args := f.reach(after, along)
	if err := q.DB.QueryRowContext(ctx, query, args...).Scan(&n, &first, &last); err != nil {
		return 0, 0, 0, fmt.Errorf("look how many orders a list has: %w", err)
	}
	return n, first, last, nil
}

func (f OrderFilter) reach(after *OrderKey, along way) (string, []any) {
	w := listing{ascending: f.OldestFirst}
	if along.condition != "" {
		along.also = "" // which would be read for each line
	}
	along.begin(&w)
	f.stretch(&w, after)
	w.columns = w.key[0] + " AS place"
	query, args := w.query()
	return counted(query), append(args, fewOrders)
}
