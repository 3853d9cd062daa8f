package grpcapi_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/waybill-dev/waybill/node/nodetest"
)

// The Go client never appends in batches: clients in other languages prefer it.

// A batchRequest is a piece of a batch: options, events, is_final.
type batchRequest = streams.BatchAppendReq

func openBatches(tb testing.TB, address string) streams.Streams_BatchAppendClient {
	tb.Helper()
	call, err := streams.NewStreamsClient(dial(tb, address)).BatchAppend(deadline(tb))
	if err != nil {
		tb.Fatal(err)
	}
	return call
}

func sendBatches(tb testing.TB, call streams.Streams_BatchAppendClient, requests ...*batchRequest) {
	tb.Helper()
	for _, r := range requests {
		if err := call.Send(r); err != nil {
			tb.Fatal(err)
		}
	}
}

func nextBatch(tb testing.TB, call streams.Streams_BatchAppendClient) *streams.BatchAppendResp {
	tb.Helper()
	resp, err := call.Recv()
	if err != nil {
		tb.Fatal(err)
	}
	return resp
}

func batchID(id uuid.UUID) *shared.UUID {
	return &shared.UUID{Value: &shared.UUID_String_{String_: id.String()}}
}

func toStream(name string) *shared.StreamIdentifier {
	return &shared.StreamIdentifier{StreamName: []byte(name)}
}

// batchOptions are for an expected revision as of revision: -1 no stream, -2
// any, -4 stream exists.
func batchOptions(stream string, expected int64) *streams.BatchAppendReq_Options {
	o := &streams.BatchAppendReq_Options{StreamIdentifier: toStream(stream)}
	switch expected {
	case -1:
		o.ExpectedStreamPosition = &streams.BatchAppendReq_Options_NoStream{NoStream: &emptypb.Empty{}}
	case -2:
		o.ExpectedStreamPosition = &streams.BatchAppendReq_Options_Any{Any: &emptypb.Empty{}}
	case -4:
		o.ExpectedStreamPosition = &streams.BatchAppendReq_Options_StreamExists{StreamExists: &emptypb.Empty{}}
	default:
		o.ExpectedStreamPosition = &streams.BatchAppendReq_Options_StreamPosition{StreamPosition: uint64(expected)}
	}
	return o
}

func batchEvents(letters string) []*streams.BatchAppendReq_ProposedMessage {
	var list []*streams.BatchAppendReq_ProposedMessage
	for _, e := range events(letters) {
		list = append(list, &streams.BatchAppendReq_ProposedMessage{
			Id: batchID(e.EventID), Data: e.Data, CustomMetadata: e.Metadata,
			Metadata: map[string]string{"type": e.EventType, "content-type": "application/json"},
		})
	}
	return list
}

func wholeBatch(stream string, expected int64, letters string) *batchRequest {
	return &batchRequest{
		CorrelationId: batchID(uuid.New()), Options: batchOptions(stream, expected),
		ProposedMessages: batchEvents(letters), IsFinal: true,
	}
}

func heavyEvent(size int) *streams.BatchAppendReq_ProposedMessage {
	return &streams.BatchAppendReq_ProposedMessage{
		Id: batchID(uuid.New()), Data: bytes.Repeat([]byte("x"), size),
		Metadata: map[string]string{"type": "T", "content-type": "application/octet-stream"},
	}
}

// detailsOf is the one message an error carries.
func detailsOf(tb testing.TB, resp *streams.BatchAppendResp) (codes.Code, string, proto.Message) {
	tb.Helper()
	s := resp.GetError()
	if len(s.GetDetails()) != 1 {
		tb.Fatalf("the answer is %v, want an error with details", resp)
	}
	m, err := s.GetDetails()[0].UnmarshalNew()
	if err != nil {
		tb.Fatal(err)
	}
	return codes.Code(s.GetCode()), s.GetMessage(), m
}

// Each case is one batch; the stream has the revisions 0 to 2.
func TestBatchOutcomes(t *testing.T) {
	t.Parallel()
	target := address(t)
	c := connect(t, target)
	wrong := func(set func(*shared.WrongExpectedVersion)) *shared.WrongExpectedVersion {
		w := &shared.WrongExpectedVersion{
			CurrentStreamRevisionOption: &shared.WrongExpectedVersion_CurrentStreamRevision{CurrentStreamRevision: 2},
		}
		set(w)
		return w
	}
	for _, tc := range []struct {
		name     string
		expected int64
		letters  string
		revision int64 // of the success; with an error it is not looked at
		details  proto.Message
	}{
		{"any", -2, "de", 4, nil},
		{"the revision", 2, "de", 4, nil},
		{"stream exists", -4, "d", 3, nil},
		{"repeated", -1, "abc", 2, nil},
		{"repeated at a revision", 0, "bc", 2, nil},
		{"nothing", -2, "", 2, nil},
		{"too low", 1, "de", 0, wrong(func(w *shared.WrongExpectedVersion) {
			w.ExpectedStreamPositionOption = &shared.WrongExpectedVersion_ExpectedStreamPosition{ExpectedStreamPosition: 1}
		})},
		{"too high", 7, "de", 0, wrong(func(w *shared.WrongExpectedVersion) {
			w.ExpectedStreamPositionOption = &shared.WrongExpectedVersion_ExpectedStreamPosition{ExpectedStreamPosition: 7}
		})},
		{"no stream", -1, "de", 0, wrong(func(w *shared.WrongExpectedVersion) {
			w.ExpectedStreamPositionOption = &shared.WrongExpectedVersion_ExpectedNoStream{ExpectedNoStream: &emptypb.Empty{}}
		})},
		{"half repeated", -2, "az", 0, wrong(func(w *shared.WrongExpectedVersion) {
			w.ExpectedStreamPositionOption = &shared.WrongExpectedVersion_ExpectedAny{ExpectedAny: &emptypb.Empty{}}
		})},
		{"half repeated, stream exists", -4, "az", 0, wrong(func(w *shared.WrongExpectedVersion) {
			w.ExpectedStreamPositionOption = &shared.WrongExpectedVersion_ExpectedStreamExists{ExpectedStreamExists: &emptypb.Empty{}}
		})},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			stream := unique("batch")
			mustAppend(t, c, stream, "abc")
			call := openBatches(t, target)
			req := wholeBatch(stream, tc.expected, tc.letters)
			sendBatches(t, call, req)
			resp := nextBatch(t, call)
			if diff := cmp.Diff(req.GetCorrelationId(), resp.GetCorrelationId(), protocmp.Transform()); diff != "" {
				t.Errorf("correlation id, -want +got:\n%s", diff)
			}
			if got := string(resp.GetStreamIdentifier().GetStreamName()); got != stream {
				t.Errorf("the answer names the stream %q, want %q", got, stream)
			}
			if tc.details == nil {
				success := resp.GetSuccess()
				if success == nil || success.GetCurrentRevision() != uint64(tc.revision) || success.GetPosition().GetCommitPosition() == 0 {
					t.Fatalf("the answer is %v, want success at %d with a position", resp, tc.revision)
				}
				return
			}
			code, message, details := detailsOf(t, resp)
			if code != codes.AlreadyExists || message != "WrongExpectedVersion" {
				t.Errorf("the error is %s %q", code, message)
			}
			if diff := cmp.Diff(tc.details, details, protocmp.Transform()); diff != "" {
				t.Errorf("details, -want +got:\n%s", diff)
			}
		})
	}
}

func TestBatchOfAStreamThatIsNotThere(t *testing.T) {
	t.Parallel()
	call := openBatches(t, address(t))
	sendBatches(t, call, wholeBatch(unique("nowhere"), -4, "a"))
	_, _, details := detailsOf(t, nextBatch(t, call))
	if w, ok := details.(*shared.WrongExpectedVersion); !ok || w.GetCurrentNoStream() == nil {
		t.Errorf("the details are %v, want that there is no stream", details)
	}
	sendBatches(t, call, wholeBatch(unique("empty"), -2, ""))
	if success := nextBatch(t, call).GetSuccess(); success.GetNoStream() == nil {
		t.Errorf("an append of nothing answered %v, want no stream", success)
	}
}

func TestBatchRefusals(t *testing.T) {
	t.Parallel()
	onlyHere(t)
	target := address(t)
	c := connect(t, target)
	dead := unique("dead")
	mustAppend(t, c, dead, "a")
	mustTombstone(t, c, dead)
	whole := func(change func(*batchRequest)) *batchRequest {
		r := wholeBatch(unique("batch"), -2, "a")
		change(r)
		return r
	}
	for _, tc := range []struct {
		name    string
		request *batchRequest
		code    codes.Code
		message string
		details proto.Message
	}{
		{
			"a tombstoned stream", wholeBatch(dead, -2, "b"), codes.NotFound, "StreamDeleted",
			&shared.StreamDeleted{StreamIdentifier: toStream(dead)},
		},
		{
			"too much", whole(func(r *batchRequest) { r.ProposedMessages = append(r.ProposedMessages, heavyEvent(1<<20)) }),
			codes.InvalidArgument, "MaximumAppendSizeExceeded", &shared.MaximumAppendSizeExceeded{MaxAppendSize: 1 << 20},
		},
		{
			"no time at all", whole(func(r *batchRequest) {
				r.Options.DeadlineOption = &streams.BatchAppendReq_Options_Deadline{Deadline: &durationpb.Duration{}}
			}), codes.DeadlineExceeded, "Timeout", &shared.Timeout{},
		},
		{
			"a time that has passed", whole(func(r *batchRequest) {
				r.Options.DeadlineOption = &streams.BatchAppendReq_Options_Deadline_21_10_0{Deadline_21_10_0: timestamppb.New(time.Unix(1, 0))}
			}), codes.DeadlineExceeded, "Timeout", &shared.Timeout{},
		},
		{
			"no stream", whole(func(r *batchRequest) { r.Options.StreamIdentifier = nil }),
			codes.InvalidArgument, "BadRequest", &shared.BadRequest{Message: "Required field StreamIdentifier not set."},
		},
		{
			"a name with a line break", whole(func(r *batchRequest) { r.Options.StreamIdentifier = toStream("s\n") }),
			codes.InvalidArgument, "BadRequest", &shared.BadRequest{},
		},
		{
			"no expected position", whole(func(r *batchRequest) { r.Options.ExpectedStreamPosition = nil }),
			codes.InvalidArgument, "BadRequest", &shared.BadRequest{},
		},
		{
			"a position no stream has", whole(func(r *batchRequest) {
				r.Options.ExpectedStreamPosition = &streams.BatchAppendReq_Options_StreamPosition{StreamPosition: math.MaxUint64}
			}), codes.InvalidArgument, "BadRequest", &shared.BadRequest{},
		},
		{
			"an event without a type", whole(func(r *batchRequest) { delete(r.GetProposedMessages()[0].GetMetadata(), "type") }),
			codes.InvalidArgument, "BadRequest", &shared.BadRequest{},
		},
		{
			"an event with an empty type", whole(func(r *batchRequest) { r.GetProposedMessages()[0].GetMetadata()["type"] = "" }),
			codes.InvalidArgument, "BadRequest", &shared.BadRequest{},
		},
		{
			"an event without an id", whole(func(r *batchRequest) { r.GetProposedMessages()[0].Id = nil }),
			codes.InvalidArgument, "BadRequest", &shared.BadRequest{},
		},
		{
			"a correlation id that is none", whole(func(r *batchRequest) {
				r.CorrelationId = &shared.UUID{Value: &shared.UUID_String_{String_: "x"}}
			}), codes.InvalidArgument, "BadRequest", &shared.BadRequest{},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			call := openBatches(t, target)
			after := wholeBatch(unique("batch"), -2, "a")
			sendBatches(t, call, tc.request, after)
			answers := []*streams.BatchAppendResp{nextBatch(t, call), nextBatch(t, call)}
			of := func(r *batchRequest) *streams.BatchAppendResp {
				return answers[slices.IndexFunc(answers, func(a *streams.BatchAppendResp) bool {
					return proto.Equal(a.GetCorrelationId(), r.GetCorrelationId())
				})]
			}
			if of(after).GetSuccess() == nil {
				t.Errorf("the batch after it answered %v, want success", of(after))
			}
			code, message, details := detailsOf(t, of(tc.request))
			if code != tc.code || message != tc.message {
				t.Errorf("the error is %s %q, want %s %q", code, message, tc.code, tc.message)
			}
			if bad, ok := tc.details.(*shared.BadRequest); ok && bad.GetMessage() == "" {
				if got, ok := details.(*shared.BadRequest); !ok || got.GetMessage() == "" {
					t.Errorf("the details are %v, want a bad request with a message", details)
				}
				return
			}
			if diff := cmp.Diff(tc.details, details, protocmp.Transform()); diff != "" {
				t.Errorf("details, -want +got:\n%s", diff)
			}
		})
	}
}

// The pieces of three batches come in turns; each is one append.
func TestBatchesInterleave(t *testing.T) {
	t.Parallel()
	target := address(t)
	call := openBatches(t, target)
	names := []string{unique("x"), unique("y"), unique("z")}
	ids := []*shared.UUID{batchID(uuid.New()), batchID(uuid.New()), batchID(uuid.New())}
	for i, name := range names {
		sendBatches(t, call, &batchRequest{CorrelationId: ids[i], Options: batchOptions(name, -1), ProposedMessages: batchEvents("a")})
	}
	sendBatches(t, call, &batchRequest{CorrelationId: batchID(uuid.New()), ProposedMessages: batchEvents("q"), IsFinal: true}) // of no batch
	for i := range names {
		sendBatches(t, call, &batchRequest{CorrelationId: ids[i], ProposedMessages: batchEvents("bc")})
	}
	for _, i := range []int{2, 0, 1} {
		sendBatches(t, call, &batchRequest{CorrelationId: ids[i], ProposedMessages: batchEvents("d"), IsFinal: true})
	}
	if err := call.CloseSend(); err != nil {
		t.Fatal(err)
	}
	for range names {
		resp := nextBatch(t, call)
		i := slices.IndexFunc(ids, func(id *shared.UUID) bool { return proto.Equal(id, resp.GetCorrelationId()) })
		if i < 0 || resp.GetSuccess().GetCurrentRevision() != 3 || string(resp.GetStreamIdentifier().GetStreamName()) != names[i] {
			t.Errorf("the answer is %v, want revision 3 of the stream of its batch", resp)
		}
	}
	if _, err := call.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("the call ended with %v, want without an error", err)
	}
	for _, name := range names {
		if got := readAll(t, connect(t, target), name); got != "abcd" {
			t.Errorf("stream %s holds %q, want abcd", name, got)
		}
	}
}

// Batches to one stream are written in the order they are sent, although many
// share a sync: each expects the revision the one before leaves.
func TestBatchesKeepTheirOrder(t *testing.T) {
	t.Parallel()
	const count = 3000
	call := openBatches(t, address(t))
	stream := unique("ordered")
	wrong := make(chan string, 1)
	go func() {
		defer close(wrong)
		for range count {
			resp, err := call.Recv()
			if err != nil || resp.GetSuccess() == nil {
				wrong <- fmt.Sprint(resp, err)
				return
			}
		}
	}()
	for i := range count {
		r := wholeBatch(stream, int64(i)-1, "")
		r.ProposedMessages = []*streams.BatchAppendReq_ProposedMessage{heavyEvent(10)}
		sendBatches(t, call, r)
	}
	if answer, ok := <-wrong; ok {
		t.Errorf("a batch answered %s", answer)
	}
}

func TestBatchThatNeverBecomesWhole(t *testing.T) {
	t.Parallel()
	for name, option := range map[string]func(*streams.BatchAppendReq_Options){
		"duration": func(o *streams.BatchAppendReq_Options) {
			o.DeadlineOption = &streams.BatchAppendReq_Options_Deadline{Deadline: durationpb.New(50 * time.Millisecond)}
		},
		"time": func(o *streams.BatchAppendReq_Options) {
			o.DeadlineOption = &streams.BatchAppendReq_Options_Deadline_21_10_0{Deadline_21_10_0: timestamppb.New(time.Now().Add(200 * time.Millisecond))}
		},
		"none": func(*streams.BatchAppendReq_Options) {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target := address(t)
			call := openBatches(t, target)
			first := wholeBatch(unique("half"), -2, "a")
			first.IsFinal = false
			option(first.GetOptions())
			sendBatches(t, call, first)
			_, message, details := detailsOf(t, nextBatch(t, call))
			if _, ok := details.(*shared.Timeout); !ok || message != "Timeout" {
				t.Errorf("the batch answered %s %v, want a timeout", message, details)
			}
			// What comes too late is of no batch.
			sendBatches(t, call, &batchRequest{CorrelationId: first.GetCorrelationId(), ProposedMessages: batchEvents("b"), IsFinal: true})
			sendBatches(t, call, wholeBatch(unique("whole"), -2, "a"))
			if resp := nextBatch(t, call); resp.GetSuccess() == nil {
				t.Errorf("the next batch answered %v, want success", resp)
			}
			s, err := connect(t, target).ReadStream(deadline(t), string(first.GetOptions().GetStreamIdentifier().GetStreamName()), esdb.ReadStreamOptions{}, 1)
			if err == nil {
				_, err = s.Recv()
				s.Close()
			}
			if code(err) != esdb.ErrorCodeResourceNotFound {
				t.Errorf("reading the stream of the half batch answered %v, want that there is none", err)
			}
		})
	}
}

// What a client begins and never ends cannot take all the memory.
func TestUnfinishedBatchesAreBounded(t *testing.T) {
	t.Parallel()
	onlyHere(t)
	call := openBatches(t, address(t))
	const most, each = 64 << 20, 1000 << 10
	busy := make(chan error, 1)
	go func() {
		for {
			resp, err := call.Recv()
			if err != nil {
				busy <- err
				return
			}
			if codes.Code(resp.GetError().GetCode()) == codes.Unavailable {
				busy <- nil
				return
			}
		}
	}()
	// Open batches end by themselves after a while: on a slow machine it takes
	// more than just as many as are too many.
	for range 8 * most / each {
		select {
		case err := <-busy:
			if err != nil {
				t.Errorf("no batch was told that the server is busy: %v", err)
			}
			return
		default:
		}
		r := wholeBatch(unique("open"), -2, "")
		r.IsFinal = false
		r.ProposedMessages = append(r.ProposedMessages, heavyEvent(each))
		sendBatches(t, call, r)
	}
	if err := <-busy; err != nil {
		t.Errorf("no batch was told that the server is busy: %v", err)
	}
}

func TestStopEndsBatches(t *testing.T) {
	t.Parallel()
	onlyHere(t)
	n := nodetest.New(t, nodetest.Config{Node: small()})
	call := openBatches(t, n.ConnectionString())
	open := wholeBatch(unique("open"), -2, "a")
	open.IsFinal = false
	sendBatches(t, call, open, wholeBatch(unique("whole"), -2, "a"))
	if resp := nextBatch(t, call); resp.GetSuccess() == nil {
		t.Errorf("the whole batch answered %v, want success", resp)
	}
	n.Stop()
	if _, err := call.Recv(); status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "Not Ready") {
		t.Errorf("the call ended with %v, want that it is told, not cut", err)
	}
}
