package grpcapi

import (
	"errors"
	"math"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc/codes"

	"github.com/waybill-dev/waybill/node"
)

// Read implements [streams.StreamsServer]. It is reads and subscriptions, of a
// stream and of the whole log.
func (s *service) Read(req *streams.ReadReq, out streams.Streams_ReadServer) error {
	return refuseStream(out, s.read(req.GetOptions(), out))
}

func (s *service) read(o *streams.ReadReq_Options, out streams.Streams_ReadServer) error {
	if err := checkRead(o); err != nil {
		return err
	}
	if subscribes(o) {
		return s.subscribe(o, out)
	}
	if o.GetCount() == 0 {
		return refuse(codes.Unknown, panicked+" A read needs a count.")
	}
	if from := o.GetStream(); from != nil {
		return s.readStream(o, from, out)
	}
	return s.readAll(o, o.GetAll(), out)
}

func backwards(o *streams.ReadReq_Options) bool {
	return o.GetReadDirection() == streams.ReadReq_Options_Backwards
}

func (s *service) readStream(o *streams.ReadReq_Options, from *streams.ReadReq_Options_StreamOptions, out streams.Streams_ReadServer) error {
	to, err := s.sender(o, out)
	if err != nil {
		return err
	}
	r := node.StreamRead{Stream: nameOf(from), Backwards: backwards(o)}
	if err := node.ValidStream(r.Stream); err != nil {
		return err
	}
	switch at := from.GetRevisionOption().(type) {
	case *streams.ReadReq_Options_StreamOptions_Revision:
		r.From = at.Revision
	case *streams.ReadReq_Options_StreamOptions_End:
		if !r.Backwards {
			return refuse(codes.Unknown, panicked+" A stream cannot be read forwards from its end.")
		}
		r.From = node.FromEnd
	}
	left, bounds := o.GetCount(), s.bounds(o, &r, out)
	for {
		r.Limit = pageLimit(left)
		page, err := s.node.ReadStream(r)
		if missing := (*node.NotFoundError)(nil); errors.As(err, &missing) {
			return out.Send(notFound(r.Stream))
		}
		if err != nil {
			return err
		}
		if err := bounds.before(&r, &page); err != nil {
			return err
		}
		if err := to.send(page.Records, false); err != nil {
			return err
		}
		left -= uint64(len(page.Records))
		if page.End || left == 0 {
			return bounds.after(&r)
		}
		r.From = page.Next
	}
}

func pageLimit(left uint64) int { return int(min(left, math.MaxInt32)) }

func (s *service) readAll(o *streams.ReadReq_Options, from *streams.ReadReq_Options_AllOptions, out streams.Streams_ReadServer) error {
	to, err := s.sender(o, out)
	if err != nil {
		return err
	}
	r := node.AllRead{Backwards: backwards(o)}
	if r.Filter, err = parseFilter(o.GetFilter()); err != nil {
		return err
	}
	switch at := from.GetAllOption().(type) {
	case *streams.ReadReq_Options_AllOptions_Position:
		if r.From = at.Position.GetCommitPosition(); r.Backwards && r.From > s.node.End() && r.From != node.FromEnd {
			return refuse(codes.Unknown, "Unexpected ReadAllResult: Error")
		}
	case *streams.ReadReq_Options_AllOptions_End:
		r.From = node.FromEnd
	}
	left := o.GetCount()
	for {
		r.Limit = pageLimit(left)
		page, err := s.node.ReadAll(r)
		if err != nil {
			return err
		}
		if err := to.send(page.Records, false); err != nil {
			return err
		}
		left -= uint64(len(page.Records))
		if page.End || left == 0 {
			return nil
		}
		r.From = page.Next
	}
}

func notFound(stream string) *streams.ReadResp {
	return &streams.ReadResp{Content: &streams.ReadResp_StreamNotFound_{
		StreamNotFound: &streams.ReadResp_StreamNotFound{
			StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(stream)},
		},
	}}
}

// parseFilter returns nil for no filter.
func parseFilter(o *streams.ReadReq_Options_FilterOptions) (*node.Filter, error) {
	if o == nil {
		return nil, nil
	}
	by, expression := node.ByStream, o.GetStreamIdentifier()
	if e, ok := o.GetFilter().(*streams.ReadReq_Options_FilterOptions_EventType); ok {
		by, expression = node.ByType, e.EventType
	}
	if expression == nil {
		return nil, invalid("the filter has no expression")
	}
	// As the original: prefixes count without an expression only, and none of
	// both lets nothing pass.
	if expression.GetRegex() == "" {
		return &node.Filter{By: by, Prefixes: expression.GetPrefix()}, nil
	}
	return node.NewRegexFilter(by, expression.GetRegex())
}
