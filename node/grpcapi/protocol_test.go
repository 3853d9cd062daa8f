package grpcapi_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/waybill-dev/waybill/node/nodetest"
)

// dial is for what the client hides: statuses, trailers and odd requests.
func dial(tb testing.TB, address string, opts ...grpc.DialOption) *grpc.ClientConn {
	tb.Helper()
	host, _, _ := strings.Cut(strings.TrimPrefix(address, "esdb://"), "?")
	opts = append(opts, grpc.WithTransportCredentials(insecure.NewCredentials()))
	conn, err := grpc.NewClient(host, opts...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close() })
	return conn
}

func TestFeatures(t *testing.T) {
	t.Parallel()
	conn := dial(t, address(t))
	got, err := serverfeatures.NewServerFeaturesClient(conn).GetSupportedMethods(deadline(t), &shared.Empty{})
	if err != nil {
		t.Fatal(err)
	}
	var major, minor, patch int
	if n, _ := fmt.Sscanf(got.GetEventStoreServerVersion(), "%d.%d.%d", &major, &minor, &patch); n != 3 || major < 23 || major == 23 && minor < 10 {
		t.Errorf("the version is %q, which clients cannot read, or take for one without caught up", got.GetEventStoreServerVersion())
	}
	want := map[string]bool{"read": true, "append": true}
	for _, m := range got.GetMethods() {
		if m.GetServiceName() == "event_store.client.streams.streams" {
			delete(want, m.GetMethodName())
		}
	}
	if len(want) > 0 {
		t.Errorf("the methods %v are not named", want)
	}
}

func TestGossipNamesAnAddressThatCanBeDialled(t *testing.T) {
	t.Parallel()
	onlyHere(t)
	target := address(t)
	got, err := gossip.NewGossipClient(dial(t, target)).Read(deadline(t), &shared.Empty{})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(got.GetMembers()); n != 1 {
		t.Fatalf("there are %d members, want 1", n)
	}
	m := got.GetMembers()[0]
	if m.GetState() != gossip.MemberInfo_Leader || !m.GetIsAlive() {
		t.Errorf("the member is %s, alive %v", m.GetState(), m.GetIsAlive())
	}
	if at := time.Unix(0, m.GetTimeStamp()*100); time.Since(at).Abs() > time.Hour {
		t.Errorf("the member says that it is %s", at)
	}
	if m.GetInstanceId().GetStructured().GetMostSignificantBits() == 0 {
		t.Errorf("the member has the id %v", m.GetInstanceId())
	}
	discovering := connect(t, strings.Replace(target, "esdb://", "esdb+discover://", 1))
	mustAppend(t, discovering, unique("discovered"), "a")
}

func TestReadsHaveOnlyWhatTheyShould(t *testing.T) {
	t.Parallel()
	target := address(t)
	stream := unique("plain")
	mustAppend(t, connect(t, target), stream, "abc")
	call, err := streams.NewStreamsClient(dial(t, target)).Read(deadline(t), &streams.ReadReq{Options: &streams.ReadReq_Options{
		StreamOption: &streams.ReadReq_Options_Stream{Stream: &streams.ReadReq_Options_StreamOptions{
			StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(stream)},
			RevisionOption:   &streams.ReadReq_Options_StreamOptions_Start{Start: &shared.Empty{}},
		}},
		CountOption:  &streams.ReadReq_Options_Count{Count: 10},
		FilterOption: &streams.ReadReq_Options_NoFilter{NoFilter: &shared.Empty{}},
		UuidOption:   &streams.ReadReq_Options_UUIDOption{Content: &streams.ReadReq_Options_UUIDOption_Structured{Structured: &shared.Empty{}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		resp, err := call.Recv()
		if err != nil {
			t.Fatal(err)
		}
		e := resp.GetEvent()
		if e == nil {
			t.Fatalf("the read has %v, which clients do not expect", resp)
		}
		if len(e.ProtoReflect().GetUnknown())+len(e.GetEvent().ProtoReflect().GetUnknown()) > 0 || e.GetLink() != nil {
			t.Errorf("the event has fields too many: %v", e)
		}
		for _, key := range []string{"type", "content-type", "created"} {
			if e.GetEvent().GetMetadata()[key] == "" {
				t.Errorf("the event's metadata has no %s", key)
			}
		}
	}
}

func options(stream string) *streams.AppendReq {
	return &streams.AppendReq{Content: &streams.AppendReq_Options_{Options: &streams.AppendReq_Options{
		StreamIdentifier:       &shared.StreamIdentifier{StreamName: []byte(stream)},
		ExpectedStreamRevision: &streams.AppendReq_Options_Any{Any: &shared.Empty{}},
	}}}
}

func proposed(id uuid.UUID, meta map[string]string, size int) *streams.AppendReq {
	return &streams.AppendReq{Content: &streams.AppendReq_ProposedMessage_{ProposedMessage: &streams.AppendReq_ProposedMessage{
		Id:       &shared.UUID{Value: &shared.UUID_String_{String_: id.String()}},
		Metadata: meta, Data: bytes.Repeat([]byte("x"), size),
	}}}
}

func TestAppendRefusals(t *testing.T) {
	t.Parallel()
	typed := map[string]string{"type": "T", "content-type": "application/json"}
	id := uuid.New()
	cases := []struct {
		name      string
		requests  []*streams.AppendReq
		code      codes.Code
		exception string
	}{
		{
			"an event without a type",
			[]*streams.AppendReq{options("s"), proposed(id, map[string]string{"content-type": "x"}, 1)},
			codes.InvalidArgument, "missing-required-metadata-property",
		},
		{
			"an event without a content type",
			[]*streams.AppendReq{options("s"), proposed(id, map[string]string{"type": "x"}, 1)},
			codes.InvalidArgument, "missing-required-metadata-property",
		},
		{
			"an event with an empty type",
			[]*streams.AppendReq{options("s"), proposed(id, map[string]string{"type": "", "content-type": "x"}, 1)},
			codes.Unknown, "",
		},
		{"an event without an id", []*streams.AppendReq{options("s"), proposed(uuid.Nil, typed, 1)}, codes.Unknown, ""},
		{
			"too much",
			[]*streams.AppendReq{options("s"), proposed(id, typed, 600<<10), proposed(id, typed, 600<<10), proposed(id, typed, 1)},
			codes.InvalidArgument, "maximum-append-size-exceeded",
		},
		{"options twice", []*streams.AppendReq{options("s"), options("s")}, codes.InvalidArgument, ""},
		{"no options", []*streams.AppendReq{proposed(id, typed, 1)}, codes.InvalidArgument, ""},
		{"a name with a line break", []*streams.AppendReq{options("s\n"), proposed(id, typed, 1)}, codes.InvalidArgument, ""},
		{"a name that is not UTF-8", []*streams.AppendReq{options("\xff"), proposed(id, typed, 1)}, codes.InvalidArgument, ""},
	}
	onlyHere(t)
	conn := dial(t, address(t))
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var trailer metadata.MD
			call, err := streams.NewStreamsClient(conn).Append(deadline(t), grpc.Trailer(&trailer))
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range tc.requests {
				if err := call.Send(r); err != nil {
					t.Fatalf("the answer came before all was sent: %v", err)
				}
			}
			_, err = call.CloseAndRecv()
			if status.Code(err) != tc.code {
				t.Errorf("append answered %v, want %s", err, tc.code)
			}
			if got := strings.Join(trailer.Get("exception"), ","); got != tc.exception {
				t.Errorf("the exception is %q, want %q", got, tc.exception)
			}
		})
	}
}

// TestSubscriptionFromBehindTheLog: the position where the next event will be is
// of no event yet. Whoever began behind it would not be shown that one.
func TestSubscriptionFromBehindTheLog(t *testing.T) {
	t.Parallel()
	onlyHere(t)
	target := address(t)
	c := connect(t, target)
	first, second := mustAppend(t, c, "s", "a"), mustAppend(t, c, "s", "b") // of the same size
	end := second.CommitPosition + (second.CommitPosition - first.CommitPosition)
	if third := mustAppend(t, c, "t", "c"); third.CommitPosition != end {
		t.Fatalf("the third event is at %d, want %d", third.CommitPosition, end)
	}
	end += end - second.CommitPosition
	sub, err := c.SubscribeToAll(deadline(t), esdb.SubscribeToAllOptions{From: esdb.Position{Commit: end, Prepare: end}})
	if err == nil {
		defer sub.Close()
		t.Error("a subscription from the place behind the log is not refused")
	}
}

func TestSubscriptionRefusals(t *testing.T) {
	t.Parallel()
	regex := func(pattern string) *streams.ReadReq_Options_FilterOptions {
		return &streams.ReadReq_Options_FilterOptions{
			Filter: &streams.ReadReq_Options_FilterOptions_StreamIdentifier{
				StreamIdentifier: &streams.ReadReq_Options_FilterOptions_Expression{Regex: pattern},
			},
			Window:                       &streams.ReadReq_Options_FilterOptions_Max{Max: 32},
			CheckpointIntervalMultiplier: 1,
		}
	}
	all := func(position uint64, filter *streams.ReadReq_Options_FilterOptions) *streams.ReadReq_Options {
		o := &streams.ReadReq_Options{
			StreamOption: &streams.ReadReq_Options_All{All: &streams.ReadReq_Options_AllOptions{
				AllOption: &streams.ReadReq_Options_AllOptions_Position{
					Position: &streams.ReadReq_Options_Position{CommitPosition: position, PreparePosition: position},
				},
			}},
			CountOption:  &streams.ReadReq_Options_Subscription{Subscription: &streams.ReadReq_Options_SubscriptionOptions{}},
			FilterOption: &streams.ReadReq_Options_NoFilter{NoFilter: &shared.Empty{}},
			UuidOption:   &streams.ReadReq_Options_UUIDOption{Content: &streams.ReadReq_Options_UUIDOption_Structured{Structured: &shared.Empty{}}},
		}
		if filter != nil {
			o.FilterOption = &streams.ReadReq_Options_Filter{Filter: filter}
		}
		return o
	}
	zero := regex("a")
	zero.CheckpointIntervalMultiplier = 0
	back := all(0, nil)
	back.ReadDirection = streams.ReadReq_Options_Backwards
	loose := all(0, nil)
	loose.UuidOption = nil
	cases := []struct {
		name    string
		options *streams.ReadReq_Options
	}{
		{"an expression RE2 does not know", all(0, regex("^(?!\\$)"))},
		{"an interval of nothing", all(0, zero)},
		{"a position the log has not reached", all(1<<50, nil)},
		{"backwards", back},
		{"no form of ids", loose},
	}
	onlyHere(t)
	conn := dial(t, address(t))
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			call, err := streams.NewStreamsClient(conn).Read(deadline(t), &streams.ReadReq{Options: tc.options})
			if err != nil {
				t.Fatal(err)
			}
			if _, err = call.Recv(); status.Code(err) != codes.InvalidArgument {
				t.Errorf("the subscription answered %v, want %s", err, codes.InvalidArgument)
			}
		})
	}
}

func TestStopEndsSubscriptionsAtOnce(t *testing.T) {
	t.Parallel()
	onlyHere(t)
	n := nodetest.New(t, nodetest.Config{Node: small()})
	c := connect(t, n.ConnectionString())
	sub, err := c.SubscribeToAll(deadline(t), esdb.SubscribeToAllOptions{From: esdb.Start{}})
	if err != nil {
		t.Fatal(err)
	}
	follow(t, sub, 1)
	n.Stop()
	e := sub.Recv()
	if e.SubscriptionDropped == nil || status.Code(e.SubscriptionDropped.Error) != codes.Unavailable {
		t.Errorf("the subscription said %+v, want unavailable", e)
	}
}

func TestRestartKeepsAddressAndData(t *testing.T) {
	t.Parallel()
	onlyHere(t)
	for _, dir := range []string{"", t.TempDir()} {
		n := nodetest.New(t, nodetest.Config{Dir: dir, Node: small()})
		before := n.ConnectionString()
		stream := unique("kept")
		done := mustAppend(t, connect(t, before), stream, "abc")
		n.Restart()
		if n.ConnectionString() != before {
			t.Errorf("the address was %s and is %s", before, n.ConnectionString())
		}
		c := connect(t, n.ConnectionString())
		again := mustAppend(t, c, stream, "abc")
		if *again != *done {
			t.Errorf("the repeated append answered %v, the first %v", *again, *done)
		}
		if got := readAll(t, c, stream); got != "abc" {
			t.Errorf("the stream holds %q, want abc", got)
		}
	}
}

// TestIdleClientIsLeftAlone takes longer than the pings of an idle client need
// to wear out the patience of a server with the usual settings.
func TestIdleClientIsLeftAlone(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("this test takes a minute")
	}
	conn := dial(t, address(t), grpc.WithKeepaliveParams(keepalive.ClientParameters{
		Time: 10 * time.Second, Timeout: 10 * time.Second, PermitWithoutStream: true,
	}))
	features := serverfeatures.NewServerFeaturesClient(conn)
	if _, err := features.GetSupportedMethods(deadline(t), &shared.Empty{}); err != nil {
		t.Fatal(err)
	}
	const idle = 50 * time.Second
	ctx, cancel := context.WithTimeout(context.Background(), idle)
	defer cancel()
	before := conn.GetState()
	if conn.WaitForStateChange(ctx, before) {
		t.Errorf("the idle connection went from %s to %s", before, conn.GetState())
	}
}
