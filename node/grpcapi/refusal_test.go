package grpcapi

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/waybill-dev/waybill/node"
)

func TestErrorsAreExplained(t *testing.T) {
	t.Parallel()
	cases := []struct {
		err  error
		want refusalError
	}{
		{&node.StreamDeletedError{Stream: "s"}, refusalError{
			codes.FailedPrecondition, "Event stream 's' is deleted.",
			metadata.Pairs("exception", "stream-deleted", "stream-name", "s"),
		}},
		{&node.TooLargeError{Limit: 5}, refusalError{
			codes.InvalidArgument, "Maximum Append Size of 5 Exceeded.",
			metadata.Pairs("exception", "maximum-append-size-exceeded", "maximum-append-size", "5"),
		}},
		{&node.RecordTooLargeError{Limit: 5}, refusalError{
			codes.InvalidArgument, "Invalid Transaction", metadata.Pairs("exception", "invalid-transaction"),
		}},
		{&node.InvalidError{Reason: "odd"}, refusalError{codes.InvalidArgument, "odd", metadata.MD{}}},
		{node.ErrBusy, refusalError{codes.Unavailable, "Server Is Too Busy", metadata.MD{}}},
		{node.ErrClosed, refusalError{codes.Unavailable, "Server Is Not Ready", metadata.MD{}}},
		{&node.NoSpaceError{Dir: "d", Free: 1 << 20, Need: 2 << 20}, refusalError{
			codes.Unavailable, "Server Is Not Ready: the disk of d has 1 MiB free and the event store needs 2 MiB: make room", metadata.MD{},
		}},
		{&node.FailedError{Dir: "d", Cause: errors.New("broken")}, refusalError{
			codes.Unavailable, "Server Is Not Ready: the event store in d takes no more writes: broken", metadata.MD{},
		}},
		{context.Canceled, refusalError{codes.Canceled, "the caller has gone", metadata.MD{}}},
		{context.DeadlineExceeded, refusalError{codes.DeadlineExceeded, "the caller's deadline has passed", metadata.MD{}}},
		{errors.New("odd"), refusalError{codes.Unknown, "Exception was thrown by handler. odd", metadata.MD{}}},
	}
	for _, tc := range cases {
		got := explain(fmt.Errorf("%w", tc.err))
		if diff := cmp.Diff(tc.want, *got, cmp.AllowUnexported(refusalError{})); diff != "" {
			t.Errorf("%v is explained otherwise (-want +got):\n%s", tc.err, diff)
		}
	}
}
