package projections

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
)

// editOrder brings the rows of an order to what its own fold says after an edit.
func editOrder(ctx context.Context, tx *Tx, r eventstore.Recorded, e order.OrderEdited) error {
	c, err := readOrder(ctx, tx, r.Stream)
	if err != nil || r.Revision <= c.known {
		return err
	}
	before := c.state
	c.state = order.Decider.Evolve(before, e)
	for _, step := range []func() error{
		func() error { return c.write(ctx, tx, r) },
		func() error { return c.writeLines(ctx, tx, before) },
		func() error { return c.keep(ctx, tx) },
		func() error { return c.edit(ctx, tx, e) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// changing is an order that events change. The rules of the domain are asked and
// not written again in SQL; what they need of the past is kept beside the row, for
// orders to which something happened. Most have only been placed, and cost nothing
// for it.
type changing struct {
	orderID  string
	placedAt int64
	state    order.State         // as much of it as [keptOrder] keeps
	kept     string              // as it was read
	known    eventstore.Revision // up to which it is in state
}

// readOrder returns an order as far as it is written.
func readOrder(ctx context.Context, tx *Tx, stream string) (*changing, error) {
	c := &changing{orderID: stream[len(order.Decider.Stream("")):]}
	var placed order.OrderPlaced
	err := tx.QueryRow(ctx, `
		SELECT o.revision, o.placed_at, o.currency, o.payment_id, o.authorised, coalesce(s.state, '')
		FROM orders o LEFT JOIN order_states s ON s.order_id = o.order_id WHERE o.order_id = ?`, c.orderID).
		Scan(&c.known, &c.placedAt, &placed.Currency, &placed.PaymentID, &placed.Authorised.Amount, &c.kept)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, fmt.Errorf("order %s was not placed", c.orderID)
	case err != nil:
		return nil, fmt.Errorf("read order %s: %w", c.orderID, err)
	}
	if c.kept != "" {
		var kept keptOrder
		if err := json.Unmarshal([]byte(c.kept), &kept); err != nil {
			return nil, fmt.Errorf("read the state of order %s: %w", c.orderID, err)
		}
		c.state = kept.state(c.orderID)
		return c, nil
	}
	placed.OrderID, placed.Authorised.Currency = c.orderID, placed.Currency
	if placed.Lines, err = placedLines(ctx, tx, c.orderID); err != nil {
		return nil, err
	}
	c.state = order.Decider.Evolve(order.State{}, placed)
	return c, nil
}

func placedLines(ctx context.Context, tx *Tx, orderID string) ([]order.Line, error) {
	rows, err := tx.Query(ctx, `SELECT line_id, quantity FROM order_lines WHERE order_id = ? ORDER BY line_id`, orderID)
	return rowsOf(rows, err, func(rows *sql.Rows) (l order.Line, err error) {
		return l, rows.Scan(&l.LineID, &l.Quantity)
	})
}

// write writes what follows from the state, but for what an edit says itself.
func (c *changing) write(ctx context.Context, tx *Tx, r eventstore.Recorded) error {
	row, err := c.row(r)
	if err != nil {
		return err
	}
	return tx.Exec(ctx, `
		UPDATE orders SET status = ?, payment_status = ?, fulfilment_status = ?, hold_reason = ?, tags = ?,
			authorised = ?, captured = ?, refunded = ?, line_count = ?, updated_at = ?, revision = ?
		WHERE order_id = ?`, append(row, c.orderID)...)
}

// row is what of the row follows from the state.
func (c *changing) row(r eventstore.Recorded) ([]any, error) {
	s, reason, tags := c.state, "", "[]"
	if n := len(s.Holds); n > 0 {
		reason = string(s.Holds[n-1].Reason)
	}
	if len(s.Tags) > 0 { // most have none
		text, err := json.Marshal(s.Tags)
		if err != nil {
			return nil, fmt.Errorf("write the tags of order %s: %w", c.orderID, err)
		}
		tags = string(text)
	}
	money := s.Money()
	return []any{
		string(s.Status), string(s.PaymentStatus()), string(s.FulfilmentStatus()), reason, tags,
		authorised(s), money.Captured.Amount, money.Refunded.Amount, len(s.Lines), millis(r.Created), int64(r.Revision),
	}, nil
}

// authorised is what the payments of an order were ever good for.
func authorised(s order.State) int64 {
	if len(s.Payments) == 0 {
		return s.Authorised.Amount
	}
	var sum int64
	for _, p := range s.Payments {
		sum += p.Totals.Authorised.Amount
	}
	return sum
}

// writeLines writes how far units are, where that has changed.
func (c *changing) writeLines(ctx context.Context, tx *Tx, before order.State) error {
	for _, line := range c.state.Lines {
		p := c.state.Progress(line.LineID)
		if p == before.Progress(line.LineID) {
			continue
		}
		err := tx.Exec(ctx, `UPDATE order_lines SET shipped = ?, delivered = ?, returned = ?, cancelled = ? WHERE order_id = ? AND line_id = ?`,
			p.Shipped, p.Delivered, p.Returned, p.Cancelled, c.orderID, line.LineID)
		if err != nil {
			return err
		}
	}
	return nil
}

// edit writes new totals and the lines that are not as they were.
func (c *changing) edit(ctx context.Context, tx *Tx, e order.OrderEdited) error {
	err := tx.Exec(ctx, `UPDATE orders SET subtotal = ?, discount = ?, shipping = ?, tax = ?, total = ? WHERE order_id = ?`,
		e.Totals.Subtotal.Amount, e.Totals.Discount.Amount, e.Totals.Shipping.Amount, e.Totals.Tax.Amount, e.Totals.Grand.Amount, c.orderID)
	for _, change := range e.Changes {
		if err != nil {
			return err
		}
		if change.QuantityTo == 0 {
			err = tx.Exec(ctx, `DELETE FROM order_lines WHERE order_id = ? AND line_id = ?`, c.orderID, change.LineID)
			continue
		}
		err = tx.Exec(ctx, insertEditedLine+` DO UPDATE SET sku = excluded.sku, title = excluded.title, quantity = excluded.quantity,
			unit_price = excluded.unit_price, total = excluded.total, location = excluded.location`,
			c.orderID, change.LineID, change.SKU, change.Title, change.QuantityTo, change.UnitPrice.Amount, change.Total.Amount, change.Location, c.placedAt)
	}
	return err
}

// tag keeps the list by tags.
func (c *changing) tag(ctx context.Context, tx *Tx, e order.OrderTagged) error {
	for _, tag := range slices.Concat(e.Add, e.Remove) {
		query := `DELETE FROM order_tags WHERE tag = ? AND placed_at = ? AND order_id = ?`
		if slices.Contains(c.state.Tags, tag) {
			query = `INSERT INTO order_tags (tag, placed_at, order_id) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`
		}
		if err := tx.Exec(ctx, query, tag, c.placedAt, c.orderID); err != nil {
			return err
		}
	}
	return nil
}

// keep remembers the state for the next event.
func (c *changing) keep(ctx context.Context, tx *Tx) error {
	state, err := c.stateText()
	if err != nil || state == c.kept {
		return err
	}
	return insertStates.run(ctx, tx, []any{c.orderID, state})
}

func (c *changing) stateText() (string, error) {
	state, err := json.Marshal(keptOrderOf(c.state))
	if err != nil {
		return "", fmt.Errorf("keep the state of order %s: %w", c.orderID, err)
	}
	return string(state), nil
}

// keptOrder is what of an order's state its rows, now or after another event,
// depend on. What is over is left out.
type keptOrder struct {
	Status         order.Status              `json:"status"`
	HeldFrom       order.Status              `json:"held_from,omitempty"`
	CancellingFrom order.Status              `json:"cancelling_from,omitempty"`
	Currency       string                    `json:"currency"`
	Authorised     int64                     `json:"authorised"`
	Hold           order.HoldReason          `json:"hold,omitempty"`
	Tags           []string                  `json:"tags,omitempty"`
	Lines          []order.Units             `json:"lines"`
	Progress       map[string]order.Progress `json:"progress,omitempty"`
	Shipments      []keptParcel              `json:"shipments,omitempty"` // under way
	Payments       []keptPayment             `json:"payments,omitempty"`
}

type keptParcel struct {
	ID    string        `json:"id"`
	Units []order.Units `json:"units"`
}

type keptPayment struct {
	ID          string `json:"id"`
	Authorised  int64  `json:"authorised"`
	Captured    int64  `json:"captured,omitempty"`
	Refunded    int64  `json:"refunded,omitempty"`
	ChargedBack int64  `json:"charged_back,omitempty"`
	Voided      bool   `json:"voided,omitempty"`
	Expired     bool   `json:"expired,omitempty"`
	Final       bool   `json:"final,omitempty"`
}

func keptOrderOf(s order.State) keptOrder {
	k := keptOrder{
		Status: s.Status, HeldFrom: s.HeldFrom, CancellingFrom: s.CancellingFrom, Currency: s.Currency, Authorised: s.Authorised.Amount,
		Tags: s.Tags, Progress: map[string]order.Progress{},
	}
	for line, p := range s.PerLine {
		p.Returning = 0 // the returns are not kept that it counts, and no row depends on it
		k.Progress[line] = p
	}
	if n := len(s.Holds); n > 0 {
		k.Hold = s.Holds[n-1].Reason
	}
	for _, l := range s.Lines {
		k.Lines = append(k.Lines, order.Units{LineID: l.LineID, Quantity: l.Quantity})
	}
	for _, p := range s.Shipments {
		if !p.Delivered {
			k.Shipments = append(k.Shipments, keptParcel{p.Shipped.ShipmentID, p.Shipped.Lines})
		}
	}
	for _, p := range s.Payments {
		k.Payments = append(k.Payments, keptPayment{
			p.PaymentID, p.Totals.Authorised.Amount, p.Totals.Captured.Amount, p.Totals.Refunded.Amount, p.ChargedBack.Amount,
			p.Voided, p.Expired, p.Final,
		})
	}
	return k
}

func (k keptOrder) state(orderID string) order.State {
	amount := func(n int64) domain.Money { return domain.Money{Amount: n, Currency: k.Currency} }
	s := order.State{
		OrderID: orderID, Status: k.Status, HeldFrom: k.HeldFrom, CancellingFrom: k.CancellingFrom, Currency: k.Currency,
		Authorised: amount(k.Authorised), Tags: k.Tags, PerLine: k.Progress,
	}
	if k.Hold != "" {
		s.Holds = []order.OrderHeld{{Reason: k.Hold}}
	}
	for _, l := range k.Lines {
		s.Lines = append(s.Lines, order.Line{LineID: l.LineID, Quantity: l.Quantity})
	}
	for _, p := range k.Shipments {
		s.Shipments = append(s.Shipments, order.Shipment{Shipped: order.OrderShipped{ShipmentID: p.ID, Lines: p.Units}})
	}
	for _, p := range k.Payments {
		s.Payments = append(s.Payments, order.Payment{
			PaymentID: p.ID, ChargedBack: amount(p.ChargedBack), Voided: p.Voided, Expired: p.Expired, Final: p.Final,
			Totals: order.PaymentTotals{Authorised: amount(p.Authorised), Captured: amount(p.Captured), Refunded: amount(p.Refunded)},
		})
	}
	return s
}
