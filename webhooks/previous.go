package webhooks

import (
	"sync"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-dev/waybill/webhooks/delivery"
)

// Previous is how the attempt before one ended, as far as this process made it.
type Previous struct {
	Class delivery.Class
	Span  trace.SpanContext
}

// Unanswered says that the receiver may have taken the message nevertheless.
func (p Previous) Unanswered() bool {
	return p.Class == delivery.ClassTimeout || p.Class == delivery.ClassReset
}

// mostPrevious bounds what is remembered: it is for traces and metrics only.
const mostPrevious = 4096

// lastAttempts remembers failures until the message is delivered.
type lastAttempts struct {
	mu sync.Mutex
	of map[string]Previous // by message
}

func (l *lastAttempts) get(message string) Previous {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.of[message]
}

func (l *lastAttempts) note(message string, p Previous) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case p.Class == delivery.ClassOK:
		delete(l.of, message)
	case l.of == nil:
		l.of = map[string]Previous{message: p}
	case len(l.of) < mostPrevious:
		l.of[message] = p
	}
}
