package grpcapi

import (
	"context"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/waybill-dev/waybill/node"
)

// quickReader is a client that writes to the stream as soon as its subscription
// is confirmed, before the server has done anything more.
type quickReader struct {
	grpc.ServerStream
	ctx   context.Context //nolint:containedctx // of the call
	write func() error
	got   chan *streams.ReadResp
}

// Context implements [grpc.ServerStream].
func (r *quickReader) Context() context.Context { return r.ctx }

// Send implements [streams.Streams_ReadServer].
func (r *quickReader) Send(m *streams.ReadResp) error {
	if m.GetConfirmation() != nil {
		return r.write()
	}
	return nil
}

// SendMsg implements [grpc.ServerStream].
func (r *quickReader) SendMsg(m any) error {
	b, err := newCodec().Marshal(m)
	if err != nil {
		return err
	}
	var resp streams.ReadResp
	if err := proto.Unmarshal(b.Materialize(), &resp); err != nil {
		return err
	}
	if resp.GetEvent() != nil {
		r.got <- &resp
	}
	return nil
}

// SetTrailer implements [grpc.ServerStream].
func (*quickReader) SetTrailer(metadata.MD) {}

func TestSubscriptionFromTheEndShowsWhatIsWrittenAfterItsConfirmation(t *testing.T) {
	t.Parallel()
	n, err := node.Open(node.Config{
		Dir: "node", FS: vfs.NewMem(), Now: func() time.Time { return time.Unix(1, 0) },
		CacheBytes: 1 << 20, MemTableBytes: 1 << 20,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	write := func() error {
		_, err := n.Append(ctx, node.Append{Stream: "s", Expected: node.ExpectAny, Events: []node.Event{{ID: uuid.New(), Type: "T"}}})
		return err
	}
	if err := write(); err != nil {
		t.Fatal(err)
	}
	reader := &quickReader{ctx: ctx, write: write, got: make(chan *streams.ReadResp, 1)}
	s := &service{node: n, stopping: make(chan struct{}), census: &census{node: n, all: map[*subscription]string{}}}
	ended := make(chan error, 1)
	go func() { ended <- s.Read(fromTheEnd("s"), reader) }()
	select {
	case e := <-reader.got:
		if revision := e.GetEvent().GetEvent().GetStreamRevision(); revision != 1 {
			t.Errorf("got revision %d, want 1", revision)
		}
	case <-ctx.Done():
		t.Error("the event was not shown")
	}
	cancel()
	if err := <-ended; err == nil {
		t.Error("the subscription ended without an error")
	}
	if err := n.Close(); err != nil {
		t.Error(err)
	}
}

func fromTheEnd(stream string) *streams.ReadReq {
	return &streams.ReadReq{Options: &streams.ReadReq_Options{
		StreamOption: &streams.ReadReq_Options_Stream{Stream: &streams.ReadReq_Options_StreamOptions{
			StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(stream)},
			RevisionOption:   &streams.ReadReq_Options_StreamOptions_End{End: &shared.Empty{}},
		}},
		CountOption:  &streams.ReadReq_Options_Subscription{Subscription: &streams.ReadReq_Options_SubscriptionOptions{}},
		FilterOption: &streams.ReadReq_Options_NoFilter{NoFilter: &shared.Empty{}},
		UuidOption:   &streams.ReadReq_Options_UUIDOption{Content: &streams.ReadReq_Options_UUIDOption_Structured{Structured: &shared.Empty{}}},
	}}
}
