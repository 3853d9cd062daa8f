package router

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers/effects"
	"github.com/waybill-dev/waybill/handlers/effects/inbox"
)

// worker runs one handler.
type worker struct {
	Effect
	options *Options
	breaker circuitbreaker.CircuitBreaker[any]
	pause   func(time.Duration)
	slots   chan struct{} // of events that the store no longer counts

	succeeded atomic.Int64
}

var (
	errGivenBack = errors.New("the outside system is down: the event is given back")
	errParked    = errors.New("the event is put aside")
)

// changed is told of the circuit.
func (w *worker) changed(e circuitbreaker.StateChangedEvent) {
	w.options.Metrics.circuit(w.Name, e.NewState)
	level := w.options.Logger.Info
	if e.NewState == circuitbreaker.OpenState {
		level = w.options.Logger.Warn
	}
	level("circuit of an effect", "handler", w.Name, "state", e.NewState.String(), "was", e.OldState.String())
}

// handle answers nil for an Ack.
func (w *worker) handle(msg *message.Message) error {
	d, ok := eventstore.DeliveryOf(msg)
	if !ok {
		return errors.New("the message carries no event")
	}
	w.options.Metrics.lag(w.Name, w.options.Now().Sub(d.Created))
	ctx := msg.Context()
	if w.Config.Semantics == AtMostOnce {
		w.slots <- struct{}{}
		defer func() { <-w.slots }()
		msg.Ack()
		if err := w.attempt(context.WithoutCancel(ctx), d); err != nil {
			w.options.Metrics.count(w.Name, "missed")
		}
		return nil
	}
	return w.deliver(ctx, msg, d)
}

// deliver tries until the event is handled, put aside, or given back.
func (w *worker) deliver(ctx context.Context, msg *message.Message, d eventstore.Delivery) error {
	history, succeeded := newHistory(w.options.Now), w.succeeded.Load()
	for attempt := 1; ; attempt++ {
		if !w.breaker.TryAcquirePermit() {
			return w.giveBack()
		}
		err := w.attempt(ctx, d)
		switch {
		case err == nil:
			w.succeeded.Add(1)
			w.breaker.RecordSuccess()
			return nil
		case ctx.Err() != nil, errors.Is(err, inbox.ErrBusy): // nobody is at fault
			w.breaker.RecordSuccess()
			return err
		}
		history.add(err)
		if effects.IsPermanent(err) {
			w.breaker.RecordSuccess() // the event is at fault
			return w.park(msg, d, history)
		}
		// One event that fails again and again says nothing about the others,
		// unless it says that the system is away, and no other one knows better.
		alone := w.succeeded.Load() == succeeded
		away := effects.IsAway(err) && alone
		if attempt == 1 || away || !w.breaker.IsClosed() {
			w.breaker.RecordFailure()
		}
		last := attempt >= w.Config.Attempts
		if last && (away || alone && effects.IsDoubtful(err)) {
			w.breaker.Open()
		}
		if w.breaker.IsOpen() {
			return w.giveBack()
		}
		if last {
			return w.park(msg, d, history)
		}
		if !sleep(ctx, w.Config.wait(attempt, w.options.Random())) {
			return ctx.Err()
		}
	}
}

// giveBack stops consuming for as long as the circuit is open. Where somebody
// else tries whether the system is back, that is a moment.
func (w *worker) giveBack() error {
	const moment = 100 * time.Millisecond
	w.options.Metrics.count(w.Name, "given back")
	w.pause(max(w.breaker.RemainingDelay(), min(moment, w.Config.OpenFor)))
	return errGivenBack
}

func (w *worker) park(msg *message.Message, d eventstore.Delivery, h *history) error {
	w.options.Metrics.count(w.Name, "parked")
	w.options.Logger.ErrorContext(msg.Context(), "an event is put aside",
		"handler", w.Name, "event", d.ID, "type", d.Type, "stream", d.Stream, "attempts", h.Attempts, "error", h.last())
	eventstore.Park(msg, h.reason())
	return errParked
}

// attempt handles the event once.
func (w *worker) attempt(ctx context.Context, d eventstore.Delivery) error {
	ctx, cancel := context.WithTimeout(ctx, w.Config.Timeout)
	defer cancel()
	began := w.options.Now()
	var err error
	if w.Inbox == nil {
		err = w.call(ctx, d)
	} else {
		err = w.Inbox.Do(ctx, d.ID.String(), func(ctx context.Context) error { return w.call(ctx, d) })
	}
	w.options.Metrics.attempt(w.Name, w.options.Now().Sub(began), err)
	return err
}

// call makes an error of a panic.
func (w *worker) call(ctx context.Context, d eventstore.Delivery) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			w.options.Logger.ErrorContext(ctx, "a handler panicked", "handler", w.Name, "event", d.ID, "cause", cause, "stack", string(debug.Stack()))
			err = fmt.Errorf("the handler panicked: %v", cause)
		}
	}()
	return w.Handle(ctx, d.Recorded)
}

// sleep waits, and tells whether the context let it.
func sleep(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
