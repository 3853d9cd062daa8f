package grpcapi

import (
	"context"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"

	"github.com/waybill-dev/waybill/node"
	"github.com/waybill-dev/waybill/node/auth"
)

// A sender writes events to one reader, in the form the reader asked for.
type sender struct {
	ctx     context.Context //nolint:containedctx // the sender lives as long as its call
	node    *node.Node
	gate    *gate
	guard   *guard
	out     streams.Streams_ReadServer
	pack    *pack // nil is message by message
	resolve bool  // links are followed
	textIDs bool
}

// sender is for a reader who may read what he asks for.
func (s *service) sender(o *streams.ReadReq_Options, out streams.Streams_ReadServer) (sender, error) {
	stream := auth.AllStream
	if from := o.GetStream(); from != nil {
		stream = nameOf(from)
	}
	guard, err := s.gate.guard(out.Context(), opRead, stream)
	return sender{
		ctx: out.Context(), node: s.node, gate: s.gate, guard: guard, out: out, pack: newPack(out.Context()),
		resolve: o.GetResolveLinks(),
		textIDs: o.GetUuidOption().GetString_() != nil,
	}, err
}

// send is called for each page, also for one without records: whoever has gone
// is searched for no longer. Records are shared when other readers are given the
// same.
func (s *sender) send(records []*node.Record, shared bool) error {
	if err := s.ctx.Err(); err != nil {
		return err
	}
	if err := s.guard.check(); err != nil {
		return err
	}
	for _, r := range records {
		answer, err := s.answer(r, shared)
		if err != nil {
			return err
		}
		if s.pack == nil {
			err = s.out.SendMsg(answer)
		} else {
			err = s.pack.add(answer)
		}
		if err != nil {
			return err
		}
	}
	if s.pack == nil {
		return nil
	}
	return s.pack.flush()
}

// answer is the event itself, or a link and what it points at, or the link
// alone when that is gone, or is nothing for this reader.
func (s *sender) answer(r *node.Record, shared bool) (any, error) {
	if _, _, link := r.Link(); !link || !s.resolve {
		if shared && !s.textIDs {
			return keptFor(r), nil
		}
		return newEventAnswer(r, nil, s.textIDs), nil
	}
	target, err := s.node.Resolve(r)
	if err != nil {
		return nil, err
	}
	if target != nil {
		allowed, err := s.gate.allows(s.ctx, opRead, target.Stream)
		if err != nil {
			return nil, err
		}
		if !allowed {
			target = nil
		}
	}
	return newEventAnswer(target, r, s.textIDs), nil
}
