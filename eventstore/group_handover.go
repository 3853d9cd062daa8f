package eventstore

import (
	"context"
	"sync"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/ThreeDotsLabs/watermill/message"
)

// handover is one life of a subscription to a group.
type handover struct {
	group   *group
	session *session
	inner   *esdb.PersistentSubscription
	stop    context.CancelFunc // ends inner
	answers chan verdict
}

// verdict is an answer on its way to the store.
type verdict struct {
	event  *esdb.ResolvedEvent
	refuse bool
	action esdb.NackAction
	reason string
}

// open subscribes once the store is there. It goes on a little longer than ctx,
// so that the last answers can be sent.
func (g *group) open(ctx context.Context) (*handover, error) {
	session, err := g.Client.feeds.acquire(ctx, true)
	if err != nil {
		return nil, err
	}
	if !session.use() { // for the subscription that goes on after the call
		session.release()
		return nil, unsent(nil)
	}
	calling, stop := context.WithCancel(context.WithoutCancel(ctx))
	abandon := context.AfterFunc(ctx, stop)
	inner, err := call(ctx, session, func(client *esdb.Client) (*esdb.PersistentSubscription, error) {
		options := esdb.SubscribeToPersistentSubscriptionOptions{BufferSize: uint32(g.Buffer)} //nolint:gosec // not below 0
		if g.source == "" {
			return client.SubscribeToPersistentSubscriptionToAll(calling, g.Name, options)
		}
		return client.SubscribeToPersistentSubscription(calling, g.source, g.Name, options)
	})
	if err == nil && !abandon() {
		err = late(context.Cause(ctx))
	}
	if err != nil {
		stop()
		session.release()
		return nil, err
	}
	return &handover{group: g, session: session, inner: inner, stop: stop, answers: make(chan verdict, g.Buffer)}, nil
}

// handOver hands over what comes, in the order in which it comes.
func (h *handover) handOver(ctx context.Context, out chan<- *message.Message) error {
	ctx, cancel := context.WithCancel(ctx)
	var working sync.WaitGroup
	defer h.session.release()
	defer h.inner.Close()
	defer working.Wait()
	defer cancel()
	working.Go(func() { h.answer(ctx) })
	batch := batch{codec: h.group.Client.config.Codec}
	for {
		event, err := protect(func() (*esdb.PersistentSubscriptionEvent, error) { return h.inner.Recv(), nil })
		if err == nil && event.SubscriptionDropped != nil {
			err = event.SubscriptionDropped.Error
		}
		if err != nil {
			_, err = judge(h.session, event, err)
			return err
		}
		appeared := event.EventAppeared
		if appeared == nil {
			continue
		}
		if h.group.nothing(appeared.Event) {
			h.tell(ctx, verdict{event: appeared.Event})
			continue
		}
		one := &held{event: appeared.Event, delivery: Delivery{batch.recorded(appeared.Event.Event), appeared.RetryCount}}
		msg, done := one.offered(ctx)
		select {
		case out <- msg:
			working.Go(func() { defer done(); h.await(ctx, one, msg) })
		case <-ctx.Done():
			done()
			return ctx.Err()
		}
	}
}

// nothing tells that there is nothing to hand over: a link to what is no longer
// there, or what was there before the group.
func (g *group) nothing(e *esdb.ResolvedEvent) bool {
	return e.Event == nil || g.before > 0 && Position(e.OriginalEvent().Position.Commit) <= g.before
}

// offered is the message with a context of its own.
func (h *held) offered(ctx context.Context) (*message.Message, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	return h.message(ctx), cancel
}

// await passes on what becomes of a message.
func (h *handover) await(ctx context.Context, one *held, msg *message.Message) {
	select {
	case <-msg.Acked():
		h.tell(ctx, verdict{event: one.event})
	case <-msg.Nacked():
		action, reason := one.verdict()
		if action == esdb.NackActionRetry && !sleep(ctx, h.group.Pause) {
			return
		}
		h.tell(ctx, verdict{event: one.event, refuse: true, action: action, reason: reason})
	case <-ctx.Done():
	}
}

func (h *handover) tell(ctx context.Context, v verdict) {
	select {
	case h.answers <- v:
	case <-ctx.Done():
	}
}

// lastAnswers is how long the end of a subscription waits for answers to go out.
const lastAnswers = 50 * time.Millisecond

// answer is the only one that sends, for the stream takes no more. A break shows
// where the events are received.
func (h *handover) answer(ctx context.Context) {
	defer h.stop()
	for {
		select {
		case v := <-h.answers:
			h.send(v)
		case <-ctx.Done():
			h.answerLast()
			return
		}
	}
}

// answerLast sends what was decided before the end.
func (h *handover) answerLast() {
	for sent := false; ; sent = true {
		select {
		case v := <-h.answers:
			h.send(v)
		default:
			if sent { // else what was sent would be taken back with the stream
				time.Sleep(lastAnswers)
			}
			return
		}
	}
}

// send sends an answer, and with an Ack those that wait behind it.
func (h *handover) send(v verdict) {
	var done []*esdb.ResolvedEvent
	for more := true; more; {
		if v.refuse {
			h.acknowledge(done)
			done = nil
			_, _ = protect(func() (bool, error) { return true, h.inner.Nack(v.reason, v.action, v.event) }) // receiving tells of a break
		} else {
			done = append(done, v.event)
		}
		select {
		case v = <-h.answers:
		default:
			more = false
		}
	}
	h.acknowledge(done)
}

func (h *handover) acknowledge(done []*esdb.ResolvedEvent) {
	if len(done) > 0 {
		_, _ = protect(func() (bool, error) { return true, h.inner.Ack(done...) }) // receiving tells of a break
	}
}
