package grpcapi

import (
	"context"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"

	"github.com/waybill-dev/waybill/node"
)

// A sender writes events to one reader, in the form the reader asked for.
type sender struct {
	ctx     context.Context //nolint:containedctx // the sender lives as long as its call
	node    *node.Node
	out     streams.Streams_ReadServer
	resolve bool // links are followed
	textIDs bool
}

func (s *service) sender(o *streams.ReadReq_Options, out streams.Streams_ReadServer) sender {
	return sender{
		ctx: out.Context(), node: s.node, out: out,
		resolve: o.GetResolveLinks(),
		textIDs: o.GetUuidOption().GetString_() != nil,
	}
}

func (s *sender) send(records []*node.Record) error {
	for _, r := range records {
		answer, err := s.answer(r)
		if err != nil {
			return err
		}
		if err := s.out.SendMsg(answer); err != nil {
			return err
		}
	}
	return nil
}

// answer is the event itself, or a link and what it points at, or the link
// alone when that is gone.
func (s *sender) answer(r *node.Record) (*eventAnswer, error) {
	if _, _, link := r.Link(); !link || !s.resolve {
		return newEventAnswer(r, nil, s.textIDs), nil
	}
	target, err := s.node.Resolve(r)
	if err != nil {
		return nil, err
	}
	return newEventAnswer(target, r, s.textIDs), nil
}
