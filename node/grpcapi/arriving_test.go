package grpcapi_test

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// TestAppendsThatNeverEndAreBounded begins more appends than the node may hold
// and ends none: the node refuses what is too much, and takes appends again
// when their callers are gone.
func TestAppendsThatNeverEndAreBounded(t *testing.T) {
	t.Parallel()
	onlyHere(t)
	if testing.Short() {
		t.Skip("it needs 300 MiB")
	}
	at := address(t)
	client := streams.NewStreamsClient(dial(t, at))
	ctx, cancel := context.WithCancel(deadline(t))
	const calls, size = 150, 1000 << 10
	meta := map[string]string{"type": "T", "content-type": "application/octet-stream"}
	var refused atomic.Int64
	for range calls {
		call, err := client.Append(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(call.Send(options("never")), call.Send(proposed(uuid.New(), meta, size))); err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		go func() { // ends with the call
			if err := call.RecvMsg(new(streams.AppendResp)); status.Code(err) == codes.Unavailable {
				refused.Add(1)
			}
		}()
	}
	// What fits 128 MiB is held, what does not is refused.
	waitFor(t, func() bool { return refused.Load() == calls-(128<<20)/(size+128) })
	// The official client would look for another server when it is refused.
	try := func() codes.Code {
		call, err := client.Append(deadline(t))
		if err == nil {
			err = errors.Join(call.Send(options("big")), call.Send(proposed(uuid.New(), meta, size)))
		}
		if err == nil || errors.Is(err, io.EOF) {
			_, err = call.CloseAndRecv()
		}
		return status.Code(err)
	}
	if got := try(); got != codes.Unavailable {
		t.Fatalf("one append more was answered %v", got)
	}
	cancel()
	waitFor(t, func() bool { return try() == codes.OK })
}
