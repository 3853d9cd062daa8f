package persistent

import (
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/node"
)

// Bounds of one write of parked messages.
const (
	maxParkBatch  = 256
	maxParkBytes  = 512 << 10
	maxReasonSize = 16 << 10
)

// parking is the messages on their way to the parked stream. They are not done
// before they are there.
type parking struct {
	waiting []*parked
	// writing is repeated as it is when it fails: the node recognises a repeat
	// by the ids of all its events.
	writing []*parked
	busy    bool
	failed  bool // until the next tick
}

type parked struct {
	message *message
	event   node.Event
}

func (p *parking) add(m *parked) { p.waiting = append(p.waiting, m) }

func (p *parking) len() int { return len(p.waiting) + len(p.writing) }

// parkedMetadata has the names of EventStoreDB.
type parkedMetadata struct {
	Added                   time.Time `json:"added"`
	Reason                  string    `json:"reason"`
	SubscriptionEventNumber int64     `json:"subscriptionEventNumber"`
}

func (g *group) parkedStream() string {
	return parkedStream(g.definition.Stream, g.definition.Group)
}

// parked makes the link that stands for a message in the parked stream. It
// points at the event itself, not at a link the message came by.
func (g *group) parked(m *message, reason string) *parked {
	metadata, err := json.Marshal(parkedMetadata{
		Added: g.now(), Reason: shorten(reason), SubscriptionEventNumber: int64(m.original().Revision),
	})
	if err != nil {
		metadata = nil // a time beyond the year 9999
	}
	e := node.Event{ID: uuid.New(), Type: node.TypeLink, Metadata: metadata}
	if m.event != nil {
		e.Data = fmt.Appendf(nil, "%d@%s", m.event.Revision, m.event.Stream)
	} else {
		e.Data = m.link.Data
	}
	return &parked{message: m, event: e}
}

// shorten keeps a reason from being larger than what can be stored.
func shorten(reason string) string {
	if len(reason) <= maxReasonSize {
		return reason
	}
	end := maxReasonSize
	for end > 0 && !utf8.RuneStart(reason[end]) {
		end--
	}
	return reason[:end]
}

// park writes what waits, one write at a time.
func (g *group) park() {
	p := &g.parking
	if p.busy || p.failed || p.len() == 0 {
		return
	}
	if len(p.writing) == 0 {
		p.next()
	}
	a := node.Append{Stream: g.parkedStream(), Expected: node.ExpectAny}
	for _, m := range p.writing {
		a.Events = append(a.Events, m.event)
	}
	p.busy = true
	g.write(func() error {
		_, err := g.node.Append(g.ctx, a)
		return err
	}, g.afterPark)
}

func (p *parking) next() {
	n, size := 0, int64(0)
	for n < len(p.waiting) && n < maxParkBatch && (n == 0 || size < maxParkBytes) {
		size += p.waiting[n].event.Size()
		n++
	}
	p.writing, p.waiting = p.waiting[:n:n], p.waiting[n:]
}

func (g *group) afterPark(err error) {
	p := &g.parking
	p.busy = false
	if err != nil {
		p.failed = true
		g.troubled("park messages", err)
		return
	}
	for _, m := range p.writing {
		g.complete(m.message)
	}
	p.writing = nil
}
