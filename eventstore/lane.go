package eventstore

import (
	"context"
	"errors"
	"sync"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// lane carries appends over one call that stays open, the protocol's
// BatchAppend, which the client library does not offer. A call of its own for
// each append costs both sides several times what the append itself does.
//
// It is there for speed only: it never waits for a connection, and whatever it
// does not answer with a plain yes or no is for the client library to find out.
// Only appends go over it that may be repeated, see [Client.Append].
type lane struct {
	settings *esdb.Configuration
	retry    backoff

	mu      sync.Mutex
	state   laneState
	call    *laneCall          // when open
	stop    context.CancelFunc // when opening or open
	working sync.WaitGroup
}

type laneState int

const (
	laneShut    laneState = iota // nobody has reached the store so far, or it was lost since
	laneOpening                  // somebody is at it
	laneOpen
	laneUseless // the store takes no such calls, or the lane is closed
)

func newLane(settings *esdb.Configuration, retry backoff) *lane {
	l := &lane{settings: settings, retry: retry}
	if !laneFor(settings) {
		l.state = laneUseless
	}
	return l
}

// laneFor tells whether a lane knows its way: to a store of one address it
// does. In a cluster the library finds the leader, and finds it again.
func laneFor(s *esdb.Configuration) bool {
	return !s.DnsDiscover && len(s.GossipSeeds) == 0 && s.UserCertFile == ""
}

// reached is called when an append was answered the other way: the store is
// there, so a lane to it can be opened. Nobody waits for that.
func (l *lane) reached(ctx context.Context) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state != laneShut {
		return
	}
	ctx, l.stop = context.WithCancel(context.WithoutCancel(ctx))
	l.state = laneOpening
	l.working.Go(func() { l.open(ctx) })
}

// open makes a call, and then receives its answers until it ends.
func (l *lane) open(ctx context.Context) {
	conn, err := dialLane(l.settings)
	if err != nil {
		l.enter(laneUseless, nil)
		return
	}
	defer conn.Close()
	calling, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := callLane(calling, conn, l.settings)
	if err == nil {
		call := newLaneCall(stream, cancel)
		l.enter(laneOpen, call)
		err = call.run()
	}
	l.over(ctx, err)
}

// over lets the lane be opened again, after a while, unless the store wants none.
func (l *lane) over(ctx context.Context, err error) {
	l.enter(laneOpening, nil)
	if !wantsLanes(err) {
		l.enter(laneUseless, nil)
		return
	}
	if sleep(ctx, l.retry.last) {
		l.enter(laneShut, nil)
	}
}

// wantsLanes is false of a server that does not know the method, or is not to
// be asked because it leads nobody.
func wantsLanes(err error) bool {
	switch status.Code(err) { //nolint:exhaustive // the others pass
	case codes.Unimplemented, codes.NotFound, codes.PermissionDenied, codes.Unauthenticated:
		return false
	}
	return true
}

func (l *lane) enter(state laneState, call *laneCall) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state != laneUseless {
		l.state, l.call = state, call
	}
}

func (l *lane) close() {
	l.enter(laneUseless, nil)
	l.mu.Lock()
	if l.stop != nil {
		l.stop()
	}
	l.mu.Unlock()
	l.working.Wait()
}

// maxLaneBytes is the payload of an append that others may be kept waiting for.
const maxLaneBytes = 128 << 10

func tooBigForLane(events []esdb.EventData) bool {
	size := 0
	for _, e := range events {
		size += len(e.Data) + len(e.Metadata)
	}
	return size > maxLaneBytes
}

// errNoLane says that nothing was sent.
var errNoLane = errors.New("no lane")

// append answers what the store did. A conflict is a fault; errNoLane says that
// nothing was sent, and any other error that the outcome is not known.
func (l *lane) append(ctx context.Context, stream string, expected Revision, events []esdb.EventData) (Appended, error) {
	l.mu.Lock()
	call := l.call
	l.mu.Unlock()
	if call == nil || tooBigForLane(events) {
		return Appended{}, errNoLane
	}
	return call.append(ctx, &laneAppend{stream: stream, expected: expected, events: events})
}

// laneCall is one call that is open.
type laneCall struct {
	stream grpc.BidiStreamingClient[streams.BatchAppendReq, streams.BatchAppendResp]
	cancel context.CancelFunc
	queue  chan *laneAppend
	ended  chan struct{} // closed when no more answers come

	mu      sync.Mutex // guards what follows
	last    int64      // id that was given
	heard   int        // answers so far
	waiting map[int64]chan *laneAnswer
}

// laneQueue is how many appends may wait to be sent.
const laneQueue = 256

func newLaneCall(stream grpc.BidiStreamingClient[streams.BatchAppendReq, streams.BatchAppendResp], cancel context.CancelFunc) *laneCall {
	return &laneCall{
		stream: stream, cancel: cancel, queue: make(chan *laneAppend, laneQueue),
		ended: make(chan struct{}), waiting: map[int64]chan *laneAnswer{},
	}
}

// run sends and receives until either fails.
func (c *laneCall) run() error {
	var sending sync.WaitGroup
	sending.Go(c.send)
	err := c.receive()
	close(c.ended)
	c.cancel() // sets a send free that waits for the store
	sending.Wait()
	return err
}

// send is the only one that sends, for the stream takes no more. An error shows
// where the answers are received.
func (c *laneCall) send() {
	for {
		select {
		case req := <-c.queue:
			if c.stream.SendMsg(req) != nil {
				return
			}
		case <-c.ended:
			return
		}
	}
}

func (c *laneCall) receive() error {
	for {
		resp := &laneAnswer{}
		if err := c.stream.RecvMsg(resp); err != nil {
			return err
		}
		c.mu.Lock()
		answer := c.waiting[resp.id]
		delete(c.waiting, resp.id)
		c.heard++
		c.mu.Unlock()
		if answer != nil {
			answer <- resp
		}
	}
}

var errLaneBroke = errors.New("the call that carries appends broke")

func (c *laneCall) append(ctx context.Context, req *laneAppend) (Appended, error) {
	answer := make(chan *laneAnswer, 1)
	id, heard := c.expect(req, answer)
	select {
	case c.queue <- req:
	case <-c.ended:
		c.forget(id)
		return Appended{}, errNoLane
	case <-ctx.Done():
		c.giveUp(id, heard)
		return Appended{}, errNoLane
	}
	select {
	case resp := <-answer:
		return resp.done, resp.refused
	case <-c.ended:
		c.forget(id)
		return Appended{}, &fault{cause: errLaneBroke, kind: faultLost}
	case <-ctx.Done():
		c.giveUp(id, heard)
		return Appended{}, late(context.Cause(ctx))
	}
}

// expect names a request. It returns how many answers came before.
func (c *laneCall) expect(req *laneAppend, answer chan *laneAnswer) (id int64, heard int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last++
	c.waiting[c.last] = answer
	req.id = c.last
	return c.last, c.heard
}

func (c *laneCall) forget(id int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.waiting, id)
}

// giveUp ends the call if nothing at all was heard on it meanwhile: whatever is
// at its other end does not answer.
func (c *laneCall) giveUp(id int64, heard int) {
	c.mu.Lock()
	silent := c.heard == heard
	delete(c.waiting, id)
	c.mu.Unlock()
	if silent {
		c.cancel()
	}
}
