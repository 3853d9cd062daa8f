package grpcapi

import (
	"context"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"

	"github.com/waybill-dev/waybill/node"
)

// Delete implements [streams.StreamsServer].
func (s *service) Delete(ctx context.Context, req *streams.DeleteReq) (*streams.DeleteResp, error) {
	o := req.GetOptions()
	expected, err := expectedOfDelete(o)
	if err != nil {
		return nil, refuseCall(ctx, err)
	}
	if err := s.gate.authorise(ctx, opDelete, nameOf(o)); err != nil {
		return nil, refuseCall(ctx, err)
	}
	done, err := s.node.Delete(ctx, nameOf(o), expected)
	if err != nil {
		return nil, refuseCall(ctx, err)
	}
	return &streams.DeleteResp{PositionOption: &streams.DeleteResp_Position_{Position: &streams.DeleteResp_Position{
		CommitPosition: done.Position, PreparePosition: done.Position,
	}}}, nil
}

// Tombstone implements [streams.StreamsServer].
func (s *service) Tombstone(ctx context.Context, req *streams.TombstoneReq) (*streams.TombstoneResp, error) {
	o := req.GetOptions()
	expected, err := expectedOfTombstone(o)
	if err != nil {
		return nil, refuseCall(ctx, err)
	}
	if err := s.gate.authorise(ctx, opDelete, nameOf(o)); err != nil {
		return nil, refuseCall(ctx, err)
	}
	done, err := s.node.Tombstone(ctx, nameOf(o), expected)
	if err != nil {
		return nil, refuseCall(ctx, err)
	}
	return &streams.TombstoneResp{PositionOption: &streams.TombstoneResp_Position_{Position: &streams.TombstoneResp_Position{
		CommitPosition: done.Position, PreparePosition: done.Position,
	}}}, nil
}

type named interface {
	GetStreamIdentifier() *shared.StreamIdentifier
}

func nameOf(o named) string { return string(o.GetStreamIdentifier().GetStreamName()) }

func expectedOfDelete(o *streams.DeleteReq_Options) (node.Expected, error) {
	switch r := o.GetExpectedStreamRevision().(type) {
	case *streams.DeleteReq_Options_Revision:
		return expectedRevision(r.Revision)
	case *streams.DeleteReq_Options_NoStream:
		return node.ExpectNoStream, nil
	case *streams.DeleteReq_Options_Any:
		return node.ExpectAny, nil
	case *streams.DeleteReq_Options_StreamExists:
		return node.ExpectExists, nil
	}
	return 0, noExpectation()
}

func expectedOfTombstone(o *streams.TombstoneReq_Options) (node.Expected, error) {
	switch r := o.GetExpectedStreamRevision().(type) {
	case *streams.TombstoneReq_Options_Revision:
		return expectedRevision(r.Revision)
	case *streams.TombstoneReq_Options_NoStream:
		return node.ExpectNoStream, nil
	case *streams.TombstoneReq_Options_Any:
		return node.ExpectAny, nil
	case *streams.TombstoneReq_Options_StreamExists:
		return node.ExpectExists, nil
	}
	return 0, noExpectation()
}

func expectedRevision(n uint64) (node.Expected, error) {
	if e := node.Expected(n); e >= 0 {
		return e, nil
	}
	return 0, invalid("expected revision %d is too large", n)
}

func noExpectation() error { return invalid("the call names no expected revision") }
