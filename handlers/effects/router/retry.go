package router

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers/effects"
	"github.com/waybill-dev/waybill/handlers/effects/deadletters"
	"github.com/waybill-dev/waybill/handlers/effects/inbox"
)

// addRetries lets the processes that run a handler carry out what people decide
// about its dead letters: a subscription of their own, so that a retry which was
// announced comes again until its outcome is recorded.
func addRetries(r *message.Router, o *Options, w *worker) {
	subscriber := eventstore.NewGroupSubscriber(eventstore.GroupConfig{
		Client: o.Client, Logger: o.Logger, Name: "dead-letters-" + w.Name, Buffer: 1,
		MessageTimeout: w.Config.Timeout + time.Minute, Pause: w.Config.FirstRetry,
	})
	r.AddConsumerHandler("dead letters of "+w.Name, deadletters.Stream(w.Name), subscriber, w.retry)
}

// retry handles once what was put aside, as any event. A failure is recorded,
// and does not come again by itself.
func (w *worker) retry(msg *message.Message) error {
	d, ok := eventstore.DeliveryOf(msg)
	if !ok {
		return errors.New("the message carries no event")
	}
	ctx := msg.Context()
	job, err := w.options.DeadLetters.Due(ctx, d.Recorded, w.Ordered)
	if err != nil {
		w.options.Logger.WarnContext(ctx, "a retry of a dead letter has to wait", "handler", w.Name, "error", err)
		return fmt.Errorf("look at a retry: %w", err)
	}
	if job == nil {
		return nil
	}
	if job.Refused != nil {
		return w.options.DeadLetters.Done(ctx, job, job.Refused)
	}
	if !w.breaker.TryAcquirePermit() {
		return errGivenBack
	}
	err = w.attempt(ctx, eventstore.Delivery{Recorded: job.Event})
	busy := ctx.Err() != nil && err != nil || errors.Is(err, inbox.ErrBusy)
	if err == nil || busy || effects.IsPermanent(err) {
		w.breaker.RecordSuccess()
	} else {
		w.breaker.RecordFailure()
	}
	if busy { // nobody is at fault
		return err
	}
	outcome := "retried"
	if err != nil {
		outcome = "retry failed"
	}
	w.options.Metrics.count(w.Name, outcome)
	return w.options.DeadLetters.Done(context.WithoutCancel(ctx), job, err) // the effect is there
}
