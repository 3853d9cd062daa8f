package webhooks

import (
	"context"
	"errors"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/message"
)

// ErrUnreadable says that a message cannot be made of an event that is public.
var ErrUnreadable = domain.Rule("message-unreadable", "the event of this message cannot be read by this version of the program; whoever runs it has been told")

// errOwnerless says that it cannot be told whose an event is, for the first of
// its stream cannot be read.
var errOwnerless = errors.New("whose event it is cannot be told")

// errDoubtful says that what an event is chosen by cannot be told.
var errDoubtful = errors.New("what the event is chosen by cannot be told")

// isUnreadable says that a message cannot be made, and will not be before the
// program is another one.
func isUnreadable(err error) bool {
	return errors.Is(err, message.ErrUnreadable) || errors.Is(err, errDoubtful) || errors.Is(err, errOwnerless)
}

// Skipped stands for a message that cannot be made. It has what can be told
// without reading the event.
type Skipped struct {
	ID        string    `json:"id" doc:"The webhook-id of the message."`
	Type      string    `json:"type" doc:"The event type." example:"order.placed"`
	Aggregate Aggregate `json:"aggregate"`
	Sequence  int       `json:"sequence" doc:"Of the message, within its aggregate: previous of a later one counts it."`
	Cursor    string    `json:"cursor,omitempty" doc:"The place in the log: read on from before it when it can be read."`
	Reason    string    `json:"reason" enum:"unreadable" doc:"unreadable: this version of the program cannot read the event."`
}

func skipped(r eventstore.Recorded, kind *message.Kind, place message.Place) Skipped {
	return Skipped{
		ID: r.ID.String(), Type: kind.Public, Aggregate: Aggregate{kind.Aggregate, message.AggregateID(r.Stream)},
		Sequence: place.Sequence, Cursor: place.Cursor, Reason: "unreadable",
	}
}

// unreadable knows which events could not be read, so that each is told of
// once.
type unreadable struct {
	once sync.Once
	met  *lru.Cache[string, struct{}]
}

const mostUnreadable = 1 << 14

func (u *unreadable) events() *lru.Cache[string, struct{}] {
	u.once.Do(func() { u.met, _ = lru.New[string, struct{}](mostUnreadable) }) // only a size below 1 is refused
	return u.met
}

// Unreadable returns how many public events this process met that it cannot
// read.
func (d *Dispatcher) Unreadable() int { return d.unreadable.events().Len() }

// complainOf tells whoever runs the program of an event that it cannot read.
func (d *Dispatcher) complainOf(ctx context.Context, id, stream string, err error) {
	if known, _ := d.unreadable.events().ContainsOrAdd(id, struct{}{}); !known {
		d.Logger.ErrorContext(ctx, "a public event cannot be read: its message is not sent", "message", id, "stream", stream, "error", err)
	}
}
