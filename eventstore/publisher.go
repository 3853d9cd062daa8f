package eventstore

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/ThreeDotsLabs/watermill/message"
)

// maxPublished is how much payload goes into one append. The server takes 1 MiB
// with its default setting.
const maxPublished = 512 << 10

// Publisher is a Watermill publisher that appends messages to the stream named
// as the topic, whatever its revision. A message's UUID becomes the event's id
// if it is one, and leads to it if it is another text; the stored name is the
// metadata "name". Messages of one Publish stand in order; they are one
// append, and so all there or none, up to half a MiB together.
//
// A Publish that failed may be repeated: the server recognises the ids as long
// as it remembers them, and subscribers by the UUID afterwards.
type Publisher struct {
	Client *Client // required; it stays open when the publisher is closed

	closed atomic.Bool
}

var errPublisherClosed = errors.New("publisher is closed")

// Publish implements [message.Publisher]. It obeys the context of the first
// message.
func (p *Publisher) Publish(topic string, messages ...*message.Message) error {
	if p.closed.Load() {
		return fmt.Errorf("publish to %s: %w", topic, errPublisherClosed)
	}
	for len(messages) > 0 {
		events, err := nextAppend(messages)
		if err != nil {
			return fmt.Errorf("publish to %s: %w", topic, err)
		}
		if _, err := p.Client.append(messages[0].Context(), topic, Any, events); err != nil {
			return fmt.Errorf("publish: %w", err)
		}
		messages = messages[len(events):]
	}
	return nil
}

// nextAppend returns the events of as many messages as go into one append.
func nextAppend(messages []*message.Message) ([]esdb.EventData, error) {
	var events []esdb.EventData
	size := 0
	for _, msg := range messages {
		event, err := proposeMessage(msg)
		if err != nil {
			return nil, err
		}
		size += len(event.Data) + len(event.Metadata)
		if size > maxPublished && len(events) > 0 {
			break
		}
		events = append(events, event)
	}
	return events, nil
}

// Close implements [message.Publisher]. It always returns nil.
func (p *Publisher) Close() error {
	p.closed.Store(true)
	return nil
}
