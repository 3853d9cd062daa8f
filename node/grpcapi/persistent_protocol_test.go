package grpcapi_test

import (
	"context"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

func named(stream string) *shared.StreamIdentifier {
	return &shared.StreamIdentifier{StreamName: []byte(stream)}
}

// wireSettings are the defaults of the official client.
func wireSettings() *persistent.CreateReq_Settings {
	return &persistent.CreateReq_Settings{
		MaxRetryCount: 10, MinCheckpointCount: 10, MaxCheckpointCount: 1000, LiveBufferSize: 500, ReadBatchSize: 20, HistoryBufferSize: 500,
		MessageTimeout:   &persistent.CreateReq_Settings_MessageTimeoutMs{MessageTimeoutMs: 30_000},
		CheckpointAfter:  &persistent.CreateReq_Settings_CheckpointAfterMs{CheckpointAfterMs: 2000},
		ConsumerStrategy: "RoundRobin",
	}
}

// createRequest is from the start of the stream.
func createRequest(stream string, change ...func(*persistent.CreateReq_Options)) *persistent.CreateReq {
	o := &persistent.CreateReq_Options{
		StreamOption: &persistent.CreateReq_Options_Stream{Stream: &persistent.CreateReq_StreamOptions{
			StreamIdentifier: named(stream),
			RevisionOption:   &persistent.CreateReq_StreamOptions_Start{Start: &shared.Empty{}},
		}},
		GroupName: "g", Settings: wireSettings(),
	}
	for _, c := range change {
		c(o)
	}
	return &persistent.CreateReq{Options: o}
}

func fromPosition(commit, prepare uint64) func(*persistent.CreateReq_Options) {
	return func(o *persistent.CreateReq_Options) {
		o.StreamOption = &persistent.CreateReq_Options_All{All: &persistent.CreateReq_AllOptions{
			AllOption: &persistent.CreateReq_AllOptions_Position{
				Position: &persistent.CreateReq_Position{CommitPosition: commit, PreparePosition: prepare},
			},
		}}
	}
}

type groupClient = persistent.PersistentSubscriptionsClient

func TestRefusalsOfGroups(t *testing.T) {
	t.Parallel()
	target := address(t)
	client := persistent.NewPersistentSubscriptionsClient(dial(t, target))
	stream, missing := unique("refused"), unique("missing")
	if _, err := client.Create(deadline(t), createRequest(stream)); err != nil {
		t.Fatal(err)
	}
	create := func(stream string, change ...func(*persistent.CreateReq_Options)) func(context.Context, ...grpc.CallOption) error {
		return func(ctx context.Context, opts ...grpc.CallOption) error {
			_, err := client.Create(ctx, createRequest(stream, change...), opts...)
			return err
		}
	}
	replayed := func(stream string, stopAt int64) func(context.Context, ...grpc.CallOption) error {
		return func(ctx context.Context, opts ...grpc.CallOption) error {
			_, err := client.ReplayParked(ctx, &persistent.ReplayParkedReq{Options: &persistent.ReplayParkedReq_Options{
				GroupName:    "g",
				StreamOption: &persistent.ReplayParkedReq_Options_StreamIdentifier{StreamIdentifier: named(stream)},
				StopAtOption: &persistent.ReplayParkedReq_Options_StopAt{StopAt: stopAt},
			}}, opts...)
			return err
		}
	}
	cases := []struct {
		name      string
		call      func(context.Context, ...grpc.CallOption) error
		code      codes.Code
		message   string // SELF is the stream
		exception string
		stream    string
		reason    string
	}{
		{
			"create what is there", create(stream), codes.AlreadyExists,
			"Subscription group g on stream SELF exists.", "persistent-subscription-exists", stream, "",
		},
		{
			"a strategy nobody knows", create(missing, func(o *persistent.CreateReq_Options) { o.Settings.ConsumerStrategy = "Bogus" }), codes.Internal,
			"Subscription group g on stream SELF failed: 'Consumer strategy Bogus does not exist.'", "persistent-subscription-failed", missing, "Consumer strategy Bogus does not exist.",
		},
		{
			"a batch as large as the buffer", create(missing, func(o *persistent.CreateReq_Options) { o.Settings.ReadBatchSize = 500 }), codes.Internal,
			"", "persistent-subscription-failed", missing, "",
		},
		{
			"no stream", create(""), codes.Internal,
			"Subscription group g on stream SELF failed: 'Bad stream name.'", "persistent-subscription-failed", "", "Bad stream name.",
		},
		{"the log as a stream", create("$all"), codes.Internal, "", "persistent-subscription-failed", "$all", ""},
		{
			"a position the log has not reached", create("", fromPosition(1<<50, 1<<50)), codes.Internal, "", "persistent-subscription-failed", "$all",
			"Invalid Start From position: commit position must be less than or equal to the last commit position in the transaction file.",
		},
		{
			"a position with the halves exchanged", create("", fromPosition(1, 2)), codes.Internal, "", "persistent-subscription-failed", "$all",
			"Invalid Start From position: prepare position must be less than or equal to the commit position.",
		},
		{"update what is not there", func(ctx context.Context, opts ...grpc.CallOption) error {
			_, err := client.Update(ctx, &persistent.UpdateReq{Options: &persistent.UpdateReq_Options{
				GroupName: "g", Settings: &persistent.UpdateReq_Settings{}, StreamOption: &persistent.UpdateReq_Options_Stream{
					Stream: &persistent.UpdateReq_StreamOptions{
						StreamIdentifier: named(missing), RevisionOption: &persistent.UpdateReq_StreamOptions_End{End: &shared.Empty{}},
					},
				},
			}}, opts...)
			return err
		}, codes.NotFound, "Subscription group g on stream SELF does not exist.", "persistent-subscription-does-not-exist", missing, ""},
		{"update to a strategy nobody knows", func(ctx context.Context, opts ...grpc.CallOption) error {
			_, err := client.Update(ctx, &persistent.UpdateReq{Options: &persistent.UpdateReq_Options{
				GroupName: "g", Settings: &persistent.UpdateReq_Settings{NamedConsumerStrategy: 9}, StreamOption: &persistent.UpdateReq_Options_Stream{
					Stream: &persistent.UpdateReq_StreamOptions{
						StreamIdentifier: named(stream), RevisionOption: &persistent.UpdateReq_StreamOptions_End{End: &shared.Empty{}},
					},
				},
			}}, opts...)
			return err
		}, codes.Internal, "", "persistent-subscription-failed", stream, "Consumer strategy 9 does not exist."},
		{"delete what is not there", func(ctx context.Context, opts ...grpc.CallOption) error {
			_, err := client.Delete(ctx, &persistent.DeleteReq{Options: &persistent.DeleteReq_Options{
				GroupName: "g", StreamOption: &persistent.DeleteReq_Options_StreamIdentifier{StreamIdentifier: named(missing)},
			}}, opts...)
			return err
		}, codes.NotFound, "Subscription group g on stream SELF does not exist.", "persistent-subscription-does-not-exist", missing, ""},
		{"info of what is not there", func(ctx context.Context, opts ...grpc.CallOption) error {
			_, err := client.GetInfo(ctx, &persistent.GetInfoReq{Options: &persistent.GetInfoReq_Options{
				GroupName: "g", StreamOption: &persistent.GetInfoReq_Options_StreamIdentifier{StreamIdentifier: named(missing)},
			}}, opts...)
			return err
		}, codes.NotFound, "Subscription group g on stream SELF does not exist.", "persistent-subscription-does-not-exist", missing, ""},
		{"replay until before the start", replayed(stream, -1), codes.Internal, "", "persistent-subscription-failed", stream, "Cannot stop replaying parked message at a negative version."},
		{"replay of what is not there", replayed(missing, 1), codes.NotFound, "", "persistent-subscription-does-not-exist", missing, ""},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var trailer metadata.MD
			err := tc.call(deadline(t), grpc.Trailer(&trailer))
			if status.Code(err) != tc.code {
				t.Fatalf("the answer is %v, want %s", err, tc.code)
			}
			if want := strings.ReplaceAll(tc.message, "SELF", tc.stream); want != "" && status.Convert(err).Message() != want {
				t.Errorf("the message is %q, want %q", status.Convert(err).Message(), want)
			}
			wantTrailers(t, trailer, tc.exception, tc.stream)
			if tc.reason != "" && strings.Join(trailer.Get("reason"), "") != tc.reason {
				t.Errorf("the reason is %q, want %q", trailer.Get("reason"), tc.reason)
			}
		})
	}
}

func wantTrailers(tb testing.TB, trailer metadata.MD, exception, stream string) {
	tb.Helper()
	for key, want := range map[string]string{"exception": exception, "stream-name": stream, "group-name": "g"} {
		if got := strings.Join(trailer.Get(key), ","); got != want {
			tb.Errorf("the trailer %s is %q, want %q", key, got, want)
		}
	}
}

// open begins to read as a client of the group g.
func openGroup(tb testing.TB, client groupClient, stream string, buffer int32, textIDs bool) persistent.PersistentSubscriptions_ReadClient {
	tb.Helper()
	call, err := client.Read(deadline(tb))
	if err != nil {
		tb.Fatal(err)
	}
	o := &persistent.ReadReq_Options{
		GroupName: "g", BufferSize: buffer,
		StreamOption: &persistent.ReadReq_Options_StreamIdentifier{StreamIdentifier: named(stream)},
		UuidOption:   &persistent.ReadReq_Options_UUIDOption{Content: &persistent.ReadReq_Options_UUIDOption_Structured{Structured: &shared.Empty{}}},
	}
	if textIDs {
		o.UuidOption.Content = &persistent.ReadReq_Options_UUIDOption_String_{String_: &shared.Empty{}}
	}
	if err := call.Send(&persistent.ReadReq{Content: &persistent.ReadReq_Options_{Options: o}}); err != nil {
		tb.Fatal(err)
	}
	return call
}

func recvGroup(tb testing.TB, call persistent.PersistentSubscriptions_ReadClient) *persistent.ReadResp {
	tb.Helper()
	resp, err := call.Recv()
	if err != nil {
		tb.Fatal(err)
	}
	return resp
}

func TestRefusalsOfReads(t *testing.T) {
	t.Parallel()
	client := persistent.NewPersistentSubscriptionsClient(dial(t, address(t)))
	stream, missing := unique("read"), unique("missing")
	one := func(o *persistent.CreateReq_Options) { o.Settings.MaxSubscriberCount = 1 }
	if _, err := client.Create(deadline(t), createRequest(stream, one)); err != nil {
		t.Fatal(err)
	}
	first := openGroup(t, client, stream, 10, false)
	if got, want := recvGroup(t, first).GetSubscriptionConfirmation().GetSubscriptionId(), stream+"::g"; got != want {
		t.Errorf("the subscription is called %q, want %q", got, want)
	}
	for _, tc := range []struct {
		name, stream string
		code         codes.Code
		exception    string
	}{
		{"a group that is not there", missing, codes.NotFound, "persistent-subscription-does-not-exist"},
		{"a group with as many clients as it takes", stream, codes.FailedPrecondition, "maximum-subscribers-reached"},
	} {
		call := openGroup(t, client, tc.stream, 10, false)
		_, err := call.Recv()
		if status.Code(err) != tc.code {
			t.Errorf("%s: the answer is %v", tc.name, err)
		}
		wantTrailers(t, call.Trailer(), tc.exception, tc.stream)
	}
	_, err := client.Delete(deadline(t), &persistent.DeleteReq{Options: &persistent.DeleteReq_Options{
		GroupName: "g", StreamOption: &persistent.DeleteReq_Options_StreamIdentifier{StreamIdentifier: named(stream)},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = first.Recv(); status.Code(err) != codes.Canceled {
		t.Errorf("the client of a group that was deleted got %v", err)
	}
	wantTrailers(t, first.Trailer(), "persistent-subscription-dropped", stream)
}

func TestOddRequests(t *testing.T) {
	t.Parallel()
	onlyHere(t)
	target := address(t)
	client := persistent.NewPersistentSubscriptionsClient(dial(t, target))
	stream := unique("odd")
	mustAppend(t, connect(t, target), stream, "ab")
	if _, err := client.Create(deadline(t), createRequest(stream)); err != nil {
		t.Fatal(err)
	}
	send := func(req *persistent.ReadReq) error {
		call := openGroup(t, client, stream, 1, false)
		recvGroup(t, call)
		if err := call.Send(req); err != nil {
			return err
		}
		for {
			if _, err := call.Recv(); err != nil {
				return err
			}
		}
	}
	text := []*shared.UUID{{Value: &shared.UUID_String_{String_: "no id"}}}
	var err error
	for _, tc := range []struct {
		name string
		call func() error
		code codes.Code
	}{
		{"create without options", func() error { _, err = client.Create(deadline(t), &persistent.CreateReq{}); return err }, codes.Unknown},
		{"create without settings", func() error {
			_, err = client.Create(deadline(t), createRequest(unique("s"), func(o *persistent.CreateReq_Options) { o.Settings = nil }))
			return err
		}, codes.Unknown},
		{"create from nowhere", func() error {
			_, err = client.Create(deadline(t), createRequest(unique("s"), func(o *persistent.CreateReq_Options) {
				o.StreamOption = &persistent.CreateReq_Options_All{All: &persistent.CreateReq_AllOptions{}}
			}))
			return err
		}, codes.InvalidArgument},
		{"create with an expression RE2 does not know", func() error {
			_, err = client.Create(deadline(t), createRequest("", fromPosition(0, 0), func(o *persistent.CreateReq_Options) {
				o.GetAll().FilterOption = &persistent.CreateReq_AllOptions_Filter{Filter: &persistent.CreateReq_AllOptions_FilterOptions{
					Filter: &persistent.CreateReq_AllOptions_FilterOptions_StreamIdentifier{
						StreamIdentifier: &persistent.CreateReq_AllOptions_FilterOptions_Expression{Regex: `^(?!\$)`},
					},
				}}
			}))
			return err
		}, codes.InvalidArgument},
		{"create with a line break", func() error {
			_, err = client.Create(deadline(t), createRequest(unique("s"), func(o *persistent.CreateReq_Options) { o.GroupName = "a\nb" }))
			return err
		}, codes.InvalidArgument},
		{"create with a negative buffer", func() error {
			_, err = client.Create(deadline(t), createRequest(unique("s"), func(o *persistent.CreateReq_Options) { o.Settings.ReadBatchSize = -1 }))
			return err
		}, codes.Internal},
		{"update without options", func() error { _, err = client.Update(deadline(t), &persistent.UpdateReq{}); return err }, codes.Unknown},
		{"delete without options", func() error { _, err = client.Delete(deadline(t), &persistent.DeleteReq{}); return err }, codes.Unknown},
		{"info without options", func() error { _, err = client.GetInfo(deadline(t), &persistent.GetInfoReq{}); return err }, codes.Unknown},
		{"info with a line break", func() error {
			_, err = client.GetInfo(deadline(t), &persistent.GetInfoReq{Options: &persistent.GetInfoReq_Options{
				GroupName: "g\r", StreamOption: &persistent.GetInfoReq_Options_All{All: &shared.Empty{}},
			}})
			return err
		}, codes.InvalidArgument},
		{"list without options", func() error { _, err = client.List(deadline(t), &persistent.ListReq{}); return err }, codes.Unknown},
		{"list of no stream", func() error {
			_, err = client.List(deadline(t), &persistent.ListReq{Options: &persistent.ListReq_Options{
				ListOption: &persistent.ListReq_Options_ListForStream{ListForStream: &persistent.ListReq_StreamOption{}},
			}})
			return err
		}, codes.Unknown},
		{"replay without options", func() error { _, err = client.ReplayParked(deadline(t), &persistent.ReplayParkedReq{}); return err }, codes.Unknown},
		{"read without a buffer", func() error { _, err := openGroup(t, client, stream, 0, false).Recv(); return err }, codes.Unknown},
		{"read without a form of ids", func() error {
			call, err := client.Read(deadline(t))
			if err != nil {
				return err
			}
			if err := call.Send(&persistent.ReadReq{Content: &persistent.ReadReq_Options_{Options: &persistent.ReadReq_Options{
				GroupName: "g", BufferSize: 1,
				StreamOption: &persistent.ReadReq_Options_StreamIdentifier{StreamIdentifier: named(stream)},
			}}}); err != nil {
				return err
			}
			_, err = call.Recv()
			return err
		}, codes.Unknown},
		{"an action nobody knows", func() error {
			return send(&persistent.ReadReq{Content: &persistent.ReadReq_Nack_{Nack: &persistent.ReadReq_Nack{Action: 9}}})
		}, codes.InvalidArgument},
		{"an id that is none", func() error {
			return send(&persistent.ReadReq{Content: &persistent.ReadReq_Ack_{Ack: &persistent.ReadReq_Ack{Ids: text}}})
		}, codes.InvalidArgument},
		{"nothing", func() error { return send(&persistent.ReadReq{}) }, codes.InvalidArgument},
		{"an ack first", func() error {
			call, err := client.Read(deadline(t))
			if err != nil {
				return err
			}
			if err := call.Send(&persistent.ReadReq{Content: &persistent.ReadReq_Ack_{Ack: &persistent.ReadReq_Ack{}}}); err != nil {
				return err
			}
			_, err = call.Recv()
			return err
		}, codes.Unknown},
	} {
		if got := tc.call(); status.Code(got) != tc.code {
			t.Errorf("%s: the answer is %v, want %s", tc.name, got, tc.code)
		}
	}
	// After all that, the group still works.
	eventually(t, "clients that were refused are still there", func() bool {
		return len(infoOf(t, connect(t, target), stream, "g").Connections) == 0
	})
}

// Other clients ask for ids as texts, and close what they send before they are
// done reading.
func TestTextIDs(t *testing.T) {
	t.Parallel()
	target := address(t)
	c := connect(t, target)
	client := persistent.NewPersistentSubscriptionsClient(dial(t, target))
	stream := unique("text")
	mustAppend(t, c, stream, "abc")
	if _, err := client.Create(deadline(t), createRequest(stream)); err != nil {
		t.Fatal(err)
	}
	call := openGroup(t, client, stream, 1, true)
	recvGroup(t, call)
	id := recvGroup(t, call).GetEvent().GetEvent().GetId()
	if want := events("a")[0].EventID.String(); id.GetString_() != want {
		t.Fatalf("the id is %v, want %s", id, want)
	}
	if err := call.Send(&persistent.ReadReq{Content: &persistent.ReadReq_Ack_{Ack: &persistent.ReadReq_Ack{Ids: []*shared.UUID{id}}}}); err != nil {
		t.Fatal(err)
	}
	if err := call.CloseSend(); err != nil {
		t.Fatal(err)
	}
	e := recvGroup(t, call).GetEvent()
	if got := e.GetEvent().GetMetadata()["type"]; got != "TypeB" {
		t.Errorf("the next event is a %s, want TypeB", got)
	}
	if _, ok := e.GetCount().(*persistent.ReadResp_ReadEvent_RetryCount); !ok || e.GetCommitPosition() == 0 {
		t.Errorf("the event has the count %v and the position %v", e.GetCount(), e.GetPosition())
	}
	for _, key := range []string{"type", "content-type", "created"} {
		if e.GetEvent().GetMetadata()[key] == "" {
			t.Errorf("the event's metadata has no %s", key)
		}
	}
}

// Clients of another language name this strategy; that of Go cannot.
func TestPinnedByCorrelation(t *testing.T) {
	t.Parallel()
	target := address(t)
	c := connect(t, target)
	client := persistent.NewPersistentSubscriptionsClient(dial(t, target))
	stream := unique("pinned")
	by := func(o *persistent.CreateReq_Options) { o.Settings.ConsumerStrategy = "PinnedByCorrelation" }
	if _, err := client.Create(deadline(t), createRequest(stream, by)); err != nil {
		t.Fatal(err)
	}
	owner := make(chan [2]string, 100)
	for _, name := range []string{"one", "two"} {
		call := openGroup(t, client, stream, 50, false)
		recvGroup(t, call)
		go func() {
			for {
				resp, err := call.Recv()
				if err != nil {
					return
				}
				owner <- [2]string{string(resp.GetEvent().GetEvent().GetCustomMetadata()), name}
			}
		}()
	}
	for range 10 {
		for _, metadata := range []string{`{"$correlationId":"red"}`, `{"$correlationId":"blue"}`} {
			_, err := c.AppendToStream(deadline(t), stream, revision(-2), esdb.EventData{
				EventID: uuid.New(), EventType: "T", ContentType: esdb.ContentTypeJson, Data: []byte("{}"), Metadata: []byte(metadata),
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	seen := map[string]string{}
	for range 20 {
		select {
		case o := <-owner:
			if before, ok := seen[o[0]]; ok && before != o[1] {
				t.Fatalf("%s went to %s and to %s", o[0], before, o[1])
			}
			seen[o[0]] = o[1]
		case <-time.After(10 * time.Second):
			t.Fatal("an event is missing")
		}
	}
	if len(seen) != 2 || seen[`{"$correlationId":"red"}`] == seen[`{"$correlationId":"blue"}`] {
		t.Errorf("the correlations went to %v, want to different clients", seen)
	}
}

// The fields of clients before 21.10.
func TestOldCreateRequests(t *testing.T) {
	t.Parallel()
	target := address(t)
	c := connect(t, target)
	client := persistent.NewPersistentSubscriptionsClient(dial(t, target))
	for _, tc := range []struct {
		revision uint64
		want     any
	}{{2, esdb.Revision(2)}, {0, esdb.Start{}}, {math.MaxUint64, esdb.End{}}} {
		stream := unique("old")
		_, err := client.Create(deadline(t), &persistent.CreateReq{Options: &persistent.CreateReq_Options{
			StreamIdentifier: named(stream), //nolint:staticcheck // this is the old field
			GroupName:        "g", Settings: &persistent.CreateReq_Settings{
				Revision:          tc.revision, //nolint:staticcheck // this is the old field
				HistoryBufferSize: 500, ReadBatchSize: 20, NamedConsumerStrategy: persistent.CreateReq_Pinned,
				MessageTimeout:  &persistent.CreateReq_Settings_MessageTimeoutTicks{MessageTimeoutTicks: 25_000_000},
				CheckpointAfter: &persistent.CreateReq_Settings_CheckpointAfterTicks{CheckpointAfterTicks: 15_000_000},
			},
		}})
		if err != nil {
			t.Fatal(err)
		}
		got := infoOf(t, c, stream, "g").Settings
		if diff := cmp.Diff(tc.want, got.StartFrom); diff != "" || got.ConsumerStrategyName != esdb.ConsumerStrategyPinned {
			t.Errorf("the group has the strategy %s and starts (-want +got):\n%s", got.ConsumerStrategyName, diff)
		}
		if got.MessageTimeout != 2500 || got.CheckpointAfter != 1500 {
			t.Errorf("the timeout is %d ms, want 2500; a checkpoint comes after %d ms, want 1500", got.MessageTimeout, got.CheckpointAfter)
		}
	}
}
