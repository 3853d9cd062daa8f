package eventstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// SubscriberConfig says what a subscriber hands over, and from where.
type SubscriberConfig struct {
	Client *Client      // required
	Logger *slog.Logger // required
	// Prefixes are what the names of the streams begin with. None means the
	// one stream that is named as the topic.
	Prefixes []string
	// PageSize is the most events of a message. 0 means 512.
	PageSize int
	// Shared is that of [FeedConfig].
	Shared bool
	// Single hands over one event per message, as a [Publisher] was given it,
	// instead of pages.
	Single bool
	// Checkpoint returns the position after which to begin. It is asked at
	// every subscription; nil begins at the first event.
	Checkpoint func(context.Context) (Position, error)
	// Pause is the wait before a refused page is handed over again. 0 means 1 s.
	Pause time.Duration
}

// Subscriber is a Watermill subscriber to the log. Each message carries a page
// of events, see [PageOf], in the order of the log; there is one message at a
// time, and the next comes after its Ack. After a Nack the same page comes
// again. A subscription lasts until its context ends or the subscriber is
// closed, whatever becomes of the store meanwhile.
//
// It keeps no checkpoint: whoever handles the pages does, best in the
// transaction of what the page changes.
type Subscriber struct {
	subscriptions

	config SubscriberConfig
}

var errSubscriberClosed = errors.New("subscriber is closed")

// NewSubscriber returns a subscriber.
func NewSubscriber(config SubscriberConfig) *Subscriber {
	if config.Pause == 0 {
		config.Pause = time.Second
	}
	if config.Single {
		config.PageSize = 1
	}
	return &Subscriber{config: config, subscriptions: subscriptions{closed: make(chan struct{})}}
}

// Subscribe implements [message.Subscriber].
func (s *Subscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	if err := s.feed(topic, 0).validate(); err != nil {
		return nil, fmt.Errorf("subscribe to %s: %w", topic, err)
	}
	return s.subscribe(ctx, topic, func(ctx context.Context, out chan<- *message.Message) {
		s.run(ctx, topic, out)
	})
}

func (s *Subscriber) feed(topic string, from Position) FeedConfig {
	config := FeedConfig{Prefixes: s.config.Prefixes, From: from, PageSize: s.config.PageSize, Shared: s.config.Shared}
	if len(config.Prefixes) == 0 {
		config.Stream = topic
	}
	return config
}

// run hands over pages until the context ends. A feed heals by itself, so what
// ends one is a checkpoint that cannot be read, or is wrong: a person may mend
// that meanwhile.
func (s *Subscriber) run(ctx context.Context, topic string, out chan<- *message.Message) {
	for {
		err := s.once(ctx, topic, out)
		if ctx.Err() != nil {
			return
		}
		s.config.Logger.ErrorContext(ctx, "subscription broke, will begin again", "topic", topic, "error", err)
		if !sleep(ctx, s.config.Pause) {
			return
		}
	}
}

func (s *Subscriber) once(ctx context.Context, topic string, out chan<- *message.Message) error {
	from, err := s.checkpoint(ctx)
	if err != nil {
		return fmt.Errorf("read the checkpoint: %w", err)
	}
	feed := s.config.Client.Feed(s.feed(topic, from))
	defer feed.Close()
	for {
		page, err := feed.Next(ctx)
		if err != nil {
			return err
		}
		if s.config.Single && len(page.Events) == 0 {
			continue
		}
		if !s.handOver(ctx, page, out) {
			return ctx.Err()
		}
	}
}

func (s *Subscriber) checkpoint(ctx context.Context) (Position, error) {
	if s.config.Checkpoint == nil {
		return 0, nil
	}
	return s.config.Checkpoint(ctx)
}

// handOver offers a page until it is acknowledged or the context ends.
func (s *Subscriber) handOver(ctx context.Context, page Page, out chan<- *message.Message) bool {
	for {
		acked := s.offer(ctx, page, out)
		if acked || !sleep(ctx, s.config.Pause) {
			return acked
		}
	}
}

// offer hands a page over once and waits for the answer.
func (s *Subscriber) offer(ctx context.Context, page Page, out chan<- *message.Message) bool {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	msg := messageOfPage(ctx, page)
	if s.config.Single {
		msg = MessageOf(page.Events[0])
		msg.SetContext(ctx)
	}
	select {
	case out <- msg:
	case <-ctx.Done():
		return false
	}
	select {
	case <-msg.Acked():
		return true
	case <-msg.Nacked():
	case <-ctx.Done():
	}
	return false
}
