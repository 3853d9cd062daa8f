package projections

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"math"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
)

// Checkouts is the list of checkouts that are not over: what recovery works
// through. Beside them stand those whose payment could not be resolved, for
// somebody to see, and for a while those with a payment to look for. A checkout
// is over when its order is placed, which the order's stream says.
type Checkouts struct{}

// Name implements [Projection].
func (Checkouts) Name() string { return "checkouts" }

// Version implements [Projection].
func (Checkouts) Version() int { return 2 }

// Migrations implements [Projection].
func (Checkouts) Migrations() fs.FS { return schema("checkouts") }

// Prefixes implements [Projection].
func (Checkouts) Prefixes() []string {
	return []string{checkout.Decider.Category + "-", order.Decider.Category + "-"}
}

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
	case checkout.CheckoutPaymentActionRequired:
		return move(ctx, tx, r, e.CheckoutID, checkout.ActionRequired, at)
	case checkout.CheckoutCompensating:
		return move(ctx, tx, r, e.CheckoutID, checkout.Compensating, at)
	case checkout.CheckoutStockRefused:
		return nil // CheckoutCompensating or CheckoutFailed follows
	case checkout.CheckoutCompleted:
		return over(ctx, tx, e.CheckoutID)
	case checkout.CheckoutFailed:
		return failed(ctx, tx, r, e)
	case checkout.CheckoutLatePaymentVoided:
		return found(ctx, tx, e.CheckoutID)
	case checkout.CheckoutAbandoned:
		return over(ctx, tx, e.CheckoutID)
	case order.OrderPlaced:
		return over(ctx, tx, e.CheckoutID)
	case order.Event:
		return nil
	}
	return fmt.Errorf("%T is no event of a checkout or an order", event)
}

// Ends implements [Ender]: nearly every checkout has its order a moment after it
// was started, and never gets a row.
func (Checkouts) Ends(event domain.Event) string {
	switch e := event.(type) {
	case order.OrderPlaced:
		return checkout.Decider.Stream(e.CheckoutID)
	case checkout.CheckoutCompleted:
		return checkout.Decider.Stream(e.CheckoutID)
	}
	return ""
}

// Knows implements [Ender].
func (Checkouts) Knows(event domain.Event) bool {
	_, knows := event.(checkout.Event)
	return knows
}

func move(ctx context.Context, tx *Tx, r eventstore.Recorded, id string, step checkout.Step, due time.Time) error {
	list := "due"
	if step == checkout.Unknown || step == checkout.ActionRequired {
		list = "poll"
	}
	return put(ctx, tx, r, id, step, list, due)
}

func put(ctx context.Context, tx *Tx, r eventstore.Recorded, id string, step checkout.Step, list string, due time.Time) error {
	return tx.Exec(ctx, `UPDATE open_checkouts SET step = ?, list = ?, last_at = ?, due_at = ?, revision = ? WHERE checkout_id = ? AND revision < ?`,
		string(step), list, millis(r.Created), millis(due), int64(r.Revision), id, int64(r.Revision))
}

func over(ctx context.Context, tx *Tx, id string) error {
	return tx.Exec(ctx, `DELETE FROM open_checkouts WHERE checkout_id = ?`, id)
}

// Unresolved is the step of a checkout that failed because its payment could
// not be resolved.
const Unresolved checkout.Step = "unresolved"

// watchMillis is how long a payment to look for stays listed, in milliseconds.
const watchMillis = 48 * 60 * 60 * 1000

// failed keeps a row of what somebody or something has to look at.
func failed(ctx context.Context, tx *Tx, r eventstore.Recorded, e checkout.CheckoutFailed) error {
	unresolved, watched := e.Reason == checkout.ErrUnresolved.Code, e.Watch != ""
	if !unresolved && !watched {
		return over(ctx, tx, e.CheckoutID)
	}
	step, list := checkout.Failed, "watch"
	if unresolved {
		step = Unresolved
	}
	if !watched {
		list = "none"
	}
	if err := put(ctx, tx, r, e.CheckoutID, step, list, r.Created); err != nil {
		return err
	}
	return forget(ctx, tx, `list = 'watch' AND due_at < ?`, millis(r.Created)-watchMillis)
}

// found ends the looking for a payment.
func found(ctx context.Context, tx *Tx, id string) error {
	return forget(ctx, tx, `checkout_id = ?`, id)
}

// forget ends the looking for payments. What somebody has to see stays listed.
func forget(ctx context.Context, tx *Tx, where string, arg any) error {
	if err := tx.Exec(ctx, `DELETE FROM open_checkouts WHERE step = 'failed' AND `+where, arg); err != nil {
		return err
	}
	return tx.Exec(ctx, `UPDATE open_checkouts SET list = 'none' WHERE step = 'unresolved' AND `+where, arg)
}

// OpenCheckout is a checkout that is not over.
type OpenCheckout struct {
	CheckoutID, OrderID      string
	Step                     checkout.Step
	StartedAt, LastAt, DueAt time.Time
}

// CheckoutQueries reads open checkouts.
type CheckoutQueries struct{ DB *sql.DB }

// maxUnknown is how many payments to ask for are listed at once.
const maxUnknown = 100_000

const dueCheckouts = `
	SELECT * FROM (
		SELECT checkout_id, order_id, step, started_at, last_at, due_at FROM open_checkouts
		WHERE list = 'due' AND due_at <= ? ORDER BY due_at LIMIT ?) AS due
	UNION ALL SELECT * FROM (
		SELECT checkout_id, order_id, step, started_at, last_at, due_at FROM open_checkouts
		WHERE list = 'poll' AND due_at <= ? ORDER BY due_at LIMIT ?) AS poll
	UNION ALL SELECT * FROM (
		SELECT checkout_id, order_id, 'failed', started_at, last_at, due_at FROM open_checkouts
		WHERE list = 'watch' AND due_at <= ? ORDER BY due_at LIMIT ?) AS watch`

// Due returns open checkouts that were due before a time: up to limit, longest
// first, and after them those with a payment to ask for: an unknown one, one
// that waits for the shopper, or one that may come late. These may stay for a
// day, so they have no part in the limit: many of them must not hide the rest.
func (q CheckoutQueries) Due(ctx context.Context, before time.Time, limit int) ([]OpenCheckout, error) {
	rows, err := q.DB.QueryContext(ctx, dueCheckouts, millis(before), limit, millis(before), maxUnknown, millis(before), maxUnknown)
	return rowsOf(rows, err, openCheckout)
}

func openCheckout(rows *sql.Rows) (o OpenCheckout, err error) {
	var started, last, due int64
	err = rows.Scan(&o.CheckoutID, &o.OrderID, &o.Step, &started, &last, &due)
	o.StartedAt, o.LastAt, o.DueAt = fromMillis(started), fromMillis(last), fromMillis(due)
	return o, err
}

// CheckoutKey is where a list of checkouts may begin.
type CheckoutKey struct {
	LastAt     time.Time
	CheckoutID string
}

const listCheckouts = `
	SELECT checkout_id, order_id, step, started_at, last_at, due_at FROM open_checkouts
	WHERE step = ? AND (last_at, checkout_id) < (?, ?) ORDER BY last_at DESC, checkout_id DESC LIMIT ?`

// List returns checkouts at a step, those that changed last first, beginning
// after a key.
func (q CheckoutQueries) List(ctx context.Context, step checkout.Step, after *CheckoutKey, limit int) ([]OpenCheckout, error) {
	at, id := int64(math.MaxInt64), ""
	if after != nil {
		at, id = millis(after.LastAt), after.CheckoutID
	}
	rows, err := q.DB.QueryContext(ctx, listCheckouts, string(step), at, id, limit)
	return rowsOf(rows, err, openCheckout)
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

// OldestUnknown returns since when the outcome of a payment has been unknown for
// the longest; zero if none is.
func (q CheckoutQueries) OldestUnknown(ctx context.Context) (time.Time, error) {
	var since sql.NullInt64
	err := q.DB.QueryRowContext(ctx, `SELECT min(last_at) FROM open_checkouts WHERE step = ?`, string(checkout.Unknown)).Scan(&since)
	return fromMillis(since.Int64), err
}
