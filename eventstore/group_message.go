package eventstore

import (
	"context"
	"sync"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/ThreeDotsLabs/watermill/message"
)

// A Delivery is an event that a group gave to one of its subscribers.
type Delivery struct {
	Recorded
	Retries int // how often it was given out before
}

type deliveryKey struct{}

// held is a message that was handed over and is not answered.
type held struct {
	event    *esdb.ResolvedEvent
	delivery Delivery

	mu     sync.Mutex
	parked bool
	reason string
}

func (h *held) message(ctx context.Context) *message.Message {
	msg := MessageOf(h.delivery.Recorded)
	msg.SetContext(context.WithValue(ctx, deliveryKey{}, h))
	return msg
}

// DeliveryOf returns the event that a message of a [GroupSubscriber] carries.
func DeliveryOf(msg *message.Message) (Delivery, bool) {
	h, ok := msg.Context().Value(deliveryKey{}).(*held)
	if !ok {
		return Delivery{}, false
	}
	return h.delivery, true
}

// Park decides that a Nack of this message, which is to follow, does not give it
// out again: the store puts it aside, with the reason, in the group's parked
// stream. It reports false for a message that no [GroupSubscriber] handed over.
func Park(msg *message.Message, reason string) bool {
	h, ok := msg.Context().Value(deliveryKey{}).(*held)
	if !ok {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.parked, h.reason = true, reason
	return true
}

// verdict is what a Nack means.
func (h *held) verdict() (action esdb.NackAction, reason string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.parked {
		return esdb.NackActionPark, h.reason
	}
	return esdb.NackActionRetry, ""
}
