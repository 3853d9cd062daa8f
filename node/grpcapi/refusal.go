package grpcapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strconv"
	"unicode/utf8"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/waybill-dev/waybill/node"
)

// A refusalError is an error as clients understand it: a status, and trailers that
// tell them which one it is.
type refusalError struct {
	code     codes.Code
	message  string
	trailers metadata.MD
}

func (r *refusalError) Error() string { return r.message }

func refuse(code codes.Code, message string, trailers ...string) *refusalError {
	for i := range trailers {
		trailers[i] = brief(trailers[i])
	}
	return &refusalError{code: code, message: brief(message), trailers: metadata.Pairs(trailers...)}
}

// brief cuts the names of streams, which may take megabytes, before they are
// sent as headers: a client that gets more of those than it takes, some 8 KiB,
// sees neither them nor the status.
func brief(text string) string {
	const most, cut = 1 << 10, "..."
	if len(text) <= most {
		return text
	}
	end := most - len(cut)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + cut
}

func invalid(format string, args ...any) *refusalError {
	return refuse(codes.InvalidArgument, fmt.Sprintf(format, args...))
}

func missingProperty(name string) *refusalError {
	return refuse(codes.InvalidArgument, fmt.Sprintf("Required Metadata Property '%s' is missing", name),
		"exception", "missing-required-metadata-property",
		"required-metadata-properties", "type,content-type")
}

// explain is the only place where an error becomes a status.
func explain(err error) *refusalError {
	if known := (*refusalError)(nil); errors.As(err, &known) {
		return known
	}
	if deleted := (*node.StreamDeletedError)(nil); errors.As(err, &deleted) {
		return refuse(codes.FailedPrecondition, fmt.Sprintf("Event stream '%s' is deleted.", deleted.Stream),
			"exception", "stream-deleted", "stream-name", deleted.Stream)
	}
	if wrong := (*node.WrongExpectedError)(nil); errors.As(err, &wrong) {
		return refuseExpected(wrong)
	}
	if large := (*node.TooLargeError)(nil); errors.As(err, &large) {
		limit := strconv.FormatInt(large.Limit, 10)
		return refuse(codes.InvalidArgument, fmt.Sprintf("Maximum Append Size of %s Exceeded.", limit),
			"exception", "maximum-append-size-exceeded", "maximum-append-size", limit)
	}
	return explainState(err)
}

// refuseExpected is how deletes answer; appends have an answer of their own.
func refuseExpected(e *node.WrongExpectedError) *refusalError {
	expected, actual := strconv.FormatInt(int64(e.Expected), 10), strconv.FormatInt(e.Current, 10)
	return refuse(codes.FailedPrecondition,
		fmt.Sprintf("Delete failed due to WrongExpectedVersion. Stream: %s, Expected version: %s, Actual version: %s", e.Stream, expected, actual),
		"exception", "wrong-expected-version", "stream-name", e.Stream, "expected-version", expected, "actual-version", actual)
}

func explainState(err error) *refusalError {
	var (
		bad    *node.InvalidError
		record *node.RecordTooLargeError
		space  *node.NoSpaceError
		failed *node.FailedError
	)
	switch {
	case errors.As(err, &bad):
		return refuse(codes.InvalidArgument, bad.Reason)
	case errors.As(err, &record):
		return refuse(codes.InvalidArgument, "Invalid Transaction", "exception", "invalid-transaction")
	case errors.Is(err, node.ErrBusy):
		return refuse(codes.Unavailable, "Server Is Too Busy")
	case errors.Is(err, node.ErrClosed):
		return refuse(codes.Unavailable, "Server Is Not Ready")
	case errors.As(err, &space), errors.As(err, &failed):
		return refuse(codes.Unavailable, "Server Is Not Ready: "+err.Error())
	case errors.Is(err, context.DeadlineExceeded):
		return refuse(codes.DeadlineExceeded, "the caller's deadline has passed")
	case errors.Is(err, context.Canceled):
		return refuse(codes.Canceled, "the caller has gone")
	}
	return refuse(codes.Unknown, "Exception was thrown by handler. "+err.Error())
}

// refuseStream sends the trailers of an error that ends a stream and returns
// its status.
func refuseStream(stream grpc.ServerStream, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := status.FromError(err); ok {
		return err // of the stream itself
	}
	r := explain(err)
	// The stream's own method complains, on the standard error output, of names
	// that are not ASCII, which arrive nevertheless.
	_ = grpc.SetTrailer(stream.Context(), r.trailers)
	return status.Error(r.code, r.message)
}

// refuseCall is refuseStream for a call with one answer.
func refuseCall(ctx context.Context, err error) error {
	r := explain(err)
	// It fails only when the call has its answer already.
	_ = grpc.SetTrailer(ctx, r.trailers)
	return status.Error(r.code, r.message)
}

const panicked = "Exception was thrown by handler."

func recoverUnary(logger *slog.Logger) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (resp any, err error) {
		defer func() {
			if cause := recover(); cause != nil {
				logger.ErrorContext(ctx, "a call panicked", "method", info.FullMethod, "cause", cause, "stack", string(debug.Stack()))
				err = status.Error(codes.Unknown, panicked)
			}
		}()
		return handle(ctx, req)
	}
}

func recoverStream(logger *slog.Logger) grpc.StreamServerInterceptor {
	return func(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) (err error) {
		defer func() {
			if cause := recover(); cause != nil {
				logger.ErrorContext(stream.Context(), "a call panicked", "method", info.FullMethod, "cause", cause, "stack", string(debug.Stack()))
				err = status.Error(codes.Unknown, panicked)
			}
		}()
		return handle(srv, stream)
	}
}
