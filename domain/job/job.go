// Package job is work that takes longer than a request: who asked for it, how
// far it is, how it ended, and whether the caller was told. It promises that a
// job ends once, and that whoever runs it learns of a cancellation at the next
// progress. It does not know what any kind of job does.
package job

import (
	"time"

	"github.com/waybill-dev/waybill/domain"
)

// Status is where a job is.
type Status string

// Where a job may be. One that was never started has no status.
const (
	Running    Status = "running"
	Cancelling Status = "cancelling" // until its runner has noticed
	Succeeded  Status = "succeeded"
	Failed     Status = "failed"
	Cancelled  Status = "cancelled"
)

// Finished reports whether nothing will change the job's result any more.
func (s Status) Finished() bool { return s == Succeeded || s == Failed || s == Cancelled }

// Rules a command about a job may be refused by.
var (
	ErrNotFound       = domain.Rule("job-not-found", "there is no such job")
	ErrFinished       = domain.Rule("job-finished", "the job is over")
	ErrCancelled      = domain.Rule("job-cancelled", "the job was cancelled")
	ErrNotCancellable = domain.Rule("job-not-cancellable", "a job of this kind cannot be cancelled")
)

// Callback is where the end of a job is told.
type Callback struct {
	URL string `json:"url"`
	// SealedSecret is the caller's own secret, sealed; without it one is
	// derived from the owner.
	SealedSecret []byte `json:"sealed_secret,omitempty"`
}

// State is a job.
type State struct {
	JobID       string
	Kind        string
	Params      map[string]string
	Owner       string
	Cancellable bool
	Status      Status
	StartedAt   time.Time
	ChangedAt   time.Time
	FinishedAt  time.Time // zero until then

	Done, Total int    // of the kind's own units; Total is 0 while unknown
	Mark        string // where a runner goes on after an interruption
	Attempts    int    // that failed and are repeated
	DueAt       time.Time
	Result      map[string]any
	Code        string // of a failure
	Message     string // of a failure

	Callback         *Callback
	CallbackAttempts int // that failed
	CallbackDueAt    time.Time
	CallbackStatus   CallbackStatus
}

// CallbackStatus is whether the caller was told.
type CallbackStatus string

// Whether the caller was told. A job without a callback has none of these.
const (
	CallbackPending   CallbackStatus = "pending"
	CallbackDelivered CallbackStatus = "delivered"
	CallbackGivenUp   CallbackStatus = "given_up"
)

// Known reports whether the job was started.
func (s State) Known() bool { return s.Status != "" }

// Due reports whether there is something to do about the job: the work itself,
// or telling the caller.
func (s State) Due(now time.Time) bool {
	switch {
	case !s.Known():
		return false
	case s.Status == Cancelling:
		return true
	case !s.Status.Finished():
		return !now.Before(s.DueAt)
	}
	return s.CallbackStatus == CallbackPending && !now.Before(s.CallbackDueAt)
}

// Decider is the job as an aggregate: stream job-{job_id}.
var Decider = domain.Decider[State, Command, Event]{Category: "job", Decide: decide, Evolve: evolve}
