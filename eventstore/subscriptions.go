package eventstore

import (
	"context"
	"fmt"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"
)

// subscriptions are those of a subscriber: each runs until its context ends, or
// until all are closed.
type subscriptions struct {
	mu      sync.Mutex
	closed  chan struct{}
	running sync.WaitGroup
}

// subscribe has run hand over the messages of a topic.
func (s *subscriptions) subscribe(ctx context.Context, topic string, run func(context.Context, chan<- *message.Message)) (<-chan *message.Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isClosed() {
		return nil, fmt.Errorf("subscribe to %s: %w", topic, errSubscriberClosed)
	}
	out := make(chan *message.Message)
	ctx, cancel := context.WithCancel(ctx)
	s.running.Go(func() {
		defer close(out)
		defer cancel()
		run(ctx, out)
	})
	s.running.Go(func() {
		defer cancel()
		select {
		case <-s.closed:
		case <-ctx.Done():
		}
	})
	return out, nil
}

// Close implements [message.Subscriber]: it ends all subscriptions and waits for
// them. It always returns nil.
func (s *subscriptions) Close() error {
	s.mu.Lock()
	if !s.isClosed() {
		close(s.closed)
	}
	s.mu.Unlock()
	s.running.Wait()
	return nil
}

func (s *subscriptions) isClosed() bool {
	select {
	case <-s.closed:
		return true
	default:
		return false
	}
}
