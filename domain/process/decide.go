package process

import (
	"fmt"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/domain"
)

// Command is a wish to record something about a task.
//
//sumtype:decl
type Command interface{ command() }

// Fail counts a failure: the one with the number Attempt, from 1. One that was
// counted before, or of a task that was closed meanwhile, changes nothing.
type Fail struct {
	OrderID string
	Task    Task
	Attempt int
	Cause   string // shortened where it is long
	RetryAt time.Time
}

// Finish closes a task that is done. One that is closed stays as it is.
type Finish struct {
	OrderID string
	Task    Task
}

// Retry lets a task that failed be tried at once.
type Retry struct {
	OrderID string
	Task    Task
}

// Abandon gives a task up, for a reason that is a word. A cancellation
// cannot be given up: its order would wait for it for ever.
type Abandon struct {
	OrderID string
	Task    Task
	Reason  string
}

func (Fail) command()    {}
func (Finish) command()  {}
func (Retry) command()   {}
func (Abandon) command() {}

// maxCause is how many bytes of a text are kept.
const maxCause = 1_000

func decide(s State, c Command) ([]Event, error) {
	switch c := c.(type) {
	case Fail:
		return fail(s, c)
	case Finish:
		return finish(s, c)
	case Retry:
		return retry(s, c)
	case Abandon:
		return abandon(s, c)
	}
	panic(fmt.Sprintf("process: unknown command %T", c))
}

func fail(s State, c Fail) ([]Event, error) {
	if err := check(c.OrderID, c.Task); err != nil {
		return nil, err
	}
	r := s.find(c.Task)
	if s.Closed(c.Task) || c.Attempt <= r.failures {
		return nil, nil
	}
	if c.Attempt > r.failures+1 {
		return nil, ErrInvalid.Because(domain.Mistake{
			Pointer: "/attempt", Code: "invalid-attempt", Detail: fmt.Sprintf("%d failures were recorded so far", r.failures),
		})
	}
	cause := shorten(c.Cause)
	events := []Event{ProcessTaskFailed{c.OrderID, c.Task, c.Attempt, cause, c.RetryAt}}
	if c.Attempt == AlarmAt {
		events = append(events, ProcessAlarmRaised{c.OrderID, c.Task, c.Attempt, cause})
	}
	return events, nil
}

func finish(s State, c Finish) ([]Event, error) {
	if err := check(c.OrderID, c.Task); err != nil || s.Closed(c.Task) {
		return nil, err
	}
	r := s.find(c.Task)
	return []Event{ProcessTaskDone{c.OrderID, c.Task, r.failures}}, nil
}

func retry(s State, c Retry) ([]Event, error) {
	if err := check(c.OrderID, c.Task); err != nil {
		return nil, err
	}
	r := s.find(c.Task)
	switch {
	case s.Closed(c.Task):
		return nil, ErrClosed.With("kind", string(c.Task.Kind)).With("ref", c.Task.Ref)
	case r.failures == 0 || r.retryAt.IsZero():
		return nil, nil // nothing is waited for
	}
	return []Event{ProcessTaskRetried{c.OrderID, c.Task}}, nil
}

func abandon(s State, c Abandon) ([]Event, error) {
	if err := check(c.OrderID, c.Task); err != nil {
		return nil, err
	}
	if !domain.ValidWord(c.Reason) {
		return nil, ErrInvalid.Because(domain.Mistake{Pointer: "/reason", Code: "invalid-reason", Detail: domain.WordMistake})
	}
	if c.Task.Kind == Cancel {
		return nil, ErrInvalid.Because(domain.Mistake{
			Pointer: "/task", Code: "needed",
			Detail: "nothing else can be done with an order while it is being cancelled: mend the cause, and retry",
		})
	}
	r := s.find(c.Task)
	switch {
	case s.Closed(c.Task) && r.abandoned:
		return nil, nil
	case s.Closed(c.Task):
		return nil, ErrClosed.With("kind", string(c.Task.Kind)).With("ref", c.Task.Ref)
	}
	return []Event{ProcessTaskAbandoned{c.OrderID, c.Task, c.Reason, r.failures}}, nil
}

// check refuses what names no task: that is a mistake of a program.
func check(orderID string, t Task) error {
	var m []domain.Mistake
	for _, part := range []struct{ pointer, value string }{
		{"/order_id", orderID}, {"/kind", string(t.Kind)}, {"/ref", t.Ref}, {"/opened_by", t.OpenedBy},
	} {
		if part.value == "" {
			m = append(m, domain.Mistake{Pointer: part.pointer, Code: "missing", Detail: "a task has an order, a kind, a reference and an event that opened it"})
		}
	}
	if len(m) > 0 {
		return ErrInvalid.Because(m...)
	}
	return nil
}

// shorten keeps the beginning of a long text, whole characters of it.
func shorten(text string) string {
	text = strings.ToValidUTF8(text, "?")
	if len(text) <= maxCause {
		return text
	}
	return strings.ToValidUTF8(text[:maxCause], "") + "…"
}

func evolve(s State, e Event) State {
	switch e := e.(type) {
	case ProcessTaskFailed:
		r := s.find(e.Task)
		r.failures, r.retryAt, r.failedBy = e.Attempt, e.RetryAt, e.OpenedBy
		s = s.with(r)
	case ProcessAlarmRaised:
		// the failure before it tells as much
	case ProcessTaskDone:
		s = s.close(e.Task, false)
	case ProcessTaskRetried:
		r := s.find(e.Task)
		r.retryAt = time.Time{}
		s = s.with(r)
	case ProcessTaskAbandoned:
		s = s.close(e.Task, true)
	}
	return s
}

func (s State) close(t Task, abandoned bool) State {
	return s.with(record{kind: t.Kind, ref: t.Ref, closed: t.OpenedBy, abandoned: abandoned})
}
