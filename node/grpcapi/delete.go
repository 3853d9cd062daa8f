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
	expected, err := expectedOf(o, o.GetExpectedStreamRevision() != nil)
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
	expected, err := expectedOf(o, o.GetExpectedStreamRevision() != nil)
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

// An expectation is what appends and deletes say of the revision alike, each in
// a type of its own.
type expectation interface {
	GetRevision() uint64
	GetNoStream() *shared.Empty
	GetAny() *shared.Empty
	GetStreamExists() *shared.Empty
}

// expectedOf needs to be told whether anything is said at all: a revision that
// is not there reads as 0.
func expectedOf(o expectation, said bool) (node.Expected, error) {
	switch {
	case !said:
		return 0, invalid("the call names no expected revision")
	case o.GetNoStream() != nil:
		return node.ExpectNoStream, nil
	case o.GetAny() != nil:
		return node.ExpectAny, nil
	case o.GetStreamExists() != nil:
		return node.ExpectExists, nil
	}
	return expectedRevision(o.GetRevision())
}

func expectedRevision(n uint64) (node.Expected, error) {
	if e := node.Expected(n); e >= 0 {
		return e, nil
	}
	return 0, invalid("expected revision %d is too large", n)
}
