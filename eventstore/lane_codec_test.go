package eventstore

import (
	"bytes"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	rpc "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/emptypb"
)

func wireID(id uuid.UUID) *shared.UUID {
	most, least := halves(id)
	return &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{
		MostSignificantBits: int64(most), LeastSignificantBits: int64(least), //nolint:gosec // the same bits
	}}}
}

// generated is the append as the generated code knows it.
func generated(a *laneAppend) *streams.BatchAppendReq {
	var correlation uuid.UUID
	for i := range 8 {
		correlation[15-i] = byte(a.id >> (8 * i))
	}
	req := &streams.BatchAppendReq{
		CorrelationId: wireID(correlation), IsFinal: true,
		Options: &streams.BatchAppendReq_Options{
			StreamIdentifier:       &shared.StreamIdentifier{StreamName: []byte(a.stream)},
			ExpectedStreamPosition: &streams.BatchAppendReq_Options_NoStream{NoStream: &emptypb.Empty{}},
		},
	}
	if a.expected >= 0 {
		req.Options.ExpectedStreamPosition = &streams.BatchAppendReq_Options_StreamPosition{StreamPosition: uint64(a.expected)}
	}
	for i := range a.events {
		e := &a.events[i]
		req.ProposedMessages = append(req.ProposedMessages, &streams.BatchAppendReq_ProposedMessage{
			Id: wireID(e.EventID), Data: e.Data, CustomMetadata: e.Metadata,
			Metadata: map[string]string{laneType: e.EventType, laneContentType: laneContent(e)},
		})
	}
	return req
}

// FuzzAppendsAreWrittenAsGenerated has the generated code read what is written by
// hand.
func FuzzAppendsAreWrittenAsGenerated(f *testing.F) {
	f.Add(int64(1), "order-1", int64(-1), "OrderPlaced", []byte(`{"a":1}`), []byte(`{}`), []byte{1}, 1)
	f.Add(int64(1)<<40, "", int64(1)<<50, "ü", []byte{}, []byte{}, []byte{0xff, 15: 0xff}, 3)
	f.Fuzz(func(t *testing.T, id int64, stream string, expected int64, kind string, data, metadata, event []byte, events int) {
		a := &laneAppend{id: max(id, 1), stream: stream, expected: Revision(max(expected, -1))}
		for i := range max(events, 0) % 5 {
			one := esdb.EventData{EventType: string(bytes.ToValidUTF8([]byte(kind), nil)), Data: data, Metadata: metadata}
			copy(one.EventID[:], event)
			one.EventID[0] += byte(i)
			if i%2 == 0 {
				one.ContentType = esdb.ContentTypeJson
			}
			a.events = append(a.events, one)
		}
		written := a.appendTo(nil)
		if len(written) != a.size() {
			t.Errorf("%d bytes were written, %d promised", len(written), a.size())
		}
		got := &streams.BatchAppendReq{}
		if err := proto.Unmarshal(written, got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(generated(a), got, protocmp.Transform()); diff != "" {
			t.Errorf("the append reads (-want +got):\n%s", diff)
		}
	})
}

// FuzzAnswersAreReadAsGenerated compares what is read by hand with what the
// generated code reads, where that reads anything.
func FuzzAnswersAreReadAsGenerated(f *testing.F) {
	done := &streams.BatchAppendResp_Success{
		CurrentRevisionOption: &streams.BatchAppendResp_Success_CurrentRevision{CurrentRevision: 7},
		PositionOption: &streams.BatchAppendResp_Success_Position{Position: &shared.AllStreamPosition{
			CommitPosition: 4711, PreparePosition: 4711,
		}},
	}
	nothing := &streams.BatchAppendResp_Success{
		CurrentRevisionOption: &streams.BatchAppendResp_Success_NoStream{NoStream: &emptypb.Empty{}},
		PositionOption:        &streams.BatchAppendResp_Success_NoPosition{NoPosition: &emptypb.Empty{}},
	}
	refused := &rpc.Status{Code: int32(codes.NotFound), Message: "StreamDeleted"}
	for _, resp := range []*streams.BatchAppendResp{
		{Result: &streams.BatchAppendResp_Success_{Success: done}},
		{Result: &streams.BatchAppendResp_Success_{Success: nothing}},
		{Result: &streams.BatchAppendResp_Error{Error: refused}},
		{},
	} {
		resp.CorrelationId = wireID(uuid.UUID{7: 3, 15: 9})
		resp.StreamIdentifier = &shared.StreamIdentifier{StreamName: []byte("order-1")}
		b, err := proto.Marshal(resp)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(append(b, b...)) // everything twice
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		want, got := &streams.BatchAppendResp{}, &laneAnswer{}
		refused := proto.Unmarshal(b, want)
		err := got.read(b)
		if refused != nil {
			return // what is read of it nobody sent
		}
		if err != nil {
			t.Fatal(err)
		}
		if id := want.GetCorrelationId().GetStructured().GetLeastSignificantBits(); got.id != id {
			t.Errorf("it answers %d, want %d", got.id, id)
		}
		if (got.refused == nil) != (want.GetSuccess() != nil) {
			t.Fatalf("refused: %v", got.refused)
		}
		if s := want.GetSuccess(); s != nil && (uint64(got.done.Revision) != s.GetCurrentRevision() ||
			uint64(got.done.Position) != s.GetPosition().GetCommitPosition()) {
			t.Errorf("it was done at %+v, want %v", got.done, s)
		}
	})
}
