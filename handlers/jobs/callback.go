package jobs

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/waybill-dev/waybill/domain/job"
	"github.com/waybill-dev/waybill/eventstore"
)

// Callback is the end of a job on its way to whoever wanted to be called.
type Callback struct {
	ID    string // the same on every attempt
	Job   job.State
	Body  []byte
	Count int // of this attempt, from 1
}

// Answer is how an attempt ended.
type Answer struct {
	Delivered  bool
	GiveUp     bool // the receiver wants no more of it
	HTTPStatus int  // 0 when there was no answer
	Cause      string
	RetryAfter time.Duration // what the receiver asked for
}

// Callbacks posts signed callbacks to addresses that may be called.
type Callbacks interface {
	Post(ctx context.Context, c Callback) Answer
}

// CallbackID names the message that tells of a job's end.
func CallbackID(jobID string) string { return eventstore.DeriveID("job-callback", jobID) }

// tell makes one attempt to tell the end of a job, and records it.
func (r *Runner) tell(ctx context.Context, state job.State) error {
	if r.Callbacks == nil {
		return nil
	}
	body, err := r.Document(state)
	if err != nil {
		return fmt.Errorf("write the callback of job %s: %w", state.JobID, err)
	}
	attempt := state.CallbackAttempts + 1
	answer := r.Callbacks.Post(ctx, Callback{ID: CallbackID(state.JobID), Job: state, Body: body, Count: attempt})
	if ctx.Err() != nil {
		return nil // the process is stopping: it is told at the next start
	}
	if err := r.fault("told"); err != nil {
		return err
	}
	now := r.Service.Now().UTC()
	if answer.Delivered {
		_, err = r.Service.do(ctx, runner(), state.JobID, "told", job.NoteDelivered{HTTPStatus: answer.HTTPStatus, At: now})
		return err
	}
	command := job.NoteUndelivered{Attempt: attempt, HTTPStatus: answer.HTTPStatus, Cause: answer.Cause, At: now}
	if !answer.GiveUp && attempt <= len(r.CallbackWaits) {
		command.RetryAt = now.Add(max(r.CallbackWaits[attempt-1], answer.RetryAfter))
	} else {
		r.Logger.WarnContext(ctx, "callback of a job is given up", "job", state.JobID, "attempt", attempt, "cause", answer.Cause)
	}
	_, err = r.Service.do(ctx, runner(), state.JobID, "untold "+strconv.Itoa(attempt), command)
	return err
}
