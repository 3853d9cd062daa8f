package persistent

import (
	"time"

	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/node"
)

// A message is an event on its way to being done: acknowledged, skipped or
// parked.
type message struct {
	event *node.Record // nil when the link points at nothing
	link  *node.Record // nil unless a link was followed

	at       int64 // in the source, or in the parked stream when it is replayed
	before   int64 // the checkpoint that does not include it
	number   int64 // how many events of the source came before
	retries  int
	replayed bool

	client  *Client // who has it; nil is nobody
	since   time.Time
	expires time.Time

	hash   uint32 // of the name it is pinned by
	hashed bool

	next, previous *message // in the order they were read
}

// original is what clients acknowledge: the link, where one was followed.
func (m *message) original() *node.Record {
	if m.link != nil {
		return m.link
	}
	return m.event
}

func (m *message) id() uuid.UUID { return m.original().ID }

// memory is roughly what the message holds.
func (m *message) memory() int64 {
	const overhead = 512
	size := int64(overhead)
	for _, r := range [...]*node.Record{m.event, m.link} {
		if r != nil {
			size += int64(len(r.Data) + len(r.Metadata) + len(r.Stream))
		}
	}
	return size
}

// order is the messages that are not done, in the order they were read. The
// checkpoint is before the first of them.
type order struct {
	first, last *message
	count       int
	bytes       int64
}

func (o *order) add(m *message) {
	m.previous = o.last
	if o.last != nil {
		o.last.next = m
	} else {
		o.first = m
	}
	o.last = m
	o.count++
	o.bytes += m.memory()
}

func (o *order) remove(m *message) {
	if m.previous != nil {
		m.previous.next = m.next
	} else {
		o.first = m.next
	}
	if m.next != nil {
		m.next.previous = m.previous
	} else {
		o.last = m.previous
	}
	m.next, m.previous = nil, nil
	o.count--
	o.bytes -= m.memory()
}
