package projections

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
)

// ApplyPage implements [Pager]: an order is written once for all that a page
// says of it, and new orders together.
func (Orders) ApplyPage(ctx context.Context, tx *Tx, events []eventstore.Recorded) error {
	p := orderPage{tx: tx, orders: map[string]*pagedOrder{}}
	for _, r := range events {
		if err := p.add(ctx, r); err != nil {
			return err
		}
	}
	return p.write(ctx)
}

// orderPage is what a page of events has of orders and did not write yet.
type orderPage struct {
	tx     *Tx
	orders map[string]*pagedOrder // by stream
}

// pagedOrder is an order that a page places, changes, or both.
type pagedOrder struct {
	placed  *order.OrderPlaced // nil where an earlier page has it
	first   eventstore.Recorded
	changed *changing // nil while it is only placed
	before  order.State
	last    eventstore.Recorded
}

func (p *orderPage) add(ctx context.Context, r eventstore.Recorded) error {
	event, err := r.Decode()
	if err != nil {
		return err
	}
	e, ok := event.(order.Event)
	if !ok {
		return fmt.Errorf("%T is no event of an order", event)
	}
	known := p.orders[r.Stream]
	if placed, first := e.(order.OrderPlaced); first {
		if known == nil {
			p.orders[r.Stream] = &pagedOrder{placed: &placed, first: r, last: r}
		}
		return nil
	}
	if edited, ok := e.(order.OrderEdited); ok { // which is rare, and about lines that have to be there
		if err := p.write(ctx); err != nil {
			return err
		}
		return editOrder(ctx, p.tx, r, edited)
	}
	if known == nil {
		known = &pagedOrder{}
		p.orders[r.Stream] = known
	}
	return p.change(ctx, known, r, e)
}

// change folds an event onto what is known of an order.
func (p *orderPage) change(ctx context.Context, o *pagedOrder, r eventstore.Recorded, e order.Event) error {
	if o.changed == nil {
		if err := p.begin(ctx, o, r); err != nil {
			return err
		}
	}
	c := o.changed
	if r.Revision <= c.known {
		return nil // it has been
	}
	c.state, c.known, o.last = order.Decider.Evolve(c.state, e), r.Revision, r
	c.state = keptOrderOf(c.state).state(c.orderID) // as if every event had a page of its own
	if err := changeParts(ctx, p.tx, c.orderID, r, e); err != nil {
		return err
	}
	if tagged, ok := e.(order.OrderTagged); ok {
		return c.tag(ctx, p.tx, tagged)
	}
	return nil
}

// begin finds what an order is changed from.
func (p *orderPage) begin(ctx context.Context, o *pagedOrder, r eventstore.Recorded) error {
	if o.placed != nil {
		there, err := p.there(ctx, o.placed.OrderID)
		if err != nil {
			return err
		}
		if !there {
			o.changed = o.begun()
			return nil
		}
		o.placed, o.last = nil, eventstore.Recorded{} // the page came before
	}
	c, err := readOrder(ctx, p.tx, r.Stream)
	if err != nil {
		return err
	}
	o.changed, o.before = c, c.state
	return nil
}

// begun is what [readOrder] reads of an order that was only placed.
func (o *pagedOrder) begun() *changing {
	e := order.OrderPlaced{OrderID: o.placed.OrderID, Currency: o.placed.Currency, PaymentID: o.placed.PaymentID, Authorised: o.placed.Authorised}
	for _, l := range o.placed.Lines {
		e.Lines = append(e.Lines, order.Line{LineID: l.LineID, Quantity: l.Quantity})
	}
	slices.SortFunc(e.Lines, func(a, b order.Line) int { return strings.Compare(a.LineID, b.LineID) })
	e.Authorised.Currency = e.Currency
	return &changing{
		orderID: e.OrderID, placedAt: millis(o.placed.PlacedAt), known: o.first.Revision, state: order.Decider.Evolve(order.State{}, e),
	}
}

func (p *orderPage) there(ctx context.Context, orderID string) (bool, error) {
	var one int
	err := p.tx.QueryRow(ctx, `SELECT 1 FROM orders WHERE order_id = ?`, orderID).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// write writes all of it, in the order of the key, so that what stands together
// is written together.
func (p *orderPage) write(ctx context.Context) error {
	all := make([]*pagedOrder, 0, len(p.orders))
	for _, o := range p.orders {
		all = append(all, o)
	}
	slices.SortFunc(all, func(a, b *pagedOrder) int { return strings.Compare(a.id(), b.id()) })
	clear(p.orders)
	if err := p.writePlaced(ctx, all); err != nil {
		return err
	}
	return p.writeChanges(ctx, all)
}

// writePlaced writes new orders as they are at the end of the page.
func (p *orderPage) writePlaced(ctx context.Context, all []*pagedOrder) error {
	var placed, placedLines, changed, changedLines []any
	for _, o := range all {
		switch {
		case o.placed == nil:
		case o.changed == nil:
			placed = append(appendPlaced(placed, o.placed), o.placed.Authorised.Amount, len(o.placed.Lines), millis(o.first.Created), int64(o.first.Revision))
			for _, l := range o.placed.Lines {
				placedLines = appendLine(placedLines, o.placed, l)
			}
		default:
			row, err := o.changed.row(o.last)
			if err != nil {
				return err
			}
			changed = append(appendPlaced(changed, o.placed), row...)
			for _, l := range o.placed.Lines {
				u := o.changed.state.Progress(l.LineID)
				changedLines = append(appendLine(changedLines, o.placed, l), u.Shipped, u.Delivered, u.Returned, u.Cancelled)
			}
		}
	}
	for _, rows := range []struct {
		into   insert
		values []any
	}{{insertPlacedOrders, placed}, {insertPlacedLines, placedLines}, {insertChangedOrders, changed}, {insertChangedLines, changedLines}} {
		if err := rows.into.run(ctx, p.tx, rows.values); err != nil {
			return err
		}
	}
	return nil
}

// writeChanges writes what else is known of orders that did not stay as they
// were placed.
func (p *orderPage) writeChanges(ctx context.Context, all []*pagedOrder) error {
	var states []any
	for _, o := range all {
		c := o.changed
		if c == nil || o.last.Stream == "" {
			continue // all of it has been
		}
		if o.placed == nil {
			if err := c.write(ctx, p.tx, o.last); err != nil {
				return err
			}
			if err := c.writeLines(ctx, p.tx, o.before); err != nil {
				return err
			}
		}
		state, err := c.stateText()
		if err != nil {
			return err
		}
		if state != c.kept {
			states = append(states, c.orderID, state)
		}
	}
	return insertStates.run(ctx, p.tx, states)
}

func (o *pagedOrder) id() string {
	if o.placed != nil {
		return o.placed.OrderID
	}
	return o.changed.orderID
}

func appendPlaced(values []any, e *order.OrderPlaced) []any {
	return append(values,
		e.OrderID, e.Number, e.CustomerID, e.Currency,
		e.Totals.Subtotal.Amount, e.Totals.Discount.Amount, e.Totals.Shipping.Amount, e.Totals.Tax.Amount, e.Totals.Grand.Amount,
		e.PaymentID, e.ShipToCountry, e.External.Source, e.External.Ref, millis(e.External.Time), millis(e.PlacedAt))
}

func appendLine(values []any, e *order.OrderPlaced, l order.Line) []any {
	return append(values, e.OrderID, l.LineID, l.SKU, l.Title, l.Quantity, l.UnitPrice.Amount, l.Total.Amount, l.Location, millis(e.PlacedAt))
}

const (
	placedColumns = `order_id, number, customer_id, currency, subtotal, discount, shipping, tax, total, payment_id, ship_to_country,
		external_source, external_ref, external_time, placed_at, `
	placedValues = `?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, `
	lineColumns  = `order_id, line_id, sku, title, quantity, unit_price, total, location, placed_at`

	insertEditedLine = `INSERT INTO order_lines (` + lineColumns + `) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (order_id, line_id)`
)

//nolint:gochecknoglobals // texts that are put together once
var (
	insertPlacedOrders = newRows(`(`+placedValues+`?, ?, 'placed', 'authorised', 'unfulfilled', ?, ?)`,
		`INSERT OR FAIL INTO orders (`+placedColumns+`authorised, line_count, status, payment_status, fulfilment_status, updated_at, revision)`,
		`ON CONFLICT (order_id) DO NOTHING`)
	insertPlacedLines   = newInsert(9, `INSERT OR FAIL INTO order_lines (`+lineColumns+`)`, `ON CONFLICT (order_id, line_id) DO NOTHING`)
	insertChangedOrders = newInsert(26, `INSERT OR FAIL INTO orders (`+placedColumns+`status, payment_status, fulfilment_status, hold_reason, tags,
		authorised, captured, refunded, line_count, updated_at, revision)`, `ON CONFLICT (order_id) DO NOTHING`)
	insertChangedLines = newInsert(13, `INSERT OR FAIL INTO order_lines (`+lineColumns+`, shipped, delivered, returned, cancelled)`,
		`ON CONFLICT (order_id, line_id) DO NOTHING`)
	insertStates = newInsert(2, `INSERT OR FAIL INTO order_states (order_id, state)`, `ON CONFLICT (order_id) DO UPDATE SET state = excluded.state`)
)
