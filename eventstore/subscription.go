package eventstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

// searchWindow is how many events of other streams may pass before the server
// tells how far it is. Less would be a message for every few events that do
// not concern us.
const searchWindow = 1024

// sink takes what a subscription receives: events in order, how far the log is
// dealt with, and whether its end is reached.
type sink interface {
	put(ctx context.Context, events ...Recorded) bool
	pass(through Position)
	setLive(live bool)
}

// subscription fills the buffer of a feed, or a tail. It subscribes again, after
// the last position it put there, whenever the server's subscription ends.
type subscription struct {
	client *Client
	config FeedConfig
	sink   sink
	tail   *tail // if there is one, the subscription ends when that holds the rest

	pinned bool     // from is where to begin
	from   Position // after which to go on
	retry  backoff
}

// run fills the buffer until the context ends or the server says that what was
// asked for makes no sense. It returns why it ended.
func (s *subscription) run(ctx context.Context) error {
	s.retry = s.client.config.backoff()
	s.from, s.pinned = s.config.From, !s.config.FromEnd
	complained := false
	for {
		err := s.once(ctx)
		switch {
		case ctx.Err() != nil:
			return errFeedClosed
		case errors.Is(err, errJoined):
			return err
		case isFault(err, faultInvalid), errors.Is(err, errClosed):
			return fmt.Errorf("feed after position %d: %w", s.from, err)
		case !errors.Is(err, ErrUnavailable) && !complained:
			complained = true
			s.client.config.Logger.WarnContext(ctx, "feed is refused, will go on trying", "error", err)
		}
		s.sink.setLive(false)
		if !sleep(ctx, s.retry.next()) {
			return errFeedClosed
		}
	}
}

// once subscribes and receives until something breaks.
func (s *subscription) once(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := s.pin(ctx); err != nil {
		return err
	}
	var known Position // what comes until the subscription is live
	if s.tail != nil {
		known = s.tail.end()
	}
	session, inner, err := s.open(ctx)
	if err != nil {
		return err
	}
	defer session.release()
	defer inner.Close()
	batch := batch{codec: s.client.config.Codec}
	for {
		message, err := protect(func() (*esdb.SubscriptionEvent, error) { return inner.Recv(), nil })
		if err == nil && message.SubscriptionDropped != nil {
			err = message.SubscriptionDropped.Error
		}
		if err != nil {
			_, err = judge(session, message, err)
			return err
		}
		if message.CaughtUp != nil && known > s.from {
			s.from = known
			s.sink.pass(known)
		}
		if !s.receive(ctx, message, &batch) {
			return context.Cause(ctx)
		}
		if s.tail != nil && s.tail.holds(s.from) {
			return errJoined
		}
	}
}

func (s *subscription) receive(ctx context.Context, message *esdb.SubscriptionEvent, batch *batch) bool {
	s.retry.reset()
	switch {
	case message.EventAppeared != nil:
		event := batch.recorded(message.EventAppeared.OriginalEvent())
		if event.Position <= s.from {
			return true
		}
		if !s.sink.put(ctx, event) {
			return false
		}
		s.from = event.Position
	case message.CheckPointReached != nil:
		s.from = max(s.from, Position(message.CheckPointReached.Commit))
		s.sink.pass(s.from)
	case message.CaughtUp != nil:
		s.sink.setLive(true)
	case message.FellBehind != nil:
		s.sink.setLive(false)
	}
	return true
}

// pin turns the end of the log into a position, once: subscribing at the end
// again after a break would lose what came meanwhile.
func (s *subscription) pin(ctx context.Context) error {
	if s.pinned {
		return nil
	}
	limit, cancel := context.WithTimeout(ctx, s.client.config.Timeout)
	defer cancel()
	end, err := s.client.end(limit)
	if err != nil {
		return err
	}
	s.from, s.pinned = end, true
	s.sink.pass(end)
	return nil
}

// open subscribes once the store is there. The caller releases the session.
func (s *subscription) open(ctx context.Context) (*session, *esdb.Subscription, error) {
	session, err := s.client.feeds.acquire(ctx, true)
	if err != nil {
		return nil, nil, err
	}
	if !session.use() { // for the subscription that goes on after the call
		session.release()
		return nil, nil, unsent(nil)
	}
	inner, err := call(ctx, session, func(client *esdb.Client) (*esdb.Subscription, error) {
		return client.SubscribeToAll(ctx, s.options())
	})
	if err != nil {
		session.release()
		return nil, nil, err
	}
	return session, inner, nil
}

func (s *subscription) options() esdb.SubscribeToAllOptions {
	options := esdb.SubscribeToAllOptions{
		From:            esdb.Start{}, // the client would begin at the end
		Filter:          s.config.filter(),
		MaxSearchWindow: searchWindow,
	}
	if s.from > 0 {
		options.From = esdb.Position{Commit: uint64(s.from), Prepare: uint64(s.from)}
	}
	return options
}
