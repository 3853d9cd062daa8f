package grpcapi_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// readOptions are those of a read of a whole stream that tells ids in halves;
// change makes them other ones.
func readOptions(stream string, change func(*streams.ReadReq_Options)) *streams.ReadReq_Options {
	o := &streams.ReadReq_Options{
		StreamOption: &streams.ReadReq_Options_Stream{Stream: &streams.ReadReq_Options_StreamOptions{
			StreamIdentifier: toStream(stream),
			RevisionOption:   &streams.ReadReq_Options_StreamOptions_Start{Start: &shared.Empty{}},
		}},
		CountOption:  &streams.ReadReq_Options_Count{Count: 1000},
		FilterOption: &streams.ReadReq_Options_NoFilter{NoFilter: &shared.Empty{}},
		UuidOption: &streams.ReadReq_Options_UUIDOption{
			Content: &streams.ReadReq_Options_UUIDOption_Structured{Structured: &shared.Empty{}},
		},
	}
	if change != nil {
		change(o)
	}
	return o
}

// answers are what a read sends, in short: a letter for each event, first and
// last for the positions, and the name of whatever else there is.
func answers(tb testing.TB, call streams.Streams_ReadClient, err error) string {
	tb.Helper()
	var list []string
	for err == nil {
		var resp *streams.ReadResp
		if resp, err = call.Recv(); err != nil {
			break
		}
		switch c := resp.GetContent().(type) {
		case *streams.ReadResp_Event:
			list = append(list, strings.TrimPrefix(c.Event.GetEvent().GetMetadata()["type"], "Type"))
		case *streams.ReadResp_FirstStreamPosition:
			list = append(list, fmt.Sprint("first ", c.FirstStreamPosition))
		case *streams.ReadResp_LastStreamPosition:
			list = append(list, fmt.Sprint("last ", c.LastStreamPosition))
		case *streams.ReadResp_StreamNotFound_:
			list = append(list, "not found")
		default:
			list = append(list, fmt.Sprintf("%T", c))
		}
	}
	if !errors.Is(err, io.EOF) {
		list = append(list, status.Code(err).String())
	}
	return strings.Join(list, " ")
}

func compatible(o *streams.ReadReq_Options) {
	o.ControlOption = &streams.ReadReq_Options_ControlOption{Compatibility: 1}
}

// What clients in other languages are told about a stream, besides its events.
func TestPositionsOfAStream(t *testing.T) {
	t.Parallel()
	target := address(t)
	c := connect(t, target)
	from := func(revision uint64) func(*streams.ReadReq_Options) {
		return func(o *streams.ReadReq_Options) {
			o.GetStream().RevisionOption = &streams.ReadReq_Options_StreamOptions_Revision{Revision: revision}
		}
	}
	count := func(n uint64) func(*streams.ReadReq_Options) {
		return func(o *streams.ReadReq_Options) { o.CountOption = &streams.ReadReq_Options_Count{Count: n} }
	}
	end := func(o *streams.ReadReq_Options) {
		o.ReadDirection = streams.ReadReq_Options_Backwards
		o.GetStream().RevisionOption = &streams.ReadReq_Options_StreamOptions_End{End: &shared.Empty{}}
	}
	const many = "abcdefghijklmnopqrstuvwxyzabcdefghijklmn" // 40
	for _, tc := range []struct {
		name, letters, metadata string
		changes                 []func(*streams.ReadReq_Options)
		want                    string
	}{
		{"all of it", "abc", "", nil, "A B C last 2"},
		{"as much as was asked for", "abc", "", []func(*streams.ReadReq_Options){count(2)}, "A B last 2"},
		{"from where it ends", "abc", "", []func(*streams.ReadReq_Options){from(3)}, "last 2"},
		{"from behind its end", "abc", "", []func(*streams.ReadReq_Options){from(7)}, "first 3 last 2"},
		{"backwards", "abc", "", []func(*streams.ReadReq_Options){end}, "C B A last 2"},
		{"not there", "", "", nil, "not found"},
		{"a beginning near enough is not told", "abc", `{"$tb":1}`, nil, "B C last 2"},
		{"a beginning behind what is asked for", "abc", `{"$tb":2}`, []func(*streams.ReadReq_Options){count(2)}, "first 2 C last 2"},
		{"a beginning behind the first page", many, `{"$tb":38}`, nil, "first 38 M N last 39"},
		{"a beginning at the end of the first page", many, `{"$maxCount":9}`, nil, "F G H I J K L M N last 39"},
		{"backwards it is not told", many, `{"$tb":38}`, []func(*streams.ReadReq_Options){end}, "N M last 39"},
		{"nothing is left", "abc", `{"$tb":3}`, nil, "first 3 last 2"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			stream := unique("bounds")
			if tc.letters != "" {
				call := openBatches(t, target)
				r := wholeBatch(stream, -1, tc.letters)
				for _, m := range r.GetProposedMessages() {
					m.Id = batchID(uuid.New())
				}
				sendBatches(t, call, r)
				nextBatch(t, call)
			}
			if tc.metadata != "" {
				describeStream(t, c, stream, tc.metadata)
			}
			reader := streams.NewStreamsClient(dial(t, target))
			asked := readOptions(stream, compatible)
			for _, change := range tc.changes {
				change(asked)
			}
			call, err := reader.Read(deadline(t), &streams.ReadReq{Options: asked})
			if diff := cmp.Diff(tc.want, answers(t, call, err)); diff != "" {
				t.Errorf("asked, -want +got:\n%s", diff)
			}
			asked.ControlOption = nil
			call, err = reader.Read(deadline(t), &streams.ReadReq{Options: asked})
			if got := answers(t, call, err); strings.Contains(got, "last") || strings.Contains(got, "first") {
				t.Errorf("the Go client, which does not ask, would panic at %q", got)
			}
		})
	}
}

func TestPositionsOfExpiredEvents(t *testing.T) {
	t.Parallel()
	target := address(t)
	c := connect(t, target)
	stream := unique("expired")
	mustAppend(t, c, stream, "abc")
	describeStream(t, c, stream, `{"$maxAge":1}`)
	reader := streams.NewStreamsClient(dial(t, target))
	var got string
	for start := time.Now(); got != "first 3 last 2"; {
		if time.Since(start) > 10*time.Second {
			t.Fatalf("after ten seconds the read answers %q", got)
		}
		time.Sleep(100 * time.Millisecond)
		call, err := reader.Read(deadline(t), &streams.ReadReq{Options: readOptions(stream, compatible)})
		got = answers(t, call, err)
	}
}

// What the original refuses has to be refused here: programs are tried here
// first.
func TestReadRefusals(t *testing.T) {
	t.Parallel()
	target := address(t)
	all := func(o *streams.ReadReq_Options) {
		o.StreamOption = &streams.ReadReq_Options_All{All: &streams.ReadReq_Options_AllOptions{
			AllOption: &streams.ReadReq_Options_AllOptions_Start{Start: &shared.Empty{}},
		}}
	}
	filter := func(o *streams.ReadReq_Options) {
		o.FilterOption = &streams.ReadReq_Options_Filter{Filter: &streams.ReadReq_Options_FilterOptions{
			Filter: &streams.ReadReq_Options_FilterOptions_EventType{
				EventType: &streams.ReadReq_Options_FilterOptions_Expression{Prefix: []string{"T"}},
			},
			Window:                       &streams.ReadReq_Options_FilterOptions_Count{Count: &shared.Empty{}},
			CheckpointIntervalMultiplier: 1,
		}}
	}
	for _, tc := range []struct {
		name   string
		change func(*streams.ReadReq_Options)
		want   codes.Code
	}{
		{"no form of ids", func(o *streams.ReadReq_Options) { o.UuidOption = nil }, codes.InvalidArgument},
		{"neither a count nor a subscription", func(o *streams.ReadReq_Options) { o.CountOption = nil }, codes.InvalidArgument},
		{"a count of nothing", func(o *streams.ReadReq_Options) { o.CountOption = &streams.ReadReq_Options_Count{} }, codes.Unknown},
		{"nothing to read", func(o *streams.ReadReq_Options) { o.StreamOption = nil }, codes.InvalidArgument},
		{"neither filter nor no filter", func(o *streams.ReadReq_Options) { o.FilterOption = nil }, codes.InvalidArgument},
		{"a stream with a filter", filter, codes.InvalidArgument},
		{"a filter without a window", func(o *streams.ReadReq_Options) { all(o); filter(o); o.GetFilter().Window = nil }, codes.InvalidArgument},
		{"a filter of nothing", func(o *streams.ReadReq_Options) { all(o); filter(o); o.GetFilter().Filter = nil }, codes.InvalidArgument},
		{"no place in the stream", func(o *streams.ReadReq_Options) { o.GetStream().RevisionOption = nil }, codes.Unknown},
		{"no place in the log", func(o *streams.ReadReq_Options) { all(o); o.GetAll().AllOption = nil }, codes.Unknown},
		{"a subscription backwards", func(o *streams.ReadReq_Options) {
			o.CountOption = &streams.ReadReq_Options_Subscription{Subscription: &streams.ReadReq_Options_SubscriptionOptions{}}
			o.ReadDirection = streams.ReadReq_Options_Backwards
		}, codes.InvalidArgument},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			call, err := streams.NewStreamsClient(dial(t, target)).Read(deadline(t), &streams.ReadReq{Options: readOptions("s", tc.change)})
			if err == nil {
				_, err = call.Recv()
			}
			if status.Code(err) != tc.want {
				t.Errorf("the read answered %v, want %s", err, tc.want)
			}
		})
	}
}

// Prefixes count only without an expression, and neither lets nothing pass.
func TestWhichHalfOfAFilterCounts(t *testing.T) {
	t.Parallel()
	target := address(t)
	mustAppend(t, connect(t, target), unique("filtered"), "ab")
	for _, tc := range []struct {
		name, regex string
		prefix      []string
		want        string
	}{
		{"an expression", "^TypeA$", nil, "A"},
		{"a prefix", "", []string{"TypeB"}, "B"},
		{"both", "^TypeA$", []string{"TypeB"}, "A"},
		{"neither", "", nil, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			o := readOptions("", func(o *streams.ReadReq_Options) {
				o.StreamOption = &streams.ReadReq_Options_All{All: &streams.ReadReq_Options_AllOptions{
					AllOption: &streams.ReadReq_Options_AllOptions_Start{Start: &shared.Empty{}},
				}}
				o.FilterOption = &streams.ReadReq_Options_Filter{Filter: &streams.ReadReq_Options_FilterOptions{
					Filter: &streams.ReadReq_Options_FilterOptions_EventType{
						EventType: &streams.ReadReq_Options_FilterOptions_Expression{Regex: tc.regex, Prefix: tc.prefix},
					},
					Window: &streams.ReadReq_Options_FilterOptions_Count{Count: &shared.Empty{}},
				}}
			})
			call, err := streams.NewStreamsClient(dial(t, target)).Read(deadline(t), &streams.ReadReq{Options: o})
			if got := answers(t, call, err); got != tc.want {
				t.Errorf("the read answered %q, want %q", got, tc.want)
			}
		})
	}
}

// Clients older than 20.10 read the fields of their time.
func TestWrongExpectedVersionForOldClients(t *testing.T) {
	t.Parallel()
	target := address(t)
	c := connect(t, target)
	for expected, want := range map[int64]string{
		-1: "expected_revision_20_6_0:18446744073709551615 current_revision_20_6_0:0",
		-4: "stream_exists_20_6_0:{} no_stream_20_6_0:{}",
		5:  "expected_revision_20_6_0:5 current_revision_20_6_0:0",
	} {
		stream := unique("old")
		if expected != -4 {
			mustAppend(t, c, stream, "a")
		}
		call, err := streams.NewStreamsClient(dial(t, target)).Append(deadline(t))
		if err != nil {
			t.Fatal(err)
		}
		first := options(stream)
		switch expected {
		case -1:
			first.GetOptions().ExpectedStreamRevision = &streams.AppendReq_Options_NoStream{NoStream: &shared.Empty{}}
		case -4:
			first.GetOptions().ExpectedStreamRevision = &streams.AppendReq_Options_StreamExists{StreamExists: &shared.Empty{}}
		default:
			first.GetOptions().ExpectedStreamRevision = &streams.AppendReq_Options_Revision{Revision: uint64(expected)}
		}
		for _, r := range []*streams.AppendReq{first, proposed(uuid.New(), map[string]string{"type": "T", "content-type": "x"}, 1)} {
			if err := call.Send(r); err != nil {
				t.Fatal(err)
			}
		}
		resp, err := call.CloseAndRecv()
		if err != nil {
			t.Fatal(err)
		}
		w := resp.GetWrongExpectedVersion()
		got := ""
		switch e := w.GetExpectedRevisionOption_20_6_0().(type) {
		case *streams.AppendResp_WrongExpectedVersion_ExpectedRevision_20_6_0:
			got = fmt.Sprint("expected_revision_20_6_0:", e.ExpectedRevision_20_6_0)
		case *streams.AppendResp_WrongExpectedVersion_StreamExists_20_6_0:
			got = "stream_exists_20_6_0:{}"
		}
		switch e := w.GetCurrentRevisionOption_20_6_0().(type) {
		case *streams.AppendResp_WrongExpectedVersion_CurrentRevision_20_6_0:
			got += fmt.Sprint(" current_revision_20_6_0:", e.CurrentRevision_20_6_0)
		case *streams.AppendResp_WrongExpectedVersion_NoStream_20_6_0:
			got += " no_stream_20_6_0:{}"
		}
		if got != want {
			t.Errorf("expected %d: the old fields are %q, want %q", expected, got, want)
		}
	}
}

// Clients ask over HTTP, or not at all, when a method lacks its features: the
// Node.js client looks for them at every method, the one for .NET at read, and
// those for Java and Go at create.
func TestFeaturesThatClientsLookFor(t *testing.T) {
	t.Parallel()
	got, err := serverfeatures.NewServerFeaturesClient(dial(t, address(t))).GetSupportedMethods(deadline(t), &shared.Empty{})
	if err != nil {
		t.Fatal(err)
	}
	const service = "event_store.client.persistent_subscriptions.persistentsubscriptions"
	want := map[string]string{
		"event_store.client.streams.streams/read":        "position events",
		"event_store.client.streams.streams/append":      "",
		"event_store.client.streams.streams/batchappend": "deadline_duration",
		"event_store.client.streams.streams/delete":      "",
		"event_store.client.streams.streams/tombstone":   "",
	}
	for _, method := range []string{"create", "update", "delete", "read", "getinfo", "replayparked", "list", "restartsubsystem"} {
		want[service+"/"+method] = "stream all"
	}
	named := map[string]string{}
	for _, m := range got.GetMethods() {
		name := m.GetServiceName() + "/" + m.GetMethodName()
		if _, ok := want[name]; ok {
			named[name] = strings.Join(m.GetFeatures(), " ")
		}
	}
	if diff := cmp.Diff(want, named); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
