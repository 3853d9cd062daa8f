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
	done, err := s.remove(ctx, o, o.GetExpectedStreamRevision() != nil, s.node.Delete)
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
	done, err := s.remove(ctx, o, o.GetExpectedStreamRevision() != nil, s.node.Tombstone)
	if err != nil {
		return nil, refuseCall(ctx, err)
	}
	return &streams.TombstoneResp{PositionOption: &streams.TombstoneResp_Position_{Position: &streams.TombstoneResp_Position{
		CommitPosition: done.Position, PreparePosition: done.Position,
	}}}, nil
}

// remove deletes a stream, in one of the two ways. Whether an expected revision
// was said is for the caller to tell: see expectedOf.
func (s *service) remove(ctx context.Context, o removal, said bool, remove func(context.Context, string, node.Expected) (node.Appended, error)) (node.Appended, error) {
	expected, err := expectedOf(o, said)
	if err != nil {
		return node.Appended{}, err
	}
	if err := s.gate.authorise(ctx, opDelete, nameOf(o)); err != nil {
		return node.Appended{}, err
	}
	return remove(ctx, nameOf(o), expected)
}

// A removal is what both ways to delete a stream say of it.
type removal interface {
	named
	expectation
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
