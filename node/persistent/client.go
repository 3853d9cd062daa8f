package persistent

import (
	"context"
	"slices"
	"sync"

	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/node"
)

// A Consumer is somebody who wants to be a client of a group.
type Consumer struct {
	Buffer int // messages it may have at a time
	Name   string
	User   string
	From   string // its address
}

// A Client gets messages of a group and says what became of them. Next may be
// called by one goroutine, the other methods by any.
type Client struct {
	Consumer
	group *group
	gone  func()
	once  sync.Once

	// Of the group.
	inFlight int
	measured measured

	mu    sync.Mutex
	queue []*message // not sent yet
	err   error
	ready chan struct{} // holds one token while there is something to see
}

// A Delivery is a message as a client gets it.
type Delivery struct {
	Event   *node.Record // nil when Link points at nothing
	Link    *node.Record // nil unless a link was followed
	Retries int
}

// Position is that of the event the client acknowledges.
func (d *Delivery) Position() uint64 {
	if d.Link != nil {
		return d.Link.Position
	}
	return d.Event.Position
}

// An Action says what shall become of a message that could not be processed.
type Action int

// The actions of the protocol. Stop does what Skip does, as in EventStoreDB.
const (
	ActionUnknown Action = iota
	ActionPark
	ActionRetry
	ActionSkip
	ActionStop
)

func newClient(g *group, c Consumer, gone func()) *Client {
	return &Client{Consumer: c, group: g, gone: gone, ready: make(chan struct{}, 1)}
}

// Next waits for a message. It is an [Error] when the client was dropped.
func (c *Client) Next(ctx context.Context) (Delivery, error) {
	for {
		m, err := c.pop()
		if err != nil {
			return Delivery{}, err
		}
		if m != nil {
			return *m, nil
		}
		select {
		case <-c.ready:
		case <-ctx.Done():
			return Delivery{}, ctx.Err()
		}
	}
}

func (c *Client) pop() (*Delivery, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return nil, c.err
	}
	if len(c.queue) == 0 {
		return nil, nil
	}
	m := c.queue[0]
	c.queue[0] = nil
	c.queue = c.queue[1:]
	return &Delivery{Event: m.event, Link: m.link, Retries: m.retries}, nil
}

func (c *Client) push(m *message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queue = append(c.queue, m)
	c.wake()
}

// forget takes back what was not sent yet.
func (c *Client) forget(m *message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.Index(c.queue, m); i >= 0 {
		c.queue = slices.Delete(c.queue, i, i+1)
	}
}

func (c *Client) drop(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err, c.queue = err, nil
	c.wake()
}

func (c *Client) wake() {
	select {
	case c.ready <- struct{}{}:
	default:
	}
}

// free is how many messages more the client may have.
func (c *Client) free() int { return c.Buffer - c.inFlight }

// Ack says that the events with these ids are processed. Ids that nobody has
// are passed over.
func (c *Client) Ack(ids ...uuid.UUID) {
	c.group.post(func() { c.group.ack(c, ids) })
}

// Nack says that the events with these ids could not be processed, and why.
func (c *Client) Nack(action Action, reason string, ids ...uuid.UUID) {
	c.group.post(func() { c.group.nack(c, action, reason, ids) })
}

// Close gives back what the client has: others get it. Next ends.
func (c *Client) Close() {
	c.once.Do(func() {
		c.drop(c.group.error(Dropped))
		c.group.post(func() { c.group.leave(c) })
		c.gone()
	})
}
