package projections

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"time"

	"github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/eventstore"
)

// Checkouts is the list of checkouts that are not over: what recovery works
// through.
type Checkouts struct{}

// Name implements [Projection].
func (Checkouts) Name() string { return "checkouts" }

// Version implements [Projection].
func (Checkouts) Version() int { return 1 }

// Migrations implements [Projection].
func (Checkouts) Migrations() fs.FS { return schema("checkouts") }

// Prefixes implements [Projection].
func (Checkouts) Prefixes() []string { return []string{checkout.Decider.Category + "-"} }

// Apply implements [Projection].
func (Checkouts) Apply(ctx context.Context, tx *Tx, r eventstore.Recorded) error {
	event, err := r.Decode()
	if err != nil {
		return err
	}
	at := r.Created
	switch e := event.(type) {
	case checkout.CheckoutStarted:
		return tx.Exec(ctx, `
			INSERT INTO open_checkouts (checkout_id, order_id, step, started_at, last_at, due_at, revision)
			VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
			e.CheckoutID, e.OrderID, string(checkout.Started), millis(e.StartedAt), millis(at), millis(at), int64(r.Revision))
	case checkout.CheckoutStockReserved:
		return move(ctx, tx, r, e.CheckoutID, checkout.Reserved, at)
	case checkout.CheckoutPaymentRequested:
		return move(ctx, tx, r, e.CheckoutID, checkout.Paying, at)
	case checkout.CheckoutPaymentAuthorised:
		return move(ctx, tx, r, e.CheckoutID, checkout.Authorised, at)
	case checkout.CheckoutPaymentDeclined:
		return move(ctx, tx, r, e.CheckoutID, checkout.Declined, e.RetryUntil)
	case checkout.CheckoutPaymentUnknown:
		return move(ctx, tx, r, e.CheckoutID, checkout.Unknown, at)
	case checkout.CheckoutCompensating:
		return move(ctx, tx, r, e.CheckoutID, checkout.Compensating, at)
	case checkout.CheckoutStockRefused:
		return nil // CheckoutCompensating or CheckoutFailed follows
	case checkout.CheckoutCompleted:
		return over(ctx, tx, e.CheckoutID)
	case checkout.CheckoutFailed:
		return over(ctx, tx, e.CheckoutID)
	case checkout.CheckoutAbandoned:
		return over(ctx, tx, e.CheckoutID)
	}
	return fmt.Errorf("%T is no event of a checkout", event)
}

func move(ctx context.Context, tx *Tx, r eventstore.Recorded, id string, step checkout.Step, due time.Time) error {
	return tx.Exec(ctx, `UPDATE open_checkouts SET step = ?, last_at = ?, due_at = ?, revision = ? WHERE checkout_id = ? AND revision < ?`,
		string(step), millis(r.Created), millis(due), int64(r.Revision), id, int64(r.Revision))
}

func over(ctx context.Context, tx *Tx, id string) error {
	return tx.Exec(ctx, `DELETE FROM open_checkouts WHERE checkout_id = ?`, id)
}

// OpenCheckout is a checkout that is not over.
type OpenCheckout struct {
	CheckoutID, OrderID      string
	Step                     checkout.Step
	StartedAt, LastAt, DueAt time.Time
}

// CheckoutQueries reads open checkouts.
type CheckoutQueries struct{ DB *sql.DB }

// maxUnknown is how many unknown payments are listed at once.
const maxUnknown = 100_000

const dueCheckouts = `
	SELECT * FROM (
		SELECT checkout_id, order_id, step, started_at, last_at, due_at FROM open_checkouts
		WHERE step <> 'unknown' AND due_at <= ? ORDER BY due_at LIMIT ?)
	UNION ALL SELECT * FROM (
		SELECT checkout_id, order_id, step, started_at, last_at, due_at FROM open_checkouts
		WHERE step = 'unknown' AND due_at <= ? ORDER BY due_at LIMIT ?)`

// Due returns open checkouts that were due before a time: up to limit, longest
// first, and after them those with an unknown payment. These may stay for a
// day, so they have no part in the limit: many of them must not hide the rest.
func (q CheckoutQueries) Due(ctx context.Context, before time.Time, limit int) ([]OpenCheckout, error) {
	rows, err := q.DB.QueryContext(ctx, dueCheckouts, millis(before), limit, millis(before), maxUnknown)
	return rowsOf(rows, err, func(rows *sql.Rows) (o OpenCheckout, err error) {
		var started, last, due int64
		err = rows.Scan(&o.CheckoutID, &o.OrderID, &o.Step, &started, &last, &due)
		o.StartedAt, o.LastAt, o.DueAt = fromMillis(started), fromMillis(last), fromMillis(due)
		return o, err
	})
}

// Count returns how many checkouts are open, by step.
func (q CheckoutQueries) Count(ctx context.Context) (map[checkout.Step]int, error) {
	rows, err := q.DB.QueryContext(ctx, `SELECT step, count(*) FROM open_checkouts GROUP BY step`)
	type count struct {
		step checkout.Step
		n    int
	}
	list, err := rowsOf(rows, err, func(rows *sql.Rows) (c count, err error) {
		err = rows.Scan(&c.step, &c.n)
		return c, err
	})
	counts := map[checkout.Step]int{}
	for _, c := range list {
		counts[c.step] = c.n
	}
	return counts, err
}
