package app

import (
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/waybill-dev/waybill/eventstore"
)

const (
	// pageSize is how many events a projection applies at once, at most.
	pageSize = 2048
	// A projection rests between two pages, so that under load the next one has
	// more events in it: a transaction costs as much as dozens of rows. It
	// rests restFactor times as long as it worked, within these bounds, and as
	// long as it may where so many events come in a second.
	restFactor = 10
	shortRest  = 10 * time.Millisecond
	longRest   = 200 * time.Millisecond
	many       = 500
)

// paced rests after each page, unless the page was full: then more is waiting.
// An event that comes after a pause does not wait.
func paced(now func() time.Time) message.HandlerMiddleware {
	return func(handle message.HandlerFunc) message.HandlerFunc {
		var last time.Time // when the page before began; the next comes after Ack
		return func(msg *message.Message) ([]*message.Message, error) {
			began := now()
			produced, err := handle(msg)
			page, _ := eventstore.PageOf(msg)
			if err != nil || len(page.Events) < pageSize {
				select {
				case <-time.After(rest(now().Sub(began), began.Sub(last), len(page.Events))):
				case <-msg.Context().Done():
				}
			}
			last = began
			return produced, err
		}
	}
}

// rest is how long to rest after having worked so long on events that came in
// a time.
func rest(worked, within time.Duration, events int) time.Duration {
	if float64(events) >= many*within.Seconds() {
		return longRest
	}
	return min(max(restFactor*worked, shortRest), longRest)
}
