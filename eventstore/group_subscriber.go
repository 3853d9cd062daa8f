package eventstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// GroupSubscriber is a Watermill subscriber to a persistent subscription of
// EventStoreDB: competing consumers, of whom each gets some of the messages. The
// store keeps how far they are; a message comes at least once, and may come
// before an earlier one is answered.
//
// An Ack is told to the store. After a Nack the message comes again, to whomever,
// unless it was parked, see [Park]. A message that is not answered within the
// group's time comes again, too.
//
// A subscription lasts until its context ends or the subscriber is closed,
// whatever becomes of the store meanwhile: a connection that broke, a group that
// was dropped, deleted or changed. What was handed over before such a break has
// its context ended, and comes again.
type GroupSubscriber struct {
	subscriptions // whose lock is that of what follows, too

	config GroupConfig

	paused  chan struct{} // closed at the end of the pause; nil when there is none
	next    int
	current map[int]context.CancelCauseFunc // of the subscriptions that run
}

var errPaused = errors.New("the subscription is paused")

// NewGroupSubscriber returns a subscriber. The group is made, or given other
// settings, when something is subscribed to.
func NewGroupSubscriber(config GroupConfig) *GroupSubscriber {
	return &GroupSubscriber{config: config.withDefaults(), subscriptions: subscriptions{closed: make(chan struct{})}, current: map[int]context.CancelCauseFunc{}}
}

// Subscribe implements [message.Subscriber].
func (s *GroupSubscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	if err := s.config.validate(topic); err != nil {
		return nil, fmt.Errorf("subscribe to %s: %w", topic, err)
	}
	return s.subscribe(ctx, topic, func(ctx context.Context, out chan<- *message.Message) {
		s.run(ctx, &group{GroupConfig: s.config, source: s.config.stream(topic)}, out)
	})
}

// Pause gives back what was handed over and takes nothing for a while: what is
// new stays in the log, or goes to the group's other subscribers. A pause that
// runs already is not made longer.
func (s *GroupSubscriber) Pause(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.paused != nil {
		return
	}
	over := make(chan struct{})
	s.paused = over
	for _, end := range s.current {
		end(errPaused)
	}
	time.AfterFunc(d, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.paused = nil
		close(over)
	})
}

// run takes messages until the context ends. Everything heals, but for what a
// person has to mend: that is tried again as well.
func (s *GroupSubscriber) run(ctx context.Context, g *group, out chan<- *message.Message) {
	retry := s.config.Client.config.backoff()
	prepared, complained := false, false
	for s.unpaused(ctx) {
		var err error
		if !prepared {
			err = g.prepare(ctx)
			prepared = err == nil
		}
		if prepared {
			err = s.once(ctx, g, out, retry.reset)
		}
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, errPaused):
			continue
		case missing(err):
			prepared = false
		case !errors.Is(err, ErrUnavailable) && !complained:
			complained = true
			s.config.Logger.WarnContext(ctx, "group is refused, will go on trying", "group", g.Name, "error", err)
		}
		if !sleep(ctx, retry.next()) {
			return
		}
	}
}

// unpaused waits for the end of a pause, and tells whether the context let it.
func (s *GroupSubscriber) unpaused(ctx context.Context) bool {
	s.mu.Lock()
	paused := s.paused
	s.mu.Unlock()
	if paused == nil {
		return ctx.Err() == nil
	}
	select {
	case <-paused:
		return true
	case <-ctx.Done():
		return false
	}
}

// once subscribes and hands over until something breaks, or a pause begins.
func (s *GroupSubscriber) once(ctx context.Context, g *group, out chan<- *message.Message, began func()) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	if leave := s.enter(end); leave != nil {
		defer leave()
	} else {
		return errPaused
	}
	h, err := g.open(ctx)
	if err != nil {
		return err
	}
	began()
	err = h.handOver(ctx, out)
	if cause := context.Cause(ctx); errors.Is(cause, errPaused) {
		return cause
	}
	return err
}

// enter lets a pause end what begins. It is nil when there is a pause.
func (s *GroupSubscriber) enter(end context.CancelCauseFunc) (leave func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.paused != nil {
		return nil
	}
	s.next++
	number := s.next
	s.current[number] = end
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.current, number)
	}
}
