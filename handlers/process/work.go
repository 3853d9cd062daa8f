package process

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/waybill-dev/waybill/database"
	"github.com/waybill-dev/waybill/domain/process"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers"
)

// work does the tasks of one order. One that fails does not keep the others
// from being tried; where one depends on another its handler says so.
func (p *Processor) work(ctx context.Context, tasks []Task) {
	if p.pausing(p.Now()) {
		return
	}
	l := &log{store: p.Store, orderID: tasks[0].OrderID}
	err := l.load(ctx)
	for i := 0; i < len(tasks) && err == nil && ctx.Err() == nil; i++ {
		err = p.do(ctx, l, tasks[i])
	}
	if err == nil || ctx.Err() != nil {
		return
	}
	until := p.Now().Add(away)
	for _, t := range tasks {
		p.hold(t, until)
	}
	if errors.Is(err, eventstore.ErrUnavailable) {
		p.pause(until)
	}
	p.Logger.WarnContext(ctx, "work on the tasks of an order was interrupted", "order", tasks[0].OrderID, "error", err)
}

// do tries one task and records what became of it. Its error is none of the
// task's: the store, or the end of the process.
func (p *Processor) do(ctx context.Context, l *log, t Task) error {
	now := p.Now()
	failures, retryAt := l.state.Failures(t.recorded())
	switch {
	case l.state.Closed(t.recorded()):
		p.hold(t, now.Add(settle))
		return nil
	case retryAt.After(now):
		p.hold(t, earlier(retryAt, now.Add(settle)))
		return nil
	}
	// What is begun is brought to an end, also when the platform stops.
	ctx = context.WithoutCancel(ctx)
	t.Failures = failures
	err := p.try(ctx, t)
	if fault := p.fault("handled " + t.Key()); fault != nil {
		return fault
	}
	if err := p.record(ctx, l, t, err); err != nil {
		return err
	}
	return p.fault("recorded " + t.Key())
}

// try calls the handler. A handler that panics or never ends has failed.
func (p *Processor) try(ctx context.Context, t Task) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("the handler panicked: %v", cause)
			p.Logger.ErrorContext(ctx, "a handler of tasks panicked", "order", t.OrderID, "task", t.Key(), "panic", cause, "stack", string(debug.Stack()))
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(p.Timeout, time.Minute))
	defer cancel()
	return p.Handlers[t.Kind](ctx, t)
}

func (p *Processor) record(ctx context.Context, l *log, t Task, failure error) error {
	now := p.Now()
	if notYet, waits := errors.AsType[*NotYetError](failure); waits {
		p.hold(t, now.Add(max(notYet.After, cmp.Or(p.Interval, 250*time.Millisecond))))
		return nil
	}
	switch {
	case errors.Is(failure, eventstore.ErrUnavailable), errors.Is(failure, database.ErrUnavailable):
		// Nothing is wrong with the task. Whether the store is away for all
		// shows at the next thing that is read or recorded.
		p.Logger.WarnContext(ctx, "a task of an order waits for the store", "order", t.OrderID, "task", t.Key(), "error", failure)
		p.hold(t, now.Add(away))
		return nil
	case failure == nil && t.Kind == Movement && t.Failures == 0:
		// The payment's stream says so.
	case failure == nil:
		if err := l.record(ctx, t, "done", process.Finish{OrderID: t.OrderID, Task: t.recorded()}); err != nil {
			return err
		}
	default:
		return p.fail(ctx, l, t, failure)
	}
	p.hold(t, now.Add(settle))
	return nil
}

func (p *Processor) fail(ctx context.Context, l *log, t Task, failure error) error {
	now, attempt := p.Now(), t.Failures+1
	retryAt := now.Add(handlers.BackOff(attempt, p.Random()))
	command := process.Fail{OrderID: t.OrderID, Task: t.recorded(), Attempt: attempt, Cause: failure.Error(), RetryAt: retryAt}
	if err := l.record(ctx, t, "failed "+strconv.Itoa(attempt), command); err != nil {
		return err
	}
	p.hold(t, earlier(retryAt, now.Add(settle)))
	if attempt < handlers.AlarmAt {
		p.Logger.WarnContext(ctx, "a task of an order failed", "order", t.OrderID, "task", t.Key(), "attempt", attempt, "retry_at", retryAt, "error", failure)
	} else {
		p.Logger.ErrorContext(ctx, "a task of an order keeps failing", "order", t.OrderID, "task", t.Key(), "attempt", attempt, "retry_at", retryAt, "error", failure)
	}
	return nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func (p *Processor) fault(step string) error {
	if p.Fault == nil {
		return nil
	}
	return p.Fault(step)
}

// log is an order's process stream as this process last saw it.
type log struct {
	store    eventstore.Store
	orderID  string
	state    process.State
	revision eventstore.Revision
}

func (l *log) load(ctx context.Context) (err error) {
	l.state, l.revision, err = eventstore.Load(ctx, l.store, process.Decider, l.orderID)
	if err != nil {
		return fmt.Errorf("read the process of order %s: %w", l.orderID, err)
	}
	return nil
}

// attempts is how often a record is decided while others write to the stream.
const attempts = 10

// record appends what a command causes. The command's id follows from the task
// and the step, so that a repeat is one.
func (l *log) record(ctx context.Context, t Task, step string, command process.Command) error {
	meta := eventstore.Metadata{
		CorrelationID: t.OrderID, CausationID: t.Cause, Actor: eventstore.Actor{Type: "process", ID: "tasks"},
		CommandID: eventstore.DeriveID("task", t.OrderID, string(t.Kind), t.Ref, t.Cause, step),
	}
	stream := process.Decider.Stream(t.OrderID)
	var err error
	for range attempts {
		var events []process.Event
		if events, err = process.Decider.Decide(l.state, command); err != nil || len(events) == 0 {
			return err
		}
		var done eventstore.Appended
		if done, err = l.store.Append(ctx, stream, l.revision, eventstore.NewEvents(stream, meta, events...)...); err == nil {
			l.state, l.revision = process.Decider.Fold(l.state, events...), done.Revision
			return nil
		}
		if !errors.Is(err, eventstore.ErrConflict) {
			return err
		}
		if err := l.load(ctx); err != nil {
			return err
		}
	}
	return err
}
