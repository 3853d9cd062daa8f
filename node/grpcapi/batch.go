package grpcapi

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/node"
)

const (
	// batchTime is how long a batch may take from its options to its answer,
	// whatever longer time its client gives it.
	batchTime = 2 * time.Second

	// mostBatches is how many batches of one call may be unanswered. More are not
	// received.
	mostBatches = 2048

	// mostBatchBytes is what the batches of one call may hold that are not whole.
	mostBatchBytes = 64 << 20
)

// BatchAppend implements [streams.StreamsServer]. A call carries many appends,
// which may come in pieces, each marked with the correlation id of its append.
// Each is answered for itself; they are written in the order of their last
// pieces.
func (s *service) BatchAppend(stream streams.Streams_BatchAppendServer) error {
	c := batchCall{
		service: s, stream: stream, pack: newPack(stream.Context()),
		open:  make(map[uuid.UUID]*batch),
		slots: make(chan struct{}, mostBatches),
		begun: make(chan begunBatch, mostBatches),
	}
	defer c.close()
	c.running.Go(c.answerBegun)
	return refuseStream(stream, c.serve())
}

// A batchCall is one call of BatchAppend.
type batchCall struct {
	service *service
	stream  streams.Streams_BatchAppendServer
	sending sync.Mutex // guards stream and pack
	pack    *pack      // nil is message by message

	mu     sync.Mutex // guards what follows
	open   map[uuid.UUID]*batch
	bytes  int64 // of all open batches
	closed bool  // nothing expires any more

	slots   chan struct{}   // holds one for each batch that is not answered
	begun   chan begunBatch // has room for all of them
	running sync.WaitGroup  // whatever may still answer
}

// A batch is an append of which more is to come.
type batch struct {
	id     *shared.UUID // as the client wrote it
	append node.Append
	size   int64           // as it counts against the limit of an append
	held   int64           // as it counts against the limits of the call
	ctx    context.Context //nolint:containedctx // it is the batch's own clock
	cancel context.CancelFunc
}

// serve takes requests until there are no more.
func (c *batchCall) serve() error {
	defer c.finish()
	requests, ended := c.receive()
	for {
		select {
		case req := <-requests:
			if err := c.take(req); err != nil {
				return err
			}
		case err := <-ended:
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		case <-c.service.stopping:
			return node.ErrClosed
		}
	}
}

// receive does nothing with the requests: what happens outside the call's own
// goroutine would take the process with it if it panicked.
func (c *batchCall) receive() (<-chan *streams.BatchAppendReq, <-chan error) {
	requests, ended := make(chan *streams.BatchAppendReq), make(chan error, 1)
	go func() { // ends with the call at the latest
		for {
			req, err := c.stream.Recv()
			if err != nil {
				ended <- err
				return
			}
			select {
			case requests <- req:
			case <-c.stream.Context().Done():
				return
			}
		}
	}()
	return requests, ended
}

// take returns an error when the call cannot go on.
func (c *batchCall) take(req *streams.BatchAppendReq) error {
	id, err := parseID(req.GetCorrelationId())
	if err != nil {
		return c.refuse(req, err)
	}
	if o := req.GetOptions(); o != nil {
		if err := c.begin(id, req, o); err != nil {
			return c.refuse(req, err)
		}
	}
	b, err := c.extend(id, req)
	if err != nil {
		return errors.Join(c.settle(b, node.Appended{}, err), c.flush())
	}
	if b != nil {
		c.write(b)
	}
	return nil
}

// enter is to be undone at running. It is false when the call is ending.
func (c *batchCall) enter() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.running.Add(1)
	return true
}

func (c *batchCall) refuse(req *streams.BatchAppendReq, err error) error {
	name := string(req.GetOptions().GetStreamIdentifier().GetStreamName())
	return errors.Join(c.answer(req.GetCorrelationId(), name, explainBatch(err), node.Appended{}), c.flush())
}

// begin opens a batch, unless it is open already. One that is whole needs no
// clock: it is dropped at once.
func (c *batchCall) begin(id uuid.UUID, req *streams.BatchAppendReq, o *streams.BatchAppendReq_Options) error {
	a, err := parseBatch(o)
	if err != nil {
		return err
	}
	if err := c.service.gate.authorise(c.stream.Context(), opWrite, a.Stream); err != nil {
		return err
	}
	limit := min(givenTime(o), batchTime)
	if limit <= 0 {
		return context.DeadlineExceeded
	}
	if c.batch(id) != nil {
		return nil
	}
	select {
	case c.slots <- struct{}{}:
	case <-c.stream.Context().Done():
		return c.stream.Context().Err()
	}
	b := &batch{id: req.GetCorrelationId(), append: a}
	b.ctx, b.cancel = context.WithTimeout(c.stream.Context(), limit)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open[id] = b
	if !req.GetIsFinal() {
		context.AfterFunc(b.ctx, func() { c.expire(id, b) })
	}
	return nil
}

func (c *batchCall) batch(id uuid.UUID) *batch {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open[id]
}

// givenTime is how long the client gives the batch.
func givenTime(o *streams.BatchAppendReq_Options) time.Duration {
	switch d := o.GetDeadlineOption().(type) {
	case *streams.BatchAppendReq_Options_Deadline:
		return d.Deadline.AsDuration()
	case *streams.BatchAppendReq_Options_Deadline_21_10_0:
		return time.Until(d.Deadline_21_10_0.AsTime()) // the clocks of both are compared, as the protocol has it
	}
	return batchTime
}

func parseBatch(o *streams.BatchAppendReq_Options) (node.Append, error) {
	if o.GetStreamIdentifier() == nil {
		return node.Append{}, invalid("Required field StreamIdentifier not set.")
	}
	a := node.Append{Stream: string(o.GetStreamIdentifier().GetStreamName())}
	switch at := o.GetExpectedStreamPosition().(type) {
	case *streams.BatchAppendReq_Options_StreamPosition:
		if a.Expected = node.Expected(at.StreamPosition); a.Expected < 0 {
			return a, invalid("expected revision %d is too large", at.StreamPosition)
		}
	case *streams.BatchAppendReq_Options_NoStream:
		a.Expected = node.ExpectNoStream
	case *streams.BatchAppendReq_Options_Any:
		a.Expected = node.ExpectAny
	case *streams.BatchAppendReq_Options_StreamExists:
		a.Expected = node.ExpectExists
	default:
		return a, invalid("the batch has no expected position")
	}
	return a, node.ValidStream(a.Stream)
}

// extend adds the events to their batch and returns it when it is whole, or
// when there is an error, which is the end of the batch.
func (c *batchCall) extend(id uuid.UUID, req *streams.BatchAppendReq) (*batch, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := c.open[id]
	if b == nil {
		return nil, nil
	}
	for _, m := range req.GetProposedMessages() {
		if err := c.add(b, m); err != nil {
			c.drop(id, b)
			return b, err
		}
	}
	if !req.GetIsFinal() {
		return nil, nil
	}
	c.drop(id, b)
	return b, nil
}

func (c *batchCall) add(b *batch, m *streams.BatchAppendReq_ProposedMessage) error {
	e, err := parseProposed(m)
	if err != nil {
		return err
	}
	size := e.Size()
	if err := c.service.arriving.take(size + eachArriving); err != nil {
		return err
	}
	b.size += size
	b.held += size + eachArriving
	c.bytes += size + eachArriving
	if b.size > c.service.node.MaxAppendBytes() {
		return &node.TooLargeError{Limit: c.service.node.MaxAppendBytes()}
	}
	if c.bytes > mostBatchBytes {
		return node.ErrBusy
	}
	b.append.Events = append(b.append.Events, e)
	return nil
}

func parseProposed(m *streams.BatchAppendReq_ProposedMessage) (node.Event, error) {
	e, err := parseEvent(&streams.AppendReq_ProposedMessage{
		Id: m.GetId(), Metadata: m.GetMetadata(), CustomMetadata: m.GetCustomMetadata(), Data: m.GetData(),
	})
	if err != nil {
		return e, invalid("%s", explain(err).message) // whatever it is in a call of Append
	}
	return e, nil
}

// drop closes the batch; mu is held.
func (c *batchCall) drop(id uuid.UUID, b *batch) {
	delete(c.open, id)
	c.bytes -= b.held
	c.service.arriving.give(b.held)
}

// expire answers a batch whose time is over before its last piece came.
func (c *batchCall) expire(id uuid.UUID, b *batch) {
	if !c.enter() {
		return
	}
	defer c.running.Done()
	c.mu.Lock()
	open := c.open[id] == b
	if open {
		c.drop(id, b)
	}
	c.mu.Unlock()
	if open {
		_ = c.settle(b, node.Appended{}, context.DeadlineExceeded)
		_ = c.flush() // receive tells that the client has gone
	}
}

// write queues the batch, so that the next one comes behind it, and lets it be
// answered when it is on the disk.
func (c *batchCall) write(b *batch) {
	begun, err := c.service.node.Begin(b.ctx, b.append)
	c.begun <- begunBatch{batch: b, begun: begun, refused: err}
}

// finish waits until what was begun is answered.
func (c *batchCall) finish() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	close(c.begun)
	c.running.Wait()
}

// close stops the clocks of batches that never became whole.
func (c *batchCall) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for id, b := range c.open {
		b.cancel()
		c.drop(id, b)
	}
}
