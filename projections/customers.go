package projections

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/domain/customer"
	"github.com/waybill-dev/waybill/domain/draft"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
)

// Customers is what belongs to each customer: orders, and checkouts and drafts
// that are not over. It follows the streams of customers too, so that one of their
// events marks a place: whatever the log has before it is known here when the
// event is.
type Customers struct{}

// Name implements [Projection].
func (Customers) Name() string { return "customers" }

// Version implements [Projection].
func (Customers) Version() int { return 3 }

// Migrations implements [Projection].
func (Customers) Migrations() fs.FS { return schema("customers") }

// Prefixes implements [Projection].
func (Customers) Prefixes() []string {
	return []string{customer.Decider.Category + "-", order.Decider.Category + "-", checkout.Decider.Category + "-", draft.Decider.Category + "-"}
}

// LateIndexes implements [LateIndexes].
func (Customers) LateIndexes() []string { return []string{"customer_orders"} }

// Apply implements [Projection]. Most of what happens to orders and checkouts
// is not about whose they are.
func (Customers) Apply(ctx context.Context, tx *Tx, r eventstore.Recorded) error {
	event, err := r.Decode()
	if err != nil {
		return err
	}
	switch e := event.(type) {
	case checkout.CheckoutStarted:
		if e.Request.CustomerID == "" {
			return nil // a guest's
		}
		return tx.Exec(ctx, `INSERT INTO customer_checkouts (checkout_id, customer_id) VALUES (?, ?) ON CONFLICT DO NOTHING`,
			e.CheckoutID, e.Request.CustomerID)
	case checkout.CheckoutCompleted:
		return checkoutOver(ctx, tx, e.CheckoutID)
	case checkout.CheckoutFailed:
		return checkoutOver(ctx, tx, e.CheckoutID)
	case checkout.CheckoutAbandoned:
		return checkoutOver(ctx, tx, e.CheckoutID)
	case order.OrderPlaced:
		return orderOf(ctx, tx, e)
	case order.OrderShipped:
		return orderIs(ctx, tx, r, `shipped = 1`)
	case order.OrderCancelled:
		return orderIs(ctx, tx, r, `over = 1 - shipped`)
	case order.OrderCompleted:
		return orderIs(ctx, tx, r, `over = 1`)
	case order.OrderReopened:
		return orderIs(ctx, tx, r, `over = 0`)
	case draft.DraftDetailsSet:
		return draftOf(ctx, tx, e.DraftID, e.CustomerID)
	case draft.DraftPlaced:
		return draftOf(ctx, tx, e.DraftID, "")
	case draft.DraftDiscarded:
		return draftOf(ctx, tx, e.DraftID, "")
	case customer.CustomerRegistered:
		return customerIs(ctx, tx, r, e.CustomerID, customer.Registered)
	case customer.CustomerContactChanged:
		return customerIs(ctx, tx, r, e.CustomerID, customer.Registered)
	case customer.CustomerErasureBegun:
		return customerIs(ctx, tx, r, e.CustomerID, customer.Erasing)
	case customer.CustomerErasureStopped:
		return customerIs(ctx, tx, r, e.CustomerID, "")
	case customer.CustomerErased:
		return customerIs(ctx, tx, r, e.CustomerID, customer.Erased)
	}
	return nil
}

// Ends implements [Ender]: nearly every checkout has its order a moment after it
// was started.
func (Customers) Ends(event domain.Event) string {
	if e, placed := event.(order.OrderPlaced); placed {
		return checkout.Decider.Stream(e.CheckoutID)
	}
	return ""
}

// Knows implements [Ender]. What is of no use is known too.
func (Customers) Knows(domain.Event) bool { return true }

// orderOf says whose an order is, and that its checkout is over.
func orderOf(ctx context.Context, tx *Tx, e order.OrderPlaced) error {
	if e.CustomerID == "" {
		return nil // a guest's
	}
	if err := tx.Exec(ctx, `INSERT INTO customer_orders (order_id, customer_id, placed_at, shipped, over) VALUES (?, ?, ?, 0, 0) ON CONFLICT DO NOTHING`,
		e.OrderID, e.CustomerID, millis(e.PlacedAt)); err != nil {
		return err
	}
	return checkoutOver(ctx, tx, e.CheckoutID)
}

func checkoutOver(ctx context.Context, tx *Tx, id string) error {
	return tx.Exec(ctx, `DELETE FROM customer_checkouts WHERE checkout_id = ?`, id)
}

// draftOf says whose a draft is that is not over; "" is nobody's.
func draftOf(ctx context.Context, tx *Tx, id, customerID string) error {
	if customerID == "" {
		return tx.Exec(ctx, `DELETE FROM customer_drafts WHERE draft_id = ?`, id)
	}
	return tx.Exec(ctx, `INSERT INTO customer_drafts (draft_id, customer_id) VALUES (?, ?)
		ON CONFLICT (draft_id) DO UPDATE SET customer_id = excluded.customer_id`, id, customerID)
}

// orderIs changes an order. One that was shipped in part before the rest was
// cancelled is never over in here: that is told by its parcels, and the clock.
func orderIs(ctx context.Context, tx *Tx, r eventstore.Recorded, change string) error {
	return tx.Exec(ctx, `UPDATE customer_orders SET `+change+` WHERE order_id = ?`, r.Stream[len(order.Decider.Category)+1:])
}

func customerIs(ctx context.Context, tx *Tx, r eventstore.Recorded, id string, status customer.Status) error {
	return tx.Exec(ctx, `
		INSERT INTO customers (customer_id, status, changed_at, revision) VALUES (?, ?, ?, ?)
		ON CONFLICT (customer_id) DO UPDATE SET status = excluded.status, changed_at = excluded.changed_at, revision = excluded.revision
		WHERE excluded.revision > customers.revision`, id, string(status), millis(r.Created), int64(r.Revision))
}

// CustomerQueries reads what belongs to customers.
type CustomerQueries struct{ DB *sql.DB }

const (
	customersOpenOrders = `SELECT order_id FROM customer_orders WHERE customer_id = ? AND over = 0 ORDER BY placed_at, order_id LIMIT ?`
	customersCheckouts  = `SELECT checkout_id FROM customer_checkouts WHERE customer_id = ? ORDER BY checkout_id LIMIT ?`
	customersDrafts     = `SELECT draft_id FROM customer_drafts WHERE customer_id = ? ORDER BY draft_id`
	customersOrders     = `SELECT order_id FROM customer_orders WHERE customer_id = ? ORDER BY placed_at DESC, order_id DESC LIMIT ?`
)

// Open returns ids of up to limit orders of a customer that are not over, and
// of as many checkouts. Whether the rest of an order that was shipped in part
// and cancelled is over, it does not know.
func (q CustomerQueries) Open(ctx context.Context, customerID string, limit int) (orders, checkouts []string, err error) {
	orders, err = q.ids(ctx, customersOpenOrders, customerID, limit)
	if err != nil {
		return nil, nil, err
	}
	checkouts, err = q.ids(ctx, customersCheckouts, customerID, limit)
	return orders, checkouts, err
}

// Drafts returns ids of all drafts of a customer that are not over.
func (q CustomerQueries) Drafts(ctx context.Context, customerID string) ([]string, error) {
	return q.ids(ctx, customersDrafts, customerID)
}

// Orders returns ids of up to limit orders of a customer, newest first.
func (q CustomerQueries) Orders(ctx context.Context, customerID string, limit int) ([]string, error) {
	return q.ids(ctx, customersOrders, customerID, limit)
}

// Reached returns the last revision of a customer's stream that is in here:
// [eventstore.NoStream] where there is none.
func (q CustomerQueries) Reached(ctx context.Context, customerID string) (eventstore.Revision, error) {
	reached := eventstore.NoStream
	err := q.DB.QueryRowContext(ctx, `SELECT revision FROM customers WHERE customer_id = ?`, customerID).Scan(&reached)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return eventstore.NoStream, fmt.Errorf("read customer: %w", err)
	}
	return reached, nil
}

func (q CustomerQueries) ids(ctx context.Context, query string, args ...any) ([]string, error) {
	rows, err := q.DB.QueryContext(ctx, query, args...)
	return rowsOf(rows, err, func(rows *sql.Rows) (id string, err error) { return id, rows.Scan(&id) })
}
