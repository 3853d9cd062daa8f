package grpcapi

import (
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"
)

func usualBatch() *streams.BatchAppendReq {
	id := func(most, least int64) *shared.UUID {
		return &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{
			MostSignificantBits: most, LeastSignificantBits: least,
		}}}
	}
	event := func(least int64, typ, content string) *streams.BatchAppendReq_ProposedMessage {
		return &streams.BatchAppendReq_ProposedMessage{
			Id: id(-7, least), Metadata: map[string]string{metaType: typ, metaContentType: content},
			CustomMetadata: []byte(`{"schema":1}`), Data: make([]byte, 400),
		}
	}
	return &streams.BatchAppendReq{
		CorrelationId: id(0, 5),
		Options: &streams.BatchAppendReq_Options{
			StreamIdentifier:       &shared.StreamIdentifier{StreamName: []byte("order-1")},
			ExpectedStreamPosition: &streams.BatchAppendReq_Options_StreamPosition{StreamPosition: 3},
		},
		ProposedMessages: []*streams.BatchAppendReq_ProposedMessage{event(1, "OrderPlaced", contentJSON), event(2, "Pressed", contentBinary)},
		IsFinal:          true,
	}
}

// FuzzBatchIsReadAsGenerated compares with the generated code: what is read here
// is the same, and what is wrong is refused there.
func FuzzBatchIsReadAsGenerated(f *testing.F) {
	add := func(change func(*streams.BatchAppendReq)) {
		req := usualBatch()
		change(req)
		b, err := proto.Marshal(req)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(append(b, b...)) // everything twice
	}
	add(func(*streams.BatchAppendReq) {})
	add(func(r *streams.BatchAppendReq) { r.Reset() })
	add(func(r *streams.BatchAppendReq) { r.Options, r.IsFinal = nil, false })
	add(func(r *streams.BatchAppendReq) {
		r.Options.ExpectedStreamPosition = &streams.BatchAppendReq_Options_Any{Any: &emptypb.Empty{}}
	})
	add(func(r *streams.BatchAppendReq) {
		r.Options.ExpectedStreamPosition = &streams.BatchAppendReq_Options_NoStream{NoStream: &emptypb.Empty{}}
	})
	add(func(r *streams.BatchAppendReq) {
		r.Options.ExpectedStreamPosition = &streams.BatchAppendReq_Options_StreamExists{StreamExists: &emptypb.Empty{}}
	})
	add(func(r *streams.BatchAppendReq) {
		r.Options.DeadlineOption = &streams.BatchAppendReq_Options_Deadline{Deadline: durationpb.New(1)}
	})
	add(func(r *streams.BatchAppendReq) { r.CorrelationId.Value = &shared.UUID_String_{String_: "x"} })
	add(func(r *streams.BatchAppendReq) { r.ProposedMessages[0].Metadata["more"] = "ü" })
	f.Add([]byte("\x1a\x04\x12\x02\x0a\x00"))                 // an entry with an empty key alone
	f.Add([]byte("\x1a\x05\x12\x03\x0a\x01\xff"))             // not UTF-8
	f.Add([]byte("\x12\x02\x18\x00\x20\x01\x0a\x00\x08\x01")) // wrong kinds of fields
	f.Fuzz(func(t *testing.T, b []byte) {
		var want, got streams.BatchAppendReq
		refused := proto.Unmarshal(b, &want)
		if read := readBatch(append([]byte(nil), b...), &got); read && refused != nil {
			t.Fatalf("it was read, and is refused by the generated code: %s", refused)
		} else if read && !proto.Equal(&want, &got) {
			t.Fatalf("it was read otherwise (-want +got):\n%s", cmp.Diff(&want, &got, protocmp.Transform()))
		}
		var through streams.BatchAppendReq
		err := newCodec().Unmarshal(mem.BufferSlice{mem.SliceBuffer(b)}, &through)
		if (err == nil) != (refused == nil) || err == nil && !proto.Equal(&want, &through) {
			t.Fatalf("through the codec it is %v, %v", &through, err)
		}
	})
}

func TestUsualBatchesAreReadByHand(t *testing.T) {
	t.Parallel()
	b, err := proto.Marshal(usualBatch())
	if err != nil {
		t.Fatal(err)
	}
	var got streams.BatchAppendReq
	if !readBatch(b, &got) || !proto.Equal(usualBatch(), &got) {
		t.Errorf("got %v", &got)
	}
}

func BenchmarkReadBatch(b *testing.B) {
	data, err := proto.Marshal(usualBatch())
	if err != nil {
		b.Fatal(err)
	}
	slice := mem.BufferSlice{mem.SliceBuffer(data)}
	for name, unmarshal := range map[string]func(mem.BufferSlice, any) error{
		"by hand": newCodec().Unmarshal, "generated": newCodec().CodecV2.Unmarshal,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				var req streams.BatchAppendReq
				if err := unmarshal(slice, &req); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
