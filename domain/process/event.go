package process

import (
	"time"

	"github.com/waybill-dev/waybill/domain"
)

// Event is a fact about an order's process.
//
//sumtype:decl
type Event interface {
	domain.Event
	event()
}

// ProcessTaskFailed is recorded when a task was tried in vain. Attempt counts
// the failures since the task was last closed, from 1, without gaps.
//
// Consumers may rely on it being tried again, not before RetryAt unless
// ProcessTaskRetried says so, until ProcessTaskDone or ProcessTaskAbandoned.
type ProcessTaskFailed struct {
	OrderID string `json:"order_id"`
	Task
	Attempt int       `json:"attempt"`
	Cause   string    `json:"cause"` // for people who run the platform
	RetryAt time.Time `json:"retry_at"`
}

// ProcessAlarmRaised is recorded, right behind the fifth failure in a row of a
// task, when somebody should look. It is raised once until the task is closed.
type ProcessAlarmRaised struct {
	OrderID string `json:"order_id"`
	Task
	Failures int    `json:"failures"`
	Cause    string `json:"cause"`
}

// ProcessTaskDone is recorded when a task is done, once per event that opened
// it. Failures is how many came before.
type ProcessTaskDone struct {
	OrderID string `json:"order_id"`
	Task
	Failures int `json:"failures,omitempty"`
}

// ProcessTaskRetried is recorded when an operator wants a task that failed to
// be tried at once.
type ProcessTaskRetried struct {
	OrderID string `json:"order_id"`
	Task
}

// ProcessTaskAbandoned is recorded when an operator gives a task up: nobody
// tries it again, and whatever it should have done is up to people.
type ProcessTaskAbandoned struct {
	OrderID string `json:"order_id"`
	Task
	Reason   string `json:"reason"` // no personal data
	Failures int    `json:"failures,omitempty"`
}

// EventName implements [domain.Event].
func (ProcessTaskFailed) EventName() string { return "ProcessTaskFailed" }

// EventName implements [domain.Event].
func (ProcessAlarmRaised) EventName() string { return "ProcessAlarmRaised" }

// EventName implements [domain.Event].
func (ProcessTaskDone) EventName() string { return "ProcessTaskDone" }

// EventName implements [domain.Event].
func (ProcessTaskRetried) EventName() string { return "ProcessTaskRetried" }

// EventName implements [domain.Event].
func (ProcessTaskAbandoned) EventName() string { return "ProcessTaskAbandoned" }

func (ProcessTaskFailed) event()    {}
func (ProcessAlarmRaised) event()   {}
func (ProcessTaskDone) event()      {}
func (ProcessTaskRetried) event()   {}
func (ProcessTaskAbandoned) event() {}

// EventTypes describes the events of an order's process to the codec.
func EventTypes() []domain.EventType {
	return domain.EventTypes(ProcessTaskFailed{}, ProcessAlarmRaised{}, ProcessTaskDone{}, ProcessTaskRetried{}, ProcessTaskAbandoned{})
}
