package grpcapi

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"

	"github.com/waybill-dev/waybill/node"
)

// behind is how many events a live subscription may be behind the log without
// losing that name: when there were more, it is told again that it caught up.
const behind = 32

// pageOfPast is how many events a subscription reads at once. Whoever is far
// behind keeps a processor busy for as long as that takes, and an append that
// comes meanwhile waits for it: 512 are more than a millisecond.
const pageOfPast = 64

func (s *service) subscribe(o *streams.ReadReq_Options, out streams.Streams_ReadServer) error {
	to, err := s.sender(o, out)
	if err != nil {
		return err
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
	sub := &subscription{sender: to, waiter: s.node.Waiter()}
	sub.ctx = ctx
	sub.position.Store(s.node.End())
	switch from := o.GetStreamOption().(type) {
	case *streams.ReadReq_Options_Stream:
		defer s.census.enter(sub, "stream")()
		err = sub.stream(from.Stream)
	case *streams.ReadReq_Options_All:
		defer s.census.enter(sub, "all")()
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
	sender
	waiter   node.Waiter
	live     bool
	position atomic.Uint64 // how far in the log it has looked
}

func (s *subscription) confirm() error {
	return s.out.Send(&streams.ReadResp{Content: &streams.ReadResp_Confirmation{
		Confirmation: &streams.ReadResp_SubscriptionConfirmation{SubscriptionId: uuid.NewString()},
	}})
}

// all follows the whole log.
func (s *subscription) all(o *streams.ReadReq_Options, from *streams.ReadReq_Options_AllOptions) error {
	r, err := s.parseAll(o, from)
	if err != nil {
		return err
	}
	begun, err := s.before(r.From)
	if err != nil {
		return err
	}
	if err := s.confirm(); err != nil {
		return err
	}
	c := checkpoints{sender: s.sender, filtered: r.Filter != nil, considered: begun, sent: begun}
	for {
		s.position.Store(r.From)
		page, err := s.node.ReadAll(r)
		if err != nil {
			return err
		}
		if page.Considered > behind {
			s.live = false
		}
		if err := c.page(&page); err != nil {
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
			r.Counted = 0 // the next checkpoint is due an interval after this one
		}
		if err := s.caughtUp(c.place); err != nil {
			return err
		}
		if err := s.waiter.Wait(s.ctx, page.Next); err != nil {
			return err
		}
	}
}

func (s *subscription) parseAll(o *streams.ReadReq_Options, from *streams.ReadReq_Options_AllOptions) (node.AllRead, error) {
	r := node.AllRead{Limit: pageOfPast}
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
