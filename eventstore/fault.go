package eventstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// fault is what went wrong in one call of the client, understood once.
type fault struct {
	cause error
	kind  faultKind
}

type faultKind int

const (
	faultOther    faultKind = iota // the store answered something we have no word for
	faultConflict                  // the expectation of an append does not hold
	faultMissing                   // there is no such stream
	faultInvalid                   // the request makes no sense to the store
	faultBusy                      // the store is there, but does not want to
	faultLate                      // no answer in time
	faultAborted                   // somebody cancelled it, on this side or the other
	faultCut                       // the sending half ended before the request did
	faultLost                      // the connection broke with the request under way
	faultUnsent                    // there was no connection to send the request on
)

// Error implements error.
func (f *fault) Error() string { return f.cause.Error() }

// Unwrap lets errors.Is find both our word and the cause.
func (f *fault) Unwrap() []error {
	switch f.kind {
	case faultConflict:
		return []error{ErrConflict, f.cause}
	case faultBusy, faultLate, faultAborted, faultCut, faultLost, faultUnsent:
		return []error{ErrUnavailable, f.cause}
	case faultOther, faultMissing, faultInvalid:
	}
	return []error{f.cause}
}

// breaksConnection tells whether another connection is needed.
func (f *fault) breaksConnection() bool { return f.kind == faultLost || f.kind == faultUnsent }

func isFault(err error, kinds ...faultKind) bool {
	var f *fault
	if !errors.As(err, &f) {
		return false
	}
	return slices.Contains(kinds, f.kind)
}

// understand turns an error of the client into a fault. The client's own
// FromError is no help: it asserts a type where it wraps its own errors, and
// its boolean is false for an error.
func understand(err error) *fault {
	if known, ok := errors.AsType[*fault](err); ok {
		return known
	}
	return &fault{cause: err, kind: kindOf(err)}
}

func kindOf(err error) faultKind {
	if e, ok := errors.AsType[*esdb.Error](err); ok {
		switch e.Code() { //nolint:exhaustive // the others are no words of ours
		case esdb.ErrorCodeWrongExpectedVersion:
			return faultConflict
		case esdb.ErrorCodeResourceNotFound:
			return faultMissing
		case esdb.ErrorCodeConnectionClosed:
			return faultUnsent
		case esdb.ErrorCodeNotLeader:
			return faultBusy
		}
	}
	if errors.Is(err, io.EOF) {
		return faultCut
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return faultLate
	}
	return kindOfStatus(err)
}

func kindOfStatus(err error) faultKind {
	s, ok := status.FromError(err)
	if !ok {
		return faultOther
	}
	switch s.Code() { //nolint:exhaustive // the others are no words of ours
	case codes.Unavailable:
		return kindOfUnavailable(s.Message())
	case codes.DeadlineExceeded:
		return faultLate
	case codes.Canceled, codes.Aborted:
		return faultAborted
	case codes.InvalidArgument:
		return faultInvalid
	case codes.Internal:
		// A stream reset by the server or by something between.
		if strings.Contains(s.Message(), "RST_STREAM") {
			return faultLost
		}
	}
	return faultOther
}

// kindOfUnavailable tells apart what gRPC puts under one code: the server says
// it about itself, gRPC about the way there. Only where the dialling failed is
// it sure that nothing was sent.
func kindOfUnavailable(message string) faultKind {
	switch {
	case strings.Contains(message, "Server Is"): // "Server Is Too Busy", "Server Is Not Ready"
		return faultBusy
	case strings.Contains(message, "while dialing"):
		return faultUnsent
	}
	return faultLost
}

// late is the fault of a call that was given up on.
func late(cause error) *fault { return &fault{cause: cause, kind: faultLate} }

// unsent is the fault of a call that never began.
func unsent(cause error) *fault {
	if cause == nil {
		cause = errors.New("not connected")
	}
	return &fault{cause: fmt.Errorf("no connection: %w", cause), kind: faultUnsent}
}
