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

	"github.com/waybill-dev/waybill/domain/process"
)

// Kind is what is to be done.
type Kind = process.Kind

// Kinds of tasks; [process.Kind] says what opens each.
const (
	Capture      = process.Capture
	ShipStock    = process.ShipStock
	Fulfil       = process.Fulfil
	ReconcileJob = process.ReconcileJob
	Cancel       = process.Cancel
	Return       = process.Return
	Refund       = process.Refund
	Edit         = process.Edit
	EditStock    = process.EditStock
	CopyPayment  = process.CopyPayment
	Movement     = process.Movement
	Reauthorise  = process.Reauthorise
	Pay          = process.Pay
	ReleaseHold  = process.ReleaseHold
	Complete     = process.Complete
	HoldShortage = process.HoldShortage
)

// Task is something an order needs.
type Task struct {
	OrderID  string
	Kind     Kind
	Ref      string // with Kind unique within the order
	Cause    string // id of the event that opened it
	OpenedAt time.Time
	Position int64 // in the log, of the event that opened it first
	DueAt    time.Time
	NextAt   time.Time // DueAt, or when it is tried again
	Failures int       // so far
	// TraceParent is where the event that opened it stands.
	TraceParent string
}

// Key names the task within its order.
func (t Task) Key() string { return string(t.Kind) + ":" + t.Ref }

// recorded is the task as the order's process stream has it.
func (t Task) recorded() process.Task {
	return process.Task{Kind: t.Kind, Ref: t.Ref, OpenedBy: t.Cause}
}

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
