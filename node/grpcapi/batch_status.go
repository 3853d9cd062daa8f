package grpcapi

import (
	"context"
	"errors"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	rpc "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/waybill-dev/waybill/node"
)

func batchSuccess(done node.Appended) *streams.BatchAppendResp_Success_ {
	ok := &streams.BatchAppendResp_Success{
		CurrentRevisionOption: &streams.BatchAppendResp_Success_CurrentRevision{CurrentRevision: uint64(done.Revision)},
		PositionOption: &streams.BatchAppendResp_Success_Position{Position: &shared.AllStreamPosition{
			CommitPosition: done.Position, PreparePosition: done.Position,
		}},
	}
	if done.Revision < 0 {
		ok.CurrentRevisionOption = &streams.BatchAppendResp_Success_NoStream{NoStream: &emptypb.Empty{}}
	}
	return &streams.BatchAppendResp_Success_{Success: ok}
}

// explainBatch says what an error is in the answer to a batch. Clients tell the
// refusals apart by the type of their details. It is nil for no error.
func explainBatch(err error) *rpc.Status {
	if err == nil {
		return nil // before what follows is allocated
	}
	var (
		wrong   *node.WrongExpectedError
		deleted *node.StreamDeletedError
		large   *node.TooLargeError
		record  *node.RecordTooLargeError
	)
	switch {
	case errors.As(err, &wrong):
		return detailed(codes.AlreadyExists, "WrongExpectedVersion", wrongDetails(wrong))
	case errors.As(err, &deleted):
		return detailed(codes.NotFound, "StreamDeleted", &shared.StreamDeleted{
			StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(deleted.Stream)},
		})
	case errors.As(err, &large):
		return detailed(codes.InvalidArgument, "MaximumAppendSizeExceeded", &shared.MaximumAppendSizeExceeded{
			MaxAppendSize: uint32(large.Limit),
		})
	case errors.As(err, &record):
		return detailed(codes.FailedPrecondition, "InvalidTransaction", &shared.InvalidTransaction{})
	case errors.Is(err, context.DeadlineExceeded):
		return detailed(codes.DeadlineExceeded, "Timeout", &shared.Timeout{})
	}
	return explainRefusal(explain(err))
}

// explainRefusal is for errors that are the same for every call.
func explainRefusal(r *refusalError) *rpc.Status {
	switch r.code {
	case codes.PermissionDenied:
		return detailed(r.code, "AccessDenied", &shared.AccessDenied{})
	case codes.InvalidArgument:
		return detailed(r.code, "BadRequest", &shared.BadRequest{Message: r.message})
	case codes.Unknown:
		return detailed(r.code, "Unknown", &shared.Unknown{})
	default:
		return detailed(r.code, r.message, &emptypb.Empty{})
	}
}

func detailed(code codes.Code, message string, details proto.Message) *rpc.Status {
	packed, err := anypb.New(details)
	if err != nil { // of a message that is not valid, which these are
		return &rpc.Status{Code: int32(codes.Internal), Message: err.Error()}
	}
	return &rpc.Status{Code: int32(code), Message: message, Details: []*anypb.Any{packed}}
}

func wrongDetails(e *node.WrongExpectedError) *shared.WrongExpectedVersion {
	details := &shared.WrongExpectedVersion{
		CurrentStreamRevisionOption: &shared.WrongExpectedVersion_CurrentStreamRevision{CurrentStreamRevision: uint64(e.Current)},
	}
	if e.Current < 0 {
		details.CurrentStreamRevisionOption = &shared.WrongExpectedVersion_CurrentNoStream{CurrentNoStream: &emptypb.Empty{}}
	}
	switch e.Expected {
	case node.ExpectAny:
		details.ExpectedStreamPositionOption = &shared.WrongExpectedVersion_ExpectedAny{ExpectedAny: &emptypb.Empty{}}
	case node.ExpectExists:
		details.ExpectedStreamPositionOption = &shared.WrongExpectedVersion_ExpectedStreamExists{ExpectedStreamExists: &emptypb.Empty{}}
	case node.ExpectNoStream:
		details.ExpectedStreamPositionOption = &shared.WrongExpectedVersion_ExpectedNoStream{ExpectedNoStream: &emptypb.Empty{}}
	default:
		details.ExpectedStreamPositionOption = &shared.WrongExpectedVersion_ExpectedStreamPosition{ExpectedStreamPosition: uint64(e.Expected)}
	}
	return details
}
