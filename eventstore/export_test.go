package eventstore

import (
	"context"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

// LaneOpen reports whether appends go over a call of their own.
func (c *Client) LaneOpen() bool {
	c.lane.mu.Lock()
	defer c.lane.mu.Unlock()
	return c.lane.state == laneOpen
}

// Sent is how many appends went over the call that is open.
func (c *Client) Sent() int {
	c.lane.mu.Lock()
	defer c.lane.mu.Unlock()
	if c.lane.call == nil {
		return 0
	}
	c.lane.call.mu.Lock()
	defer c.lane.call.mu.Unlock()
	return int(c.lane.call.last)
}

// LaneUseless reports that no lane will be tried any more.
func (c *Client) LaneUseless() bool {
	c.lane.mu.Lock()
	defer c.lane.mu.Unlock()
	return c.lane.state == laneUseless
}

// BeforeByReading is Before where a server refuses positions between events.
func (c *Client) BeforeByReading(ctx context.Context, at time.Time) (Position, error) {
	s := search{client: c, at: at}
	low, found := c.spots.before(at)
	return s.scan(ctx, low, found)
}

// Spots is how many places of the log the client remembers.
func (c *Client) Spots() int { return len(c.spots.list) }

// GroupInfo is what the store tells of a group; nil when there is none.
func GroupInfo(ctx context.Context, c *Client, stream, name string) (*esdb.PersistentSubscriptionInfo, error) {
	g := &group{GroupConfig: GroupConfig{Client: c, Name: name}, source: stream}
	info, err := g.info(ctx)
	if missing(err) {
		return nil, nil
	}
	return info, err
}
