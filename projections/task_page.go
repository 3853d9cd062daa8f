package projections

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/domain/payment"
	"github.com/waybill-dev/waybill/domain/process"
	"github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/eventstore"
)

// ApplyPage implements [Pager]: what orders come to without any trouble, which
// is nearly everything, is put together. Whatever else happens to payments and
// orders finds all before it written.
func (p Tasks) ApplyPage(ctx context.Context, tx *Tx, events []eventstore.Recorded) error {
	page := newTaskPage(tx)
	for _, r := range events {
		taken, err := page.take(ctx, r)
		if err != nil {
			return err
		}
		if taken {
			continue
		}
		if err := page.write(ctx); err != nil {
			return err
		}
		if err := p.Apply(ctx, tx, r); err != nil {
			return err
		}
	}
	return page.write(ctx)
}

// taskPage is what a page has of payments and orders and did not write yet.
type taskPage struct {
	tx         *Tx
	requested  []*requestedPayment
	byID       map[string]*requestedPayment
	authorised []authorisedPayment
	placed     []placedOrder
	placedAt   map[string]eventstore.Position // orders
}

// requestedPayment is the row of a payment as its first events make it.
type requestedPayment struct {
	id, orderID                   string
	authorised, heldAt, expiresAt int64
	heldBy                        string
	revision                      int64
}

type authorisedPayment struct {
	tasks

	event   payment.PaymentAuthorised
	orderID string // empty where the payment was requested before this page
	written bool   // with the request
}

type placedOrder struct {
	tasks

	id string
}

func newTaskPage(tx *Tx) *taskPage {
	return &taskPage{tx: tx, byID: map[string]*requestedPayment{}, placedAt: map[string]eventstore.Position{}}
}

// take keeps what can be written together, and reports whether it did.
func (p *taskPage) take(ctx context.Context, r eventstore.Recorded) (bool, error) {
	event, err := r.Decode()
	if err != nil {
		return false, err
	}
	t := tasks{tx: p.tx, r: r}
	switch e := event.(type) {
	case payment.PaymentAuthorisationRequested:
		return !e.ByHand && p.request(e, int64(r.Revision)), nil // somebody's is looked after
	case payment.PaymentAuthorised:
		p.authorise(t, e)
		return true, nil
	case order.OrderPlaced:
		p.placed = append(p.placed, placedOrder{t, e.OrderID})
		p.placedAt[e.OrderID] = r.Position
		return true, t.capture(ctx, e)
	case stock.StockCommitted:
		return !strings.HasPrefix(e.ReservationID, stock.ForEdit), nil
	case stock.StockShortfallDetected:
		return false, nil
	case stock.Event:
		return true, nil
	}
	return false, nil
}

func (p *taskPage) request(e payment.PaymentAuthorisationRequested, revision int64) bool {
	if p.byID[e.PaymentID] != nil {
		return false
	}
	row := &requestedPayment{id: e.PaymentID, orderID: e.OrderID, revision: revision}
	p.byID[row.id] = row
	p.requested = append(p.requested, row)
	return true
}

func (p *taskPage) authorise(t tasks, e payment.PaymentAuthorised) {
	a := authorisedPayment{tasks: t, event: e}
	if row := p.byID[e.PaymentID]; row != nil {
		a.orderID = row.orderID
		if p.placedAt[row.orderID] == 0 && row.revision < int64(t.r.Revision) {
			row.authorised, row.heldBy, row.heldAt = e.Amount.Amount, t.r.ID.String(), millis(t.r.Created)
			row.expiresAt, row.revision, a.written = millis(e.ExpiresAt), int64(t.r.Revision), true
		}
	}
	p.authorised = append(p.authorised, a)
}

// write writes all of it: payments, what is held, orders, and then what payments
// hold of orders that were placed before.
func (p *taskPage) write(ctx context.Context) error {
	if len(p.requested)+len(p.authorised)+len(p.placed) == 0 {
		return nil
	}
	if err := p.writeRequested(ctx); err != nil {
		return err
	}
	late, err := p.writeAuthorised(ctx)
	if err != nil {
		return err
	}
	if err := p.writePlaced(ctx); err != nil {
		return err
	}
	for _, a := range late {
		if err := a.authorised(ctx, a.event); err != nil {
			return err
		}
	}
	*p = *newTaskPage(p.tx)
	return nil
}

func (p *taskPage) writeRequested(ctx context.Context) error {
	values := make([]any, 0, len(p.requested)*insertTaskPayments.columns)
	for _, r := range p.requested {
		moved := int64(0)
		if r.heldBy != "" {
			moved = r.revision
		}
		values = append(values, r.id, r.orderID, r.authorised, r.heldBy, r.heldAt, r.expiresAt, moved, r.revision)
	}
	return insertTaskPayments.run(ctx, p.tx, values)
}

// writeAuthorised returns those of orders that are placed: the orders have to
// hear of them, when they are there themselves.
func (p *taskPage) writeAuthorised(ctx context.Context) (late []authorisedPayment, err error) {
	asked := slices.DeleteFunc(slices.Clone(p.authorised), func(a authorisedPayment) bool {
		return a.written && p.placedAt[a.orderID] > 0 // since then, so that nothing had to be told
	})
	orders, err := p.ordersOf(ctx, asked)
	if err != nil {
		return nil, err
	}
	for _, a := range asked {
		of := orders[a.event.PaymentID]
		placed := p.placedAt[of.id]
		if of.placed || placed > 0 && placed < a.r.Position {
			late = append(late, a)
			continue
		}
		if a.written {
			continue
		}
		if err := a.hold(ctx, a.event); err != nil {
			return nil, err
		}
	}
	return late, nil
}

// paidOrder is the order of a payment.
type paidOrder struct {
	id     string
	placed bool // before this page
}

func (p *taskPage) ordersOf(ctx context.Context, payments []authorisedPayment) (map[string]paidOrder, error) {
	ids := make([]any, len(payments))
	for i, a := range payments {
		ids[i] = a.event.PaymentID
	}
	found := make(map[string]paidOrder, len(ids))
	err := selectOrders.each(ids, func(query string, args []any) error {
		rows, err := p.tx.Query(ctx, query, args...)
		_, err = rowsOf(rows, err, func(rows *sql.Rows) (struct{}, error) {
			var id string
			var o paidOrder
			err := rows.Scan(&id, &o.id, &o.placed)
			found[id] = o
			return struct{}{}, err
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("find the orders of payments: %w", err)
	}
	return found, nil
}

// writePlaced opens what the payments of orders wanted before they were there.
func (p *taskPage) writePlaced(ctx context.Context) error {
	ids, events := make([]any, len(p.placed)), make([]any, 0, 4*len(p.placed))
	for i, o := range p.placed {
		ids[i] = o.id
		events = append(events, o.id, int64(o.r.Position), millis(o.r.Created), o.trace()) //nolint:gosec // a log of 8 EiB is far
	}
	if err := insertPlaced.run(ctx, p.tx, ids); err != nil {
		return err
	}
	if err := reauthorisePlaced.run(ctx, p.tx, events); err != nil {
		return err
	}
	return copyPlaced.run(ctx, p.tx, ids)
}

//nolint:gochecknoglobals // texts that are put together once
var (
	insertTaskPayments = newInsert(8, `INSERT OR FAIL INTO payments
		(payment_id, order_id, authorised, held_by, held_at, expires_at, moved_revision, revision)`, `
		ON CONFLICT (payment_id) DO UPDATE SET authorised = excluded.authorised, held_by = excluded.held_by, held_at = excluded.held_at,
			expires_at = excluded.expires_at, moved_revision = excluded.moved_revision, revision = excluded.revision
		WHERE payments.revision < excluded.revision AND excluded.held_by <> ''`)

	insertPlaced = newInsert(1, `INSERT OR FAIL INTO placed_orders (order_id)`, `ON CONFLICT DO NOTHING`)

	selectOrders = newRows(`(CAST(? AS TEXT))`, `WITH e (payment_id) AS (`, `)
		SELECT p.payment_id, p.order_id, o.order_id IS NOT NULL
		FROM e JOIN payments p ON p.payment_id = e.payment_id LEFT JOIN placed_orders o ON o.order_id = p.order_id`)

	reauthorisePlaced = newRows(`(CAST(? AS TEXT), CAST(? AS BIGINT), CAST(? AS BIGINT), CAST(? AS TEXT))`,
		`WITH e (order_id, position, at, trace) AS (`, `) `+insertTask+`
		SELECT p.order_id, '`+string(process.Reauthorise)+`', p.payment_id, p.held_by, e.position, e.at, p.due, p.due, e.trace
		FROM e JOIN (SELECT *, CASE WHEN expires_at < held_at THEN held_at WHEN expires_at - `+notice+` < (held_at + expires_at) / 2 THEN (held_at + expires_at) / 2 ELSE expires_at - `+notice+` END AS due FROM payments) p
			ON p.order_id = e.order_id
		WHERE p.held_by <> '' AND p.expires_at > 0 AND NOT EXISTS (SELECT 1 FROM closed_early c
			WHERE c.order_id = p.order_id AND c.kind = '`+string(process.Reauthorise)+`' AND c.ref = p.payment_id AND c.opened_by = p.held_by)
		ON CONFLICT (order_id, kind, ref) DO NOTHING`)

	copyPlaced = newRows(`(CAST(? AS TEXT))`, `WITH e (order_id) AS (`, `) `+insertTask+`
		SELECT p.order_id, '`+string(process.CopyPayment)+`', p.payment_id, p.moved_by, p.moved_position, p.moved_at, p.moved_at, p.moved_at, p.moved_trace
		FROM e JOIN payments p ON p.order_id = e.order_id
		WHERE p.moved_by <> '' AND NOT EXISTS (SELECT 1 FROM closed_early c
			WHERE c.order_id = p.order_id AND c.kind = '`+string(process.CopyPayment)+`' AND c.ref = p.payment_id AND c.opened_by = p.moved_by)`+renewed)

	notice = strconv.FormatInt(payment.RenewBefore.Milliseconds(), 10)
)
