package eventstore

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

var errClosed = errors.New("client is closed")

// connection is one place of the pool: a session, or the endeavour to get one.
type connection struct {
	settings *esdb.Configuration
	retry    backoff
	health   *health

	mu      sync.Mutex
	state   state
	session *session      // when up
	away    bool          // as health was told
	cause   error         // when down
	changed chan struct{} // closed at the next change of state
	closed  chan struct{}
	working sync.WaitGroup
}

type state int

const (
	stateIdle       state = iota // nobody asked for it so far
	stateConnecting              // the first attempt is under way: worth waiting for
	stateUp
	stateDown // attempts have failed and go on: not worth waiting for
)

func newConnection(settings *esdb.Configuration, retry backoff, health *health) *connection {
	return &connection{
		settings: settings,
		retry:    retry,
		health:   health,
		changed:  make(chan struct{}),
		closed:   make(chan struct{}),
	}
}

// acquire returns a session that is up, for one call. Where the store is away,
// a patient caller waits until it is back or the context ends; others are
// refused at once.
func (c *connection) acquire(ctx context.Context, patient bool) (*session, error) {
	for {
		s, wait, err := c.try(patient)
		if s != nil || err != nil {
			return s, err
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, unsent(context.Cause(ctx))
		case <-c.closed:
		}
	}
}

// try returns a session, or what to wait for, or why not to.
func (c *connection) try(patient bool) (*session, <-chan struct{}, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isClosed() {
		return nil, nil, unsent(errClosed)
	}
	switch c.state {
	case stateUp:
		if c.session.use() {
			return c.session, nil, nil
		}
	case stateIdle:
		c.start()
	case stateDown:
		if !patient {
			return nil, nil, unsent(c.cause)
		}
	case stateConnecting:
	}
	return nil, c.changed, nil
}

// lose gives up a session and begins to get another. Only the first to tell of
// a session is heard.
func (c *connection) lose(s *session, cause error) {
	c.mu.Lock()
	if c.session == s && !c.isClosed() {
		c.session = nil
		c.start()
		c.announce()
		c.miss(cause)
	}
	c.mu.Unlock()
	s.end()
}

// miss tells once that the store is away. It wants the lock.
func (c *connection) miss(cause error) {
	if !c.away {
		c.away = true
		c.health.lost(cause)
	}
}

// start begins to connect. It wants the lock.
func (c *connection) start() {
	c.state = stateConnecting
	c.working.Go(c.connect)
}

// connect tries until it succeeds or the connection is closed. There is one
// such goroutine at a time.
func (c *connection) connect() {
	retry := c.retry
	for {
		s, err := c.dial()
		if err == nil {
			c.up(s)
			return
		}
		c.down(err)
		select {
		case <-c.closed:
			return
		case <-time.After(retry.next()):
		}
	}
}

// dial makes a session and has it discover the store, which the client does in
// the first call. That call knows no context, so it may be left behind.
func (c *connection) dial() (*session, error) {
	s, err := newSession(c.settings, c.lose)
	if err != nil {
		return nil, err
	}
	found := make(chan error, 1)
	go func() {
		_, err := protect(s.client.GetServerVersion)
		found <- err
	}()
	select {
	case err = <-found:
	case <-c.closed:
		err = errClosed
	}
	if err != nil {
		s.end()
		return nil, err
	}
	return s, nil
}

func (c *connection) up(s *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isClosed() {
		s.end()
		return
	}
	c.session, c.state, c.cause = s, stateUp, nil
	c.announce()
	if c.away {
		c.away = false
		c.health.found()
	}
}

func (c *connection) down(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isClosed() {
		return
	}
	c.state, c.cause = stateDown, cause
	c.announce()
	c.miss(cause)
}

func (c *connection) announce() {
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *connection) isClosed() bool {
	select {
	case <-c.closed:
		return true
	default:
		return false
	}
}

// close ends the session and the endeavour to get one.
func (c *connection) close() {
	c.mu.Lock()
	if !c.isClosed() {
		close(c.closed)
	}
	s := c.session
	c.session = nil
	c.mu.Unlock()
	if s != nil {
		s.end()
	}
	c.working.Wait()
}
