// Package process is the record of what an order still needed after the
// request that caused it had been answered: which tasks failed, when they are
// tried again, who gave one up, and which are done. It promises that a task
// counts as done once per event that opened it, that no failure is counted
// twice, and that the fifth in a row raises an alarm. What is to be done stands
// in the log elsewhere; how, it must not know.
package process

import (
	"slices"
	"time"

	"github.com/waybill-dev/waybill/domain"
)

// Kind is what is to be done.
type Kind string

// Kinds of tasks. Behind each stands the event that opens it, and what Ref is.
const (
	Capture      Kind = "capture"       // OrderShipped: the shipment's id; OrderPlaced that says so: "order"
	ShipStock    Kind = "ship-stock"    // OrderShipped: the shipment's id
	Fulfil       Kind = "fulfil"        // OrderFulfilmentRequested: the request's id
	ReconcileJob Kind = "reconcile-job" // OrderFulfilmentRequested, due an hour later: the request's id
	Cancel       Kind = "cancel"        // OrderCancelRequested: the request's id
	Return       Kind = "return"        // OrderReturnReceived: the return's id
	Refund       Kind = "refund"        // OrderRefundRequested: the refund's id
	Edit         Kind = "edit"          // OrderEdited, and OrderPaymentUpdated of a capture after it: the edit's id
	EditStock    Kind = "edit-stock"    // StockCommitted of a reservation for an edit, due 5 minutes later: location, ".", SKU, "#" and the reservation's id
	CopyPayment  Kind = "copy-payment"  // an event of a payment after its authorisation: the payment's id
	Movement     Kind = "movement"      // PaymentCaptureRequested, PaymentRefundRequested: the payment's id, "/", the movement's id
	Reauthorise  Kind = "reauthorise"   // PaymentAuthorised, due a day before it expires: the payment's id
	Pay          Kind = "pay"           // PaymentAuthorisationRequested by somebody, due 15 s later, and its PaymentAuthorised: the payment's id
	ReleaseHold  Kind = "release-hold"  // OrderHeld with a time, due then: the hold's id
	Complete     Kind = "complete"      // OrderDelivered and what follows, due 14 days later: "order"
	HoldShortage Kind = "hold-shortage" // StockShortfallDetected: location, ".", SKU, "#" and the event's revision
)

// Task names a task of an order, as one event opened it. A task that was
// closed may be opened again, by another event.
type Task struct {
	Kind     Kind   `json:"kind"`
	Ref      string `json:"ref"`       // with Kind unique within the order
	OpenedBy string `json:"opened_by"` // id of the event
}

// AlarmAt is how many failures in a row raise an alarm.
const AlarmAt = 5

// Rules an order's process may refuse a command by.
var (
	ErrInvalid = domain.Rule("task-invalid", "the command to a task has mistakes")
	ErrClosed  = domain.Rule("task-closed", "the task is done or was given up")
)

// State is what became of an order's tasks. Its slice is never changed in
// place.
type State struct{ tasks []record }

// record is one task that something became of.
type record struct {
	kind      Kind
	ref       string
	failures  int // since it was last closed
	retryAt   time.Time
	failedBy  string // what had opened it when it failed last
	closed    string // what opened it when it was last closed
	abandoned bool   // so it was closed by being given up
}

func (s State) index(kind Kind, ref string) int {
	return slices.IndexFunc(s.tasks, func(r record) bool { return r.kind == kind && r.ref == ref })
}

func (s State) find(t Task) record {
	if i := s.index(t.Kind, t.Ref); i >= 0 {
		return s.tasks[i]
	}
	return record{kind: t.Kind, ref: t.Ref}
}

func (s State) with(r record) State {
	i := s.index(r.kind, r.ref)
	s.tasks = slices.Clone(s.tasks)
	if i < 0 {
		s.tasks = append(s.tasks, r)
	} else {
		s.tasks[i] = r
	}
	return s
}

// Closed reports whether a task is done or was given up.
func (s State) Closed(t Task) bool {
	r := s.find(t)
	return t.OpenedBy != "" && r.closed == t.OpenedBy
}

// Failures returns how often a task failed since it was last closed, and when
// it is tried again; the zero time is at once. What another event opens is not
// waited with: it may have brought what was missing.
func (s State) Failures(t Task) (failures int, retryAt time.Time) {
	r := s.find(t)
	if r.failedBy != t.OpenedBy {
		return r.failures, time.Time{}
	}
	return r.failures, r.retryAt
}

// Decider is an order's process as an aggregate.
var Decider = domain.Decider[State, Command, Event]{Category: "orderpm", Decide: decide, Evolve: evolve}
