// Package process does what orders still need after the request that caused
// it has been answered: money to be captured, stock to be given back, returns
// to be paid out. The to-do list is a read model of the log, so that nothing on
// it depends on the process that began it; what became of each task is recorded
// in the order's process stream. It promises that a task is tried for ever,
// ever less often, that five failures raise an alarm, and that two processes
// doing the same task cause its effect once.
package process

import (
	"context"
	"fmt"
	"time"
)

// Kind is what is to be done.
type Kind string

// Kinds of tasks. Behind each stands the event that opens it, and what Ref is.
const (
	Capture      Kind = "capture"       // OrderShipped, or OrderPlaced where captured at once: the shipment's id, or "order"
	ShipStock    Kind = "ship-stock"    // OrderShipped: the shipment's id
	Fulfil       Kind = "fulfil"        // OrderFulfilmentRequested: the request's id
	Cancel       Kind = "cancel"        // OrderCancelRequested: the request's id
	Return       Kind = "return"        // OrderReturnReceived: the return's id
	Refund       Kind = "refund"        // OrderRefundRequested: the refund's id
	Edit         Kind = "edit"          // OrderEdited: the edit's id
	CopyPayment  Kind = "copy-payment"  // an event of a payment after its authorisation: the payment's id
	Movement     Kind = "movement"      // PaymentCaptureRequested, PaymentRefundRequested: the payment's id, "/", the movement's id
	Reauthorise  Kind = "reauthorise"   // PaymentAuthorised, due a day before it expires: the payment's id
	ReleaseHold  Kind = "release-hold"  // OrderHeld with a time, due then: the hold's id
	Complete     Kind = "complete"      // OrderDelivered and what follows, due 14 days later: "order"
	HoldShortage Kind = "hold-shortage" // StockShortfallDetected: location, ".", SKU, "#" and the event's revision
)

// Task is something an order needs.
type Task struct {
	OrderID  string
	Kind     Kind
	Ref      string // with Kind unique within the order
	Cause    string // id of the event that opened it
	OpenedAt time.Time
	DueAt    time.Time
	Failures int // so far
}

// Key names the task within its order.
func (t Task) Key() string { return string(t.Kind) + ":" + t.Ref }

// Handler does a task. It may be called again after it succeeded, and at the
// same time by another process: its effect must happen once all the same. An
// error counts as a failure of the task, unless it is a [NotYetError].
type Handler func(ctx context.Context, t Task) error

// NotYetError says that a task has to wait for something else that is under
// way: it is no failure and is recorded nowhere.
type NotYetError struct {
	After time.Duration // when it is worth another look
	For   string        // what it waits for
}

// Error implements error.
func (e *NotYetError) Error() string { return fmt.Sprintf("waits for %s", e.For) }
