package nodebench

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/url"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // registers the codec that stampCodec wraps
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

// subscribeOfficial subscribes with the official client.
func subscribeOfficial(ctx context.Context, address string, subscribers, connections int) ([]subscriber, func(), error) {
	clients, err := connect(address, connections)
	if err != nil {
		return nil, nil, err
	}
	all := make([]subscriber, subscribers)
	for i := range all {
		sub, err := clients[i%connections].SubscribeToStream(ctx, subscriberStream, esdb.SubscribeToStreamOptions{From: esdb.Start{}})
		if err != nil {
			closeAll(clients)
			return nil, nil, fmt.Errorf("subscriber %d: %w", i, err)
		}
		all[i] = func() (int64, error) {
			for {
				switch e := sub.Recv(); {
				case e.SubscriptionDropped != nil:
					return 0, e.SubscriptionDropped.Error
				case e.EventAppeared != nil:
					return stampOf(e.EventAppeared.Event.Data)
				}
			}
		}
	}
	return all, func() { closeAll(clients) }, nil
}

// subscribePlain subscribes over the protocol, and decodes nothing but the time.
func subscribePlain(ctx context.Context, address string, subscribers, connections int) ([]subscriber, func(), error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, nil, fmt.Errorf("find the node: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	conns := make([]*grpc.ClientConn, 0, connections)
	end := func() {
		cancel()
		for _, c := range conns {
			_ = c.Close()
		}
	}
	for range connections {
		c, err := grpc.NewClient(u.Host, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			end()
			return nil, nil, fmt.Errorf("connect to %s: %w", u.Host, err)
		}
		conns = append(conns, c)
	}
	all := make([]subscriber, subscribers)
	for i := range all {
		if all[i], err = subscribePlainly(ctx, conns[i%connections]); err != nil {
			end()
			return nil, nil, fmt.Errorf("subscriber %d: %w", i, err)
		}
	}
	return all, end, nil
}

func subscribePlainly(ctx context.Context, conn *grpc.ClientConn) (subscriber, error) {
	call, err := streams.NewStreamsClient(conn).Read(ctx, &streams.ReadReq{Options: &streams.ReadReq_Options{
		StreamOption: &streams.ReadReq_Options_Stream{Stream: &streams.ReadReq_Options_StreamOptions{
			StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(subscriberStream)},
			RevisionOption:   &streams.ReadReq_Options_StreamOptions_Start{Start: &shared.Empty{}},
		}},
		CountOption:  &streams.ReadReq_Options_Subscription{Subscription: &streams.ReadReq_Options_SubscriptionOptions{}},
		FilterOption: &streams.ReadReq_Options_NoFilter{NoFilter: &shared.Empty{}},
		UuidOption:   &streams.ReadReq_Options_UUIDOption{Content: &streams.ReadReq_Options_UUIDOption_Structured{Structured: &shared.Empty{}}},
	}}, grpc.ForceCodecV2(stampCodec{encoding.GetCodecV2("proto")}))
	if err != nil {
		return nil, err
	}
	return func() (int64, error) {
		for {
			var s stamp
			if err := call.RecvMsg(&s); err != nil {
				return 0, err
			}
			if s.event {
				return s.sent, nil
			}
		}
	}, nil
}

var errNoTime = errors.New("the event has no time")

func stampOf(data []byte) (int64, error) {
	const length = 8
	if len(data) < length {
		return 0, errNoTime
	}
	return int64(binary.BigEndian.Uint64(data)), nil //nolint:gosec // as tick wrote it
}

// A stamp is all that is wanted of a streams.ReadResp.
type stamp struct {
	event bool // it is one, and no other message
	sent  int64
}

// stampCodec finds the data of an event in the answer and copies nothing else.
type stampCodec struct{ encoding.CodecV2 }

// Unmarshal implements [encoding.CodecV2].
func (c stampCodec) Unmarshal(data mem.BufferSlice, v any) (err error) {
	s, ok := v.(*stamp)
	if !ok {
		return c.CodecV2.Unmarshal(data, v)
	}
	const readEvent, recorded, payload = 1, 1, 8 // fields of ReadResp, ReadEvent, RecordedEvent
	whole := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer whole.Free()
	found := whole.ReadOnlyData()
	for _, field := range []protowire.Number{readEvent, recorded, payload} {
		if found = part(found, field); found == nil {
			return nil
		}
	}
	s.event = true
	s.sent, err = stampOf(found)
	return err
}

// part returns the bytes of a field, or nil.
func part(b []byte, wanted protowire.Number) []byte {
	for len(b) > 0 {
		field, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return nil
		}
		if field == wanted && kind == protowire.BytesType {
			found, n := protowire.ConsumeBytes(b[n:])
			if n < 0 {
				return nil
			}
			return found
		}
		skipped := protowire.ConsumeFieldValue(field, kind, b[n:])
		if skipped < 0 {
			return nil
		}
		b = b[n+skipped:]
	}
	return nil
}
