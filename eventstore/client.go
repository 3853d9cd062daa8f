package eventstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

// Client is the [Store] of an EventStoreDB server, and the source of feeds. It
// survives every absence of the server: calls meanwhile answer ErrUnavailable
// at once, feeds wait, and both go on by themselves afterwards.
type Client struct {
	config Config
	calls  pool // for appends and reads
	lane   *lane
	feeds  pool // for feeds, so that catching up never delays an append
	tails  tails
	spots  spots // that Before has come by
}

// NewClient returns a client. It does not connect before the first call.
func NewClient(config Config) (*Client, error) {
	if err := config.validate(); err != nil {
		return nil, fmt.Errorf("event store: %w", err)
	}
	config = config.withDefaults()
	settings, err := config.settings()
	if err != nil {
		return nil, fmt.Errorf("event store: %w", err)
	}
	health := &health{logger: config.Logger}
	connections := func() []*connection {
		all := make([]*connection, config.Connections)
		for i := range all {
			all[i] = newConnection(settings, config.backoff(), health)
		}
		return all
	}
	return &Client{
		config: config,
		calls:  pool{connections: connections()},
		lane:   newLane(settings, config.backoff()),
		feeds:  pool{connections: connections()},
	}, nil
}

func (c Config) backoff() backoff { return backoff{first: c.FirstRetry, last: c.LastRetry} }

// Close ends all connections. Calls under way and later ones answer
// ErrUnavailable. It always returns nil.
func (c *Client) Close() error {
	c.lane.close()
	c.calls.close()
	c.feeds.close()
	return nil
}

// Ping asks the server for the last event of the log: what an append or a feed
// needs works when this does.
func (c *Client) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	if _, err := c.end(ctx); err != nil {
		return fmt.Errorf("ping: %w", err)
	}
	return nil
}

// End returns the position of the last event of the log, or 0.
func (c *Client) End(ctx context.Context) (Position, error) {
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	return c.end(ctx)
}

// end returns the position of the last event of the log, or 0.
func (c *Client) end(ctx context.Context) (Position, error) {
	s, err := c.calls.acquire(ctx, false)
	if err != nil {
		return 0, err
	}
	return call(ctx, s, func(client *esdb.Client) (Position, error) {
		events, err := client.ReadAll(ctx, esdb.ReadAllOptions{Direction: esdb.Backwards, From: esdb.End{}}, 1)
		if err != nil {
			return 0, err
		}
		defer events.Close()
		last, err := events.Recv()
		if errors.Is(err, io.EOF) {
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
		return Position(last.OriginalEvent().Position.Commit), nil
	})
}

// pool hands out its connections in turn.
type pool struct {
	connections []*connection
	turn        atomic.Uint64
}

func (p *pool) acquire(ctx context.Context, patient bool) (*session, error) {
	turn := p.turn.Add(1)
	return p.connections[turn%uint64(len(p.connections))].acquire(ctx, patient)
}

func (p *pool) close() {
	for _, c := range p.connections {
		c.close()
	}
}
