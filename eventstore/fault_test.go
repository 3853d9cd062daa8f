package eventstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	rpc "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestUnderstand(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		err  error
		want faultKind
		is   error
	}{
		{"the connection broke", status.Error(codes.Unavailable, "error reading from server: EOF"), faultLost, ErrUnavailable},
		{"no connection could be made", status.Error(codes.Unavailable, `connection error: desc = "transport: Error while dialing: dial tcp 127.0.0.1:1: connect: connection refused"`), faultUnsent, ErrUnavailable},
		{"the server is overloaded", status.Error(codes.Unavailable, "Server Is Too Busy"), faultBusy, ErrUnavailable},
		{"the server starts", status.Error(codes.Unavailable, "Server Is Not Ready"), faultBusy, ErrUnavailable},
		{"a deadline passed", status.Error(codes.DeadlineExceeded, ""), faultLate, ErrUnavailable},
		{"our own deadline passed", context.DeadlineExceeded, faultLate, ErrUnavailable},
		{"the server's commit timed out", status.Error(codes.Aborted, ""), faultAborted, ErrUnavailable},
		{"the connection was closed under the call", status.Error(codes.Canceled, "grpc: the client connection is closing"), faultAborted, ErrUnavailable},
		{"the stream was reset", status.Error(codes.Internal, "stream terminated by RST_STREAM with error code: INTERNAL_ERROR"), faultLost, ErrUnavailable},
		{"sending ended early", fmt.Errorf("could not send: %w", io.EOF), faultCut, ErrUnavailable},
		{"the request is wrong", status.Error(codes.InvalidArgument, ""), faultInvalid, nil},
		{"access is denied", status.Error(codes.PermissionDenied, ""), faultOther, nil},
		{"the server has a bug", status.Error(codes.Unknown, "Exception was thrown by handler."), faultOther, nil},
		{"anything else", errors.New("x"), faultOther, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			wrapped := fmt.Errorf("read order-1: %w", understand(c.err))
			if !isFault(wrapped, c.want) || !errors.Is(wrapped, c.err) {
				t.Errorf("kind %d, want %d", understand(c.err).kind, c.want)
			}
			if c.is != nil && !errors.Is(wrapped, c.is) {
				t.Errorf("is not %v", c.is)
			}
			if c.is == nil && errors.Is(wrapped, ErrUnavailable) {
				t.Error("would be tried again")
			}
		})
	}
}

// What the store refuses of an append on the lane for want of time or room may
// be sent again; what it refuses for good may not.
func TestWhatTheLaneRefusesIsUnderstood(t *testing.T) {
	t.Parallel()
	for code, want := range map[codes.Code]struct {
		kind faultKind
		is   error
	}{
		codes.DeadlineExceeded:   {faultLate, ErrUnavailable},
		codes.Unavailable:        {faultBusy, ErrUnavailable},
		codes.ResourceExhausted:  {faultBusy, ErrUnavailable},
		codes.PermissionDenied:   {faultOther, nil},
		codes.NotFound:           {faultOther, nil},
		codes.FailedPrecondition: {faultOther, nil},
	} {
		err := fmt.Errorf("append to order-1: %w", laneRefusal(&rpc.Status{Code: int32(code), Message: "Timeout"})) //nolint:gosec // small numbers
		if !isFault(err, want.kind) || errors.Is(err, ErrUnavailable) != (want.is != nil) {
			t.Errorf("%s: %v is of kind %d", code, err, understand(err).kind)
		}
	}
}
