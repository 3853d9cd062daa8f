package grpcapi

import (
	"context"
	"errors"
	"math"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"

	"github.com/waybill-dev/waybill/node"
)

// behind is how many events a live subscription may be behind the log without
// losing that name: when there were more, it is told again that it caught up.
const behind = 32

func (s *service) subscribe(o *streams.ReadReq_Options, out streams.Streams_ReadServer) error {
	if backwards(o) {
		return invalid("a subscription cannot go backwards")
	}
	ctx, cancel := context.WithCancelCause(out.Context())
	defer cancel(nil)
	go func() {
		select {
		case <-s.stopping:
			cancel(node.ErrClosed)
		case <-ctx.Done():
		}
	}()
	sub := subscription{ctx: ctx, node: s.node, out: out}
	var err error
	switch from := o.GetStreamOption().(type) {
	case *streams.ReadReq_Options_Stream:
		err = sub.stream(from.Stream)
	case *streams.ReadReq_Options_All:
		err = sub.all(o, from.All)
	default:
		err = invalid("the subscription names neither a stream nor $all")
	}
	if cause := context.Cause(ctx); cause != nil && errors.Is(err, context.Canceled) {
		return cause
	}
	return err
}

// A subscription is a cursor and nothing else: it reads what the log has behind
// the cursor, and waits at its end. Flow control holds it back, so that a slow
// client costs one page.
type subscription struct {
	ctx  context.Context //nolint:containedctx // the subscription lives as long as its call
	node *node.Node
	out  streams.Streams_ReadServer
	live bool
}

func (s *subscription) confirm() error {
	return s.out.Send(&streams.ReadResp{Content: &streams.ReadResp_Confirmation{
		Confirmation: &streams.ReadResp_SubscriptionConfirmation{SubscriptionId: uuid.NewString()},
	}})
}

// caughtUp is told at every change from behind to live.
func (s *subscription) caughtUp() error {
	if s.live {
		return nil
	}
	s.live = true
	return s.out.Send(&streams.ReadResp{Content: &streams.ReadResp_CaughtUp_{CaughtUp: &streams.ReadResp_CaughtUp{}}})
}

// all follows the whole log.
func (s *subscription) all(o *streams.ReadReq_Options, from *streams.ReadReq_Options_AllOptions) error {
	r, err := s.parseAll(o, from)
	if err != nil {
		return err
	}
	if err := s.confirm(); err != nil {
		return err
	}
	c := checkpoints{out: s.out, filtered: r.Filter != nil}
	for {
		page, err := s.node.ReadAll(r)
		if err != nil {
			return err
		}
		if page.Considered > behind {
			s.live = false
		}
		if err := c.send(&page); err != nil {
			return err
		}
		r.From = page.Next
		r.Counted += page.Considered
		if !page.End {
			continue
		}
		if !s.live {
			if err := c.last(); err != nil {
				return err
			}
		}
		if err := s.caughtUp(); err != nil {
			return err
		}
		if err := s.node.Wait(s.ctx, page.Next); err != nil {
			return err
		}
	}
}

func (s *subscription) parseAll(o *streams.ReadReq_Options, from *streams.ReadReq_Options_AllOptions) (node.AllRead, error) {
	r := node.AllRead{Limit: math.MaxInt32}
	var err error
	if r.Filter, err = parseFilter(o.GetFilter()); err != nil {
		return r, err
	}
	if r.Filter != nil {
		if r.Every, err = checkpointInterval(o.GetFilter()); err != nil {
			return r, err
		}
	}
	end := s.node.End()
	switch at := from.GetAllOption().(type) {
	case *streams.ReadReq_Options_AllOptions_Position:
		position := at.Position.GetCommitPosition()
		if position == node.FromEnd {
			r.From = end
			break
		}
		if position >= end {
			return r, refuse(codes.InvalidArgument, "Trying to read from an invalid position.")
		}
		r.From = position + 1
	case *streams.ReadReq_Options_AllOptions_End:
		r.From = end
	}
	return r, nil
}

// checkpointInterval is after how many events looked at a checkpoint is due.
func checkpointInterval(o *streams.ReadReq_Options_FilterOptions) (int, error) {
	const unlimited = 32
	if o.GetCheckpointIntervalMultiplier() == 0 {
		return 0, invalid("the filter's checkpointIntervalMultiplier is zero")
	}
	window := uint64(unlimited)
	if w, ok := o.GetWindow().(*streams.ReadReq_Options_FilterOptions_Max); ok {
		if w.Max == 0 {
			return 0, invalid("the filter's max is zero")
		}
		window = uint64(w.Max)
	}
	return int(min(window*uint64(o.GetCheckpointIntervalMultiplier()), math.MaxInt32)), nil
}

// checkpoints sends events with the checkpoints between them, which tell the
// reader of a filtered log how far he is although nothing came.
type checkpoints struct {
	out        streams.Streams_ReadServer
	filtered   bool
	considered uint64 // position of the last event looked at
	sent       uint64 // the last checkpoint
}

func (c *checkpoints) send(page *node.Page) error {
	sent := 0
	for _, m := range page.Marks {
		if err := sendEvents(c.out, page.Records[sent:m.After]); err != nil {
			return err
		}
		sent = m.After
		if err := c.at(m.Position); err != nil {
			return err
		}
	}
	if page.Considered > 0 {
		c.considered = page.Last
	}
	return sendEvents(c.out, page.Records[sent:])
}

func (c *checkpoints) last() error {
	if !c.filtered {
		return nil
	}
	return c.at(c.considered)
}

func (c *checkpoints) at(position uint64) error {
	if position == c.sent {
		return nil
	}
	c.sent = position
	return c.out.Send(&streams.ReadResp{Content: &streams.ReadResp_Checkpoint_{
		Checkpoint: &streams.ReadResp_Checkpoint{CommitPosition: position, PreparePosition: position},
	}})
}

// stream follows one stream: through its index up to the end of what is
// stored, and then through the newest records of the log.
func (s *subscription) stream(from *streams.ReadReq_Options_StreamOptions) error {
	f := streamFollower{subscription: s, name: streamName(from)}
	if err := node.ValidStream(f.name); err != nil {
		return err
	}
	f.position = s.node.End()
	caught := false
	switch at := from.GetRevisionOption().(type) {
	case *streams.ReadReq_Options_StreamOptions_Revision:
		if f.next = at.Revision; f.next != math.MaxUint64 {
			f.next++
		}
	case *streams.ReadReq_Options_StreamOptions_End:
		caught = true
		if err := f.skip(); err != nil {
			return err
		}
	}
	if err := s.confirm(); err != nil {
		return err
	}
	for {
		if !caught {
			if err := f.catchUp(); err != nil {
				return err
			}
		}
		if err := f.follow(); err != nil {
			return err
		}
		caught = false
	}
}

// streamFollower is at revision next of its stream and at position in the log;
// all of the stream before position has been sent.
type streamFollower struct {
	*subscription
	name     string
	next     uint64
	position uint64
}

// skip goes behind what the stream has.
func (f *streamFollower) skip() error {
	page, err := f.node.ReadStream(node.StreamRead{Stream: f.name, From: node.FromEnd, Backwards: true, Limit: 1})
	if missing := (*node.NotFoundError)(nil); errors.As(err, &missing) {
		return nil
	}
	if err == nil {
		f.next = page.Records[0].Revision + 1
	}
	return err
}

func (f *streamFollower) catchUp() error {
	for {
		f.position = f.node.End()
		page, err := f.node.ReadStream(node.StreamRead{Stream: f.name, From: f.next, Limit: math.MaxInt32})
		if missing := (*node.NotFoundError)(nil); errors.As(err, &missing) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := sendEvents(f.out, page.Records); err != nil {
			return err
		}
		f.next = page.Next
		if page.End {
			return nil
		}
	}
}

// follow returns without an error when the log has run away.
func (f *streamFollower) follow() error {
	r := node.AllRead{
		From: f.position, Limit: math.MaxInt32, TailOnly: true,
		Filter: &node.Filter{By: node.ByStream, Exact: f.name},
	}
	for {
		page, err := f.node.ReadAll(r)
		if err != nil {
			return err
		}
		if page.Missed {
			f.live = false
			return nil
		}
		if len(page.Records) > behind {
			f.live = false
		}
		if err := f.deliver(page.Records); err != nil {
			return err
		}
		if r.From = page.Next; !page.End {
			continue
		}
		if err := f.caughtUp(); err != nil {
			return err
		}
		if err := f.node.Wait(f.ctx, page.Next); err != nil {
			return err
		}
	}
}

// deliver leaves out what the index has already shown.
func (f *streamFollower) deliver(records []*node.Record) error {
	for _, r := range records {
		if r.Revision < f.next {
			continue
		}
		if err := sendEvents(f.out, []*node.Record{r}); err != nil {
			return err
		}
		f.next = r.Revision + 1
	}
	return nil
}
