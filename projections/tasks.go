package projections

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/domain/payment"
	"github.com/waybill-dev/waybill/domain/process"
	"github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/eventstore"
)

// Tasks is the to-do list: what orders still need. Events of orders, payments
// and stock put a task on it; the order's process, what happens to the payment,
// and what the order has heard of payments and refunds, take it off.
type Tasks struct {
	// CompleteAfter is how long after the last delivery, return or refund an
	// order is complete. 0 means 14 days. Another value counts for what happens
	// from then on.
	CompleteAfter time.Duration
	// AskWarehouseAfter is how long after a warehouse was asked for units it is
	// asked what became of them. 0 means an hour. Another value counts for what
	// happens from then on.
	AskWarehouseAfter time.Duration
}

// Name implements [Projection].
func (Tasks) Name() string { return "tasks" }

// Version implements [Projection].
func (Tasks) Version() int { return 5 }

// Migrations implements [Projection].
func (Tasks) Migrations() fs.FS { return schema("tasks") }

// Prefixes implements [Projection].
func (Tasks) Prefixes() []string {
	return []string{order.Decider.Category + "-", payment.Decider.Category + "-", process.Decider.Category + "-", stock.Decider.Category + "-"}
}

// LateIndexes implements [LateIndexes].
func (Tasks) LateIndexes() []string { return []string{"tasks"} }

// Apply implements [Projection].
func (p Tasks) Apply(ctx context.Context, tx *Tx, r eventstore.Recorded) error {
	event, err := r.Decode()
	if err != nil {
		return err
	}
	t := tasks{tx: tx, r: r}
	switch e := event.(type) {
	case order.Event:
		return t.order(ctx, e, p.withDefaults())
	case payment.Event:
		return t.payment(ctx, e)
	case process.Event:
		return t.process(ctx, e)
	case stock.StockShortfallDetected:
		return t.shortfall(ctx, e)
	case stock.StockCommitted:
		return t.committed(ctx, e)
	case stock.Event:
		return nil
	}
	return fmt.Errorf("%T is no event of an order, a payment, a process or a stock item", event)
}

func (p Tasks) withDefaults() Tasks {
	p.CompleteAfter = cmp.Or(p.CompleteAfter, 14*24*time.Hour)
	p.AskWarehouseAfter = cmp.Or(p.AskWarehouseAfter, time.Hour)
	return p
}

// tasks applies one event.
type tasks struct {
	tx *Tx
	r  eventstore.Recorded
}

// order opens what an event of an order asks for.
func (t tasks) order(ctx context.Context, event order.Event, after Tasks) error {
	now, completeAfter := t.r.Created, after.CompleteAfter
	switch e := event.(type) {
	case order.OrderPlaced:
		if err := t.capture(ctx, e); err != nil {
			return err
		}
		return t.placed(ctx, e.OrderID)
	case order.OrderShipped:
		if err := t.open(ctx, e.OrderID, process.ShipStock, e.ShipmentID, now); err != nil {
			return err
		}
		return t.open(ctx, e.OrderID, process.Capture, e.ShipmentID, now)
	case order.OrderFulfilmentRequested:
		if err := t.open(ctx, e.OrderID, process.Fulfil, e.RequestID, now); err != nil {
			return err
		}
		return t.open(ctx, e.OrderID, process.ReconcileJob, e.RequestID, now.Add(after.AskWarehouseAfter))
	case order.OrderCancelRequested:
		if err := t.pause(ctx, e.OrderID, false); err != nil {
			return err
		}
		return t.open(ctx, e.OrderID, process.Cancel, e.RequestID, now)
	case order.OrderEdited:
		if err := t.tx.Exec(ctx, `UPDATE placed_orders SET edit_id = ? WHERE order_id = ?`, e.EditID, e.OrderID); err != nil {
			return err
		}
		return t.open(ctx, e.OrderID, process.Edit, e.EditID, now)
	case order.OrderRefundRequested:
		return t.open(ctx, e.OrderID, process.Refund, e.RefundID, now)
	case order.OrderHeld:
		if err := t.pause(ctx, e.OrderID, true); err != nil || e.Until.IsZero() {
			return err
		}
		return t.open(ctx, e.OrderID, process.ReleaseHold, e.HoldID, e.Until)
	case order.OrderHoldReleased:
		if err := t.pause(ctx, e.OrderID, false); err != nil {
			return err
		}
		return t.tx.Exec(ctx, `DELETE FROM tasks WHERE order_id = ? AND kind = ?`, e.OrderID, string(process.ReleaseHold))
	case order.OrderReturnReceived:
		if err := t.open(ctx, e.OrderID, process.Return, e.ReturnID, now); err != nil {
			return err
		}
		return t.complete(ctx, e.OrderID, now.Add(completeAfter))
	case order.OrderDelivered:
		return t.complete(ctx, e.OrderID, e.At.Add(completeAfter))
	case order.OrderReturnRejected:
		return t.complete(ctx, e.OrderID, now.Add(completeAfter))
	case order.OrderRefunded:
		if err := t.ended(ctx, e.OrderID, process.Refund, e.RefundID); err != nil {
			return err
		}
		return t.complete(ctx, e.OrderID, now.Add(completeAfter))
	case order.OrderRefundFailed:
		if err := t.ended(ctx, e.OrderID, process.Refund, e.RefundID); err != nil {
			return err
		}
		return t.complete(ctx, e.OrderID, now.Add(completeAfter))
	case order.OrderReopened:
		return t.complete(ctx, e.OrderID, now.Add(completeAfter))
	case order.OrderPaymentUpdated:
		if err := t.copied(ctx, e); err != nil || e.Kind != order.PaymentCaptured {
			return err
		}
		return t.surplus(ctx, e.OrderID)
	case order.OrderNoteAdded, order.OrderTagged, order.OrderAddressChanged, order.OrderShipmentFailed,
		order.OrderReturnRequested, order.OrderCancelled, order.OrderCancelRefused, order.OrderCompleted:
		return nil // they ask for nothing
	}
	return fmt.Errorf("%T is no event of an order", event)
}

// capture opens the capture of an order whose money is taken at once.
func (t tasks) capture(ctx context.Context, e order.OrderPlaced) error {
	if e.Capture != order.CapturePlaced {
		return nil
	}
	return t.open(ctx, e.OrderID, process.Capture, "order", t.r.Created)
}

// pause takes what a hold keeps waiting off the list of what is due, or puts it
// back. Nothing of that is begun while an order is on hold, and a cancellation
// ends the hold. What waits for a refused one to go on asks now and then.
func (t tasks) pause(ctx context.Context, orderID string, paused bool) error {
	now := 0
	if paused {
		now = 1
	}
	return t.tx.Exec(ctx, `UPDATE tasks SET paused = ? WHERE order_id = ? AND kind IN (?, ?, ?)`,
		now, orderID, string(process.Capture), string(process.Fulfil), string(process.ReconcileJob))
}

// editPatience is after what time an edit that took units has recorded that,
// or never will.
const editPatience = 5 * time.Minute

// committed opens a task for units that an edit took: whether it came about.
func (t tasks) committed(ctx context.Context, e stock.StockCommitted) error {
	if !strings.HasPrefix(e.ReservationID, stock.ForEdit) {
		return nil
	}
	ref := stock.ID(e.Location, e.SKU) + "#" + e.ReservationID
	return t.open(ctx, e.OrderID, process.EditStock, ref, t.r.Created.Add(editPatience))
}

// shortfall opens a task for each order that cannot be served.
func (t tasks) shortfall(ctx context.Context, e stock.StockShortfallDetected) error {
	ref := fmt.Sprintf("%s#%d", stock.ID(e.Location, e.SKU), t.r.Revision)
	for _, s := range e.Reservations {
		if s.OrderID == "" {
			continue
		}
		if err := t.open(ctx, s.OrderID, process.HoldShortage, ref, t.r.Created); err != nil {
			return err
		}
	}
	return nil
}

const (
	insertTask = `INSERT OR FAIL INTO tasks (order_id, kind, ref, opened_by, position, opened_at, due_at, next_at, traceparent) `
	notClosed  = `NOT EXISTS (SELECT 1 FROM closed_early c WHERE c.order_id = ? AND c.kind = ? AND c.ref = ? AND c.opened_by = ?)`
)

// open puts a task on the list. One that is on it already is from now on for
// this event, and stays where it is.
func (t tasks) open(ctx context.Context, orderID string, kind process.Kind, ref string, due time.Time) error {
	id, k := t.r.ID.String(), string(kind)
	due = t.notBefore(due)
	return t.tx.Exec(ctx, insertTask+`SELECT ?, ?, ?, ?, ?, ?, ?, ?, ? WHERE `+notClosed+`
		ON CONFLICT (order_id, kind, ref) DO UPDATE SET opened_by = excluded.opened_by, traceparent = excluded.traceparent`,
		orderID, k, ref, id, int64(t.r.Position), millis(t.r.Created), millis(due), millis(due), t.trace(), //nolint:gosec // a log of 8 EiB is far
		orderID, k, ref, id)
}

// trace is where the event stands that is applied. A task is done without it
// as well.
func (t tasks) trace() string {
	meta, err := t.r.Metadata()
	if err != nil {
		return ""
	}
	return meta.TraceParent
}

// notBefore is the time of the event where it is the later one: nothing is
// overdue that was not known of.
func (t tasks) notBefore(due time.Time) time.Time {
	if due.Before(t.r.Created) {
		return t.r.Created
	}
	return due
}

// ended takes a task off the list that the order itself says is done: mostly
// another task has done it on its way, and nobody need record that.
func (t tasks) ended(ctx context.Context, orderID string, kind process.Kind, ref string) error {
	return t.tx.Exec(ctx, `DELETE FROM tasks WHERE order_id = ? AND kind = ? AND ref = ?`, orderID, string(kind), ref)
}

// surplus opens the task of the last edit once more: what was captured since may
// be too much after it.
func (t tasks) surplus(ctx context.Context, orderID string) error {
	id, kind, now := t.r.ID.String(), string(process.Edit), millis(t.r.Created)
	return t.tx.Exec(ctx, insertTask+`SELECT o.order_id, ?, o.edit_id, ?, ?, ?, ?, ?, ? FROM placed_orders o
		WHERE o.order_id = ? AND o.edit_id <> '' AND NOT EXISTS (SELECT 1 FROM closed_early c
			WHERE c.order_id = o.order_id AND c.kind = ? AND c.ref = o.edit_id AND c.opened_by = ?)`+renewed,
		kind, id, int64(t.r.Position), now, now, now, t.trace(), //nolint:gosec // a log of 8 EiB is far
		orderID, kind, id)
}

// complete is open for the end of an order, which every event puts off.
func (t tasks) complete(ctx context.Context, orderID string, due time.Time) error {
	id, k, ref := t.r.ID.String(), string(process.Complete), "order"
	due = t.notBefore(due)
	return t.tx.Exec(ctx, insertTask+`SELECT ?, ?, ?, ?, ?, ?, ?, ?, ? WHERE `+notClosed+`
		ON CONFLICT (order_id, kind, ref) DO UPDATE SET opened_by = excluded.opened_by, traceparent = excluded.traceparent,
			due_at = CASE WHEN tasks.due_at < excluded.due_at THEN excluded.due_at ELSE tasks.due_at END,
			next_at = CASE WHEN tasks.next_at < excluded.due_at THEN excluded.due_at ELSE tasks.next_at END`,
		orderID, k, ref, id, int64(t.r.Position), millis(t.r.Created), millis(due), millis(due), t.trace(), //nolint:gosec // see above
		orderID, k, ref, id)
}

// process notes what became of a task.
func (t tasks) process(ctx context.Context, event process.Event) error {
	switch e := event.(type) {
	case process.ProcessTaskFailed:
		return t.tx.Exec(ctx, `UPDATE tasks SET failures = ?, cause = ?, next_at = CASE WHEN due_at < ? THEN ? ELSE due_at END
			WHERE order_id = ? AND kind = ? AND ref = ?`,
			e.Attempt, e.Cause, millis(e.RetryAt), millis(e.RetryAt), e.OrderID, string(e.Kind), e.Ref)
	case process.ProcessAlarmRaised:
		return t.tx.Exec(ctx, `UPDATE tasks SET alarmed_at = ? WHERE order_id = ? AND kind = ? AND ref = ?`,
			millis(t.r.Created), e.OrderID, string(e.Kind), e.Ref)
	case process.ProcessTaskRetried:
		return t.tx.Exec(ctx, `UPDATE tasks SET next_at = due_at WHERE order_id = ? AND kind = ? AND ref = ?`,
			e.OrderID, string(e.Kind), e.Ref)
	case process.ProcessTaskDone:
		return t.close(ctx, e.OrderID, e.Task)
	case process.ProcessTaskAbandoned:
		return t.close(ctx, e.OrderID, e.Task)
	}
	return fmt.Errorf("%T is no event of a process", event)
}

// close takes a task off the list, unless another event asked for it
// meanwhile: then it begins anew.
func (t tasks) close(ctx context.Context, orderID string, task process.Task) error {
	args := []any{orderID, string(task.Kind), task.Ref, task.OpenedBy}
	if task.Kind != process.Movement { // which the payment's stream closes as it opens it
		err := t.tx.Exec(ctx, `INSERT OR FAIL INTO closed_early (order_id, kind, ref, opened_by) SELECT ?, ?, ?, ?
			WHERE NOT EXISTS (SELECT 1 FROM tasks t WHERE t.order_id = ? AND t.kind = ? AND t.ref = ? AND t.opened_by = ?)
			ON CONFLICT DO NOTHING`, append(args[:4:4], args...)...)
		if err != nil {
			return err
		}
	}
	if err := t.tx.Exec(ctx, `DELETE FROM tasks WHERE order_id = ? AND kind = ? AND ref = ? AND opened_by = ?`, args...); err != nil {
		return err
	}
	switch task.Kind {
	case process.CopyPayment, process.Complete, process.Edit, process.Pay:
	default:
		return nil
	}
	return t.tx.Exec(ctx, `UPDATE tasks SET position = ?, opened_at = ?, next_at = due_at, failures = 0, alarmed_at = 0, cause = ''
		WHERE order_id = ? AND kind = ? AND ref = ?`,
		int64(t.r.Position), millis(t.r.Created), orderID, string(task.Kind), task.Ref) //nolint:gosec // see above
}
