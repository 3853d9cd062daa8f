package job

import (
	"fmt"
	"maps"

	"github.com/waybill-dev/waybill/domain"
)

func decide(s State, c Command) ([]Event, error) {
	if _, ok := c.(Start); !ok && !s.Known() {
		return nil, ErrNotFound
	}
	switch c := c.(type) {
	case Start:
		return start(s, c)
	case Progress:
		return progress(s, c)
	case Postpone:
		return postpone(s, c)
	case Succeed:
		return end(s, Succeeded, JobSucceeded{JobID: s.JobID, Result: c.Result, At: c.At})
	case Fail:
		return end(s, Failed, JobFailed{JobID: s.JobID, Code: c.Code, Message: c.Message, At: c.At})
	case RequestCancel:
		return requestCancel(s, c)
	case Cancel:
		return end(s, Cancelled, JobCancelled{JobID: s.JobID, At: c.At})
	case NoteDelivered:
		return delivered(s, c)
	case NoteUndelivered:
		return undelivered(s, c)
	}
	panic(fmt.Sprintf("job: unknown command %T", c))
}

// start takes a repeat for one where it asks for the same: a secret is
// sealed anew each time, so it is not compared.
func start(s State, c Start) ([]Event, error) {
	if !s.Known() {
		return []Event{JobStarted{
			JobID: c.JobID, Kind: c.Kind, Params: c.Params, Owner: c.Owner, Cancellable: c.Cancellable, Callback: c.Callback, StartedAt: c.At,
		}}, nil
	}
	if s.Kind == c.Kind && s.Owner == c.Owner && maps.Equal(s.Params, c.Params) && url(s.Callback) == url(c.Callback) {
		return nil, nil // asked twice: the first time did it
	}
	return nil, domain.ErrKeyReused.With("job_id", c.JobID)
}

func url(c *Callback) string {
	if c == nil {
		return ""
	}
	return c.URL
}

func progress(s State, c Progress) ([]Event, error) {
	switch {
	case s.Status == Cancelling || s.Status == Cancelled:
		return nil, ErrCancelled
	case s.Status.Finished():
		return nil, ErrFinished
	case s.Done == c.Done && s.Total == c.Total && s.Mark == c.Mark:
		return nil, nil
	}
	return []Event{JobProgressed{JobID: s.JobID, Done: c.Done, Total: c.Total, Mark: c.Mark, At: c.At}}, nil
}

func postpone(s State, c Postpone) ([]Event, error) {
	switch {
	case s.Status.Finished():
		return nil, ErrFinished
	case c.Attempt <= s.Attempts, s.Status == Cancelling:
		return nil, nil // noted before, or not tried again
	}
	return []Event{JobAttemptFailed{JobID: s.JobID, Attempt: c.Attempt, Cause: c.Cause, RetryAt: c.RetryAt, At: c.At}}, nil
}

// end lets the first end count: a second runner may come to another one.
func end(s State, as Status, event Event) ([]Event, error) {
	switch {
	case s.Status == as:
		return nil, nil
	case s.Status.Finished():
		return nil, ErrFinished
	case as == Cancelled && s.Status != Cancelling:
		return nil, ErrNotCancellable
	}
	return []Event{event}, nil
}

func requestCancel(s State, c RequestCancel) ([]Event, error) {
	switch {
	case s.Status == Cancelling, s.Status == Cancelled:
		return nil, nil
	case s.Status.Finished():
		return nil, ErrFinished.With("status", string(s.Status))
	case !s.Cancellable:
		return nil, ErrNotCancellable.With("kind", s.Kind)
	}
	return []Event{JobCancelRequested{JobID: s.JobID, At: c.At}}, nil
}

func delivered(s State, c NoteDelivered) ([]Event, error) {
	if s.CallbackStatus != CallbackPending || !s.Status.Finished() {
		return nil, nil
	}
	return []Event{JobCallbackDelivered{JobID: s.JobID, HTTPStatus: c.HTTPStatus, At: c.At}}, nil
}

func undelivered(s State, c NoteUndelivered) ([]Event, error) {
	if s.CallbackStatus != CallbackPending || !s.Status.Finished() || c.Attempt <= s.CallbackAttempts {
		return nil, nil
	}
	return []Event{JobCallbackFailed{
		JobID: s.JobID, Attempt: c.Attempt, HTTPStatus: c.HTTPStatus, Cause: c.Cause, RetryAt: c.RetryAt, Final: c.RetryAt.IsZero(), At: c.At,
	}}, nil
}

func evolve(s State, e Event) State {
	switch e := e.(type) {
	case JobStarted:
		s = State{
			JobID: e.JobID, Kind: e.Kind, Params: e.Params, Owner: e.Owner, Cancellable: e.Cancellable, Callback: e.Callback,
			Status: Running, StartedAt: e.StartedAt, ChangedAt: e.StartedAt, DueAt: e.StartedAt,
		}
		if e.Callback != nil {
			s.CallbackStatus = CallbackPending
		}
	case JobProgressed:
		s.Done, s.Total, s.Mark, s.ChangedAt = e.Done, e.Total, e.Mark, e.At
	case JobAttemptFailed:
		s.Attempts, s.DueAt, s.ChangedAt = e.Attempt, e.RetryAt, e.At
	case JobSucceeded:
		s.Status, s.Result, s.FinishedAt, s.ChangedAt, s.CallbackDueAt = Succeeded, e.Result, e.At, e.At, e.At
	case JobFailed:
		s.Status, s.Code, s.Message, s.FinishedAt, s.ChangedAt, s.CallbackDueAt = Failed, e.Code, e.Message, e.At, e.At, e.At
	case JobCancelRequested:
		s.Status, s.ChangedAt = Cancelling, e.At
	case JobCancelled:
		s.Status, s.FinishedAt, s.ChangedAt, s.CallbackDueAt = Cancelled, e.At, e.At, e.At
	case JobCallbackDelivered:
		s.CallbackStatus = CallbackDelivered
	case JobCallbackFailed:
		s.CallbackAttempts, s.CallbackDueAt = e.Attempt, e.RetryAt
		if e.Final {
			s.CallbackStatus = CallbackGivenUp
		}
	}
	return s
}
