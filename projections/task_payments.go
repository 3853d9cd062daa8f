package projections

import (
	"context"
	"fmt"
	"time"

	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/domain/payment"
	"github.com/waybill-dev/waybill/domain/process"
)

// payment follows the payments of orders. Of an order that is not placed only
// the movements of money are of interest: they may need to be found out.
func (t tasks) payment(ctx context.Context, event payment.Event) error {
	switch e := event.(type) {
	case payment.PaymentAuthorisationRequested:
		return t.requested(ctx, e)
	case payment.PaymentAuthorised:
		return t.authorised(ctx, e)
	case payment.PaymentCaptureRequested:
		return t.captureRequested(ctx, e)
	case payment.PaymentRefundRequested:
		return t.move(ctx, e.PaymentID, e.RefundID)
	case payment.PaymentCaptured:
		return t.captured(ctx, e)
	case payment.PaymentCaptureFailed:
		return t.moved(ctx, e.PaymentID, e.CaptureID)
	case payment.PaymentRefunded:
		return t.moved(ctx, e.PaymentID, e.RefundID)
	case payment.PaymentRefundFailed:
		return t.moved(ctx, e.PaymentID, e.RefundID)
	case payment.PaymentVoided:
		return t.letGo(ctx, e.PaymentID)
	case payment.PaymentAuthorisationExpired:
		return t.letGo(ctx, e.PaymentID)
	case payment.PaymentVoidFailed:
		return t.copy(ctx, e.PaymentID)
	case payment.PaymentChargedBack:
		return t.copy(ctx, e.PaymentID)
	case payment.PaymentDeclined, payment.PaymentActionRequired, payment.PaymentOutcomeUnknown, payment.PaymentOutcomeResolved,
		payment.PaymentVoidRequested:
		return nil // nothing has come of it yet, or nothing will
	}
	return fmt.Errorf("%T is no event of a payment", event)
}

// payPatience is after what time the request that asked for a payment has
// recorded what came of it, or never will.
const payPatience = 15 * time.Second

// requested notes a payment. One that somebody asked for is looked after.
func (t tasks) requested(ctx context.Context, e payment.PaymentAuthorisationRequested) error {
	byHand := 0
	if e.ByHand {
		byHand = 1
	}
	err := t.tx.Exec(ctx, `INSERT INTO payments (payment_id, order_id, by_hand, revision) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		e.PaymentID, e.OrderID, byHand, int64(t.r.Revision))
	if err != nil || !e.ByHand {
		return err
	}
	return t.open(ctx, e.OrderID, process.Pay, e.PaymentID, t.r.Created.Add(payPatience))
}

// paid has the order go on at once when somebody has paid it.
func (t tasks) paid(ctx context.Context, paymentID string) error {
	id, kind, now := t.r.ID.String(), string(process.Pay), millis(t.r.Created)
	return t.tx.Exec(ctx, insertTask+`SELECT p.order_id, ?, p.payment_id, ?, ?, ?, ?, ?, ? FROM payments p
		WHERE p.payment_id = ? AND p.by_hand = 1 AND NOT EXISTS (SELECT 1 FROM closed_early c
			WHERE c.order_id = p.order_id AND c.kind = ? AND c.ref = p.payment_id AND c.opened_by = ?)
		ON CONFLICT (order_id, kind, ref) DO UPDATE SET opened_by = excluded.opened_by, traceparent = excluded.traceparent,
			due_at = excluded.due_at, next_at = excluded.next_at`,
		kind, id, int64(t.r.Position), now, now, now, t.trace(), //nolint:gosec // see above
		paymentID, kind, id)
}

// placed opens what the payments of an order wanted before it was there.
func (t tasks) placed(ctx context.Context, orderID string) error {
	if err := t.tx.Exec(ctx, `INSERT INTO placed_orders (order_id) VALUES (?) ON CONFLICT DO NOTHING`, orderID); err != nil {
		return err
	}
	if err := t.reauthorise(ctx, `p.order_id = ?`, orderID); err != nil {
		return err
	}
	return t.tx.Exec(ctx, openCopy+`p.order_id = ? AND p.moved_by <> '' AND `+copyNotClosed+renewed, string(process.CopyPayment), orderID, string(process.CopyPayment))
}

// authorised notes what a gateway holds. The first payment of an order is
// authorised before the order is placed, and copied with it.
func (t tasks) authorised(ctx context.Context, e payment.PaymentAuthorised) error {
	if err := t.hold(ctx, e); err != nil {
		return err
	}
	if err := t.reauthorise(ctx, `p.payment_id = ?`, e.PaymentID); err != nil {
		return err
	}
	if err := t.paid(ctx, e.PaymentID); err != nil {
		return err
	}
	return t.tx.Exec(ctx, insertTask+`SELECT p.order_id, ?, p.payment_id, ?, ?, ?, ?, ?, ?
		FROM payments p JOIN placed_orders o ON o.order_id = p.order_id
		WHERE p.payment_id = ? AND NOT EXISTS (SELECT 1 FROM closed_early c
			WHERE c.order_id = p.order_id AND c.kind = ? AND c.ref = p.payment_id AND c.opened_by = ?)`+renewed,
		string(process.CopyPayment), t.r.ID.String(), int64(t.r.Position), millis(t.r.Created), millis(t.r.Created), millis(t.r.Created), t.trace(), //nolint:gosec // a log of 8 EiB is far
		e.PaymentID, string(process.CopyPayment), t.r.ID.String())
}

// hold notes what a gateway holds in the payment's row.
func (t tasks) hold(ctx context.Context, e payment.PaymentAuthorised) error {
	return t.tx.Exec(ctx, `UPDATE payments SET authorised = ?, held_by = ?, held_at = ?, expires_at = ?, moved_revision = ?, revision = ? WHERE payment_id = ? AND revision < ?`,
		e.Amount.Amount, t.r.ID.String(), millis(t.r.Created), millis(e.ExpiresAt), int64(t.r.Revision), int64(t.r.Revision), e.PaymentID, int64(t.r.Revision))
}

// reauthorise opens the task for payments that hold money of a placed order. One
// that is held for a short time only is looked after when half of it is over.
func (t tasks) reauthorise(ctx context.Context, which, id string) error {
	kind, position, before := string(process.Reauthorise), int64(t.r.Position), payment.RenewBefore.Milliseconds() //nolint:gosec // see above
	return t.tx.Exec(ctx, insertTask+`SELECT p.order_id, ?, p.payment_id, p.held_by, ?, ?, p.due, p.due, ?
		FROM (SELECT *, CASE WHEN expires_at < held_at THEN held_at WHEN expires_at - ? < (held_at + expires_at) / 2 THEN (held_at + expires_at) / 2 ELSE expires_at - ? END AS due FROM payments) p
		JOIN placed_orders o ON o.order_id = p.order_id
		WHERE `+which+` AND p.held_by <> '' AND p.expires_at > 0 AND NOT EXISTS (SELECT 1 FROM closed_early c
			WHERE c.order_id = p.order_id AND c.kind = ? AND c.ref = p.payment_id AND c.opened_by = p.held_by)
		ON CONFLICT (order_id, kind, ref) DO NOTHING`,
		kind, position, millis(t.r.Created), t.trace(), before, before, id, kind)
}

func (t tasks) captureRequested(ctx context.Context, e payment.PaymentCaptureRequested) error {
	if e.Final {
		if err := t.tx.Exec(ctx, `UPDATE payments SET final_capture = ?, revision = ? WHERE payment_id = ? AND revision < ?`,
			e.CaptureID, int64(t.r.Revision), e.PaymentID, int64(t.r.Revision)); err != nil {
			return err
		}
	}
	return t.move(ctx, e.PaymentID, e.CaptureID)
}

// move opens the task of a capture or refund that a gateway is asked for.
func (t tasks) move(ctx context.Context, paymentID, movementID string) error {
	return t.tx.Exec(ctx, insertTask+`SELECT order_id, ?, ?, ?, ?, ?, ?, ?, ? FROM payments WHERE payment_id = ?
		ON CONFLICT (order_id, kind, ref) DO NOTHING`,
		string(process.Movement), paymentID+"/"+movementID, t.r.ID.String(), int64(t.r.Position), //nolint:gosec // see above
		millis(t.r.Created), millis(t.r.Created), millis(t.r.Created), t.trace(), paymentID)
}

// moved closes it: the gateway has answered.
func (t tasks) moved(ctx context.Context, paymentID, movementID string) error {
	err := t.tx.Exec(ctx, `DELETE FROM tasks WHERE order_id = (SELECT order_id FROM payments WHERE payment_id = ?) AND kind = ? AND ref = ?`,
		paymentID, string(process.Movement), paymentID+"/"+movementID)
	if err != nil {
		return err
	}
	return t.copy(ctx, paymentID)
}

// captured also adds up what was taken: a gateway that holds nothing any more
// needs no looking after.
func (t tasks) captured(ctx context.Context, e payment.PaymentCaptured) error {
	err := t.tx.Exec(ctx, `UPDATE payments SET captured = captured + ?, revision = ?,
			held_by = CASE WHEN captured + ? >= authorised OR final_capture = ? THEN '' ELSE held_by END
		WHERE payment_id = ? AND revision < ?`,
		e.Amount.Amount, int64(t.r.Revision), e.Amount.Amount, e.CaptureID, e.PaymentID, int64(t.r.Revision))
	if err != nil {
		return err
	}
	if err := t.settled(ctx, e.PaymentID); err != nil {
		return err
	}
	return t.moved(ctx, e.PaymentID, e.CaptureID)
}

// letGo notes that a gateway holds nothing any more.
func (t tasks) letGo(ctx context.Context, paymentID string) error {
	err := t.tx.Exec(ctx, `UPDATE payments SET held_by = '', revision = ? WHERE payment_id = ? AND revision < ?`,
		int64(t.r.Revision), paymentID, int64(t.r.Revision))
	if err != nil {
		return err
	}
	if err := t.settled(ctx, paymentID); err != nil {
		return err
	}
	return t.copy(ctx, paymentID)
}

// settled closes what looks after an authorisation that is none any more.
func (t tasks) settled(ctx context.Context, paymentID string) error {
	return t.tx.Exec(ctx, `DELETE FROM tasks WHERE order_id = (SELECT order_id FROM payments WHERE payment_id = ? AND held_by = '') AND kind = ? AND ref = ?`,
		paymentID, string(process.Reauthorise), paymentID)
}

const (
	openCopy = insertTask + `SELECT p.order_id, ?, p.payment_id, p.moved_by, p.moved_position, p.moved_at, p.moved_at, p.moved_at, p.moved_trace
		FROM payments p JOIN placed_orders o ON o.order_id = p.order_id WHERE `
	copyNotClosed = `NOT EXISTS (SELECT 1 FROM closed_early c
		WHERE c.order_id = p.order_id AND c.kind = ? AND c.ref = p.payment_id AND c.opened_by = p.moved_by)`
	renewed = ` ON CONFLICT (order_id, kind, ref) DO UPDATE SET opened_by = excluded.opened_by, traceparent = excluded.traceparent`
)

// copied takes the copying of a payment off the list, once the order has heard
// of the last event that asked for it.
func (t tasks) copied(ctx context.Context, e order.OrderPaymentUpdated) error {
	return t.tx.Exec(ctx, `DELETE FROM tasks WHERE order_id = ? AND kind = ? AND ref = ?
			AND EXISTS (SELECT 1 FROM payments p WHERE p.payment_id = ? AND p.moved_revision <= ?)`,
		e.OrderID, string(process.CopyPayment), e.PaymentID, e.PaymentID, e.PaymentRevision)
}

// copy notes that the order is to hear of a payment, at once if it is placed.
func (t tasks) copy(ctx context.Context, paymentID string) error {
	err := t.tx.Exec(ctx, `UPDATE payments SET moved_by = ?, moved_at = ?, moved_position = ?, moved_revision = ?, moved_trace = ? WHERE payment_id = ?`,
		t.r.ID.String(), millis(t.r.Created), int64(t.r.Position), int64(t.r.Revision), t.trace(), paymentID) //nolint:gosec // see above
	if err != nil {
		return err
	}
	kind := string(process.CopyPayment)
	return t.tx.Exec(ctx, openCopy+`p.payment_id = ? AND `+copyNotClosed+renewed, kind, paymentID, kind)
}
