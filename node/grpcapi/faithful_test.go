package grpcapi_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

func TestRefusalsHaveTheTrailersThatClientsRead(t *testing.T) {
	t.Parallel()
	target := address(t)
	c, api := connect(t, target), streams.NewStreamsClient(dial(t, target))
	tombstoned, written := unique("größe"), unique("written")
	prepare(t, c, tombstoned, "abT")
	prepare(t, c, written, "ab")
	deleted := map[string]string{"exception": "stream-deleted", "stream-name": tombstoned}
	wrong := map[string]string{
		"exception": "wrong-expected-version", "stream-name": written, "expected-version": "7", "actual-version": "1",
	}
	at := func(stream string) *streams.DeleteReq {
		return &streams.DeleteReq{Options: &streams.DeleteReq_Options{
			StreamIdentifier:       identifier(stream),
			ExpectedStreamRevision: &streams.DeleteReq_Options_Revision{Revision: 7},
		}}
	}
	for _, row := range []struct {
		name    string
		call    func(ctx context.Context, o ...grpc.CallOption) error
		message string
		want    map[string]string
	}{
		{"append to a tombstone", func(ctx context.Context, o ...grpc.CallOption) error {
			_, err := appendRaw(ctx, api, tombstoned, 1, o...)
			return err
		}, "Event stream '" + tombstoned + "' is deleted.", deleted},
		{"read of a tombstone", func(ctx context.Context, o ...grpc.CallOption) error {
			call, err := api.Read(ctx, plainRead(tombstoned), o...)
			if err == nil {
				_, err = call.Recv()
			}
			return err
		}, "Event stream '" + tombstoned + "' is deleted.", deleted},
		{"delete of a tombstone", func(ctx context.Context, o ...grpc.CallOption) error {
			_, err := api.Delete(ctx, at(tombstoned), o...)
			return err
		}, "Event stream '" + tombstoned + "' is deleted.", deleted},
		{"delete at another revision", func(ctx context.Context, o ...grpc.CallOption) error {
			_, err := api.Delete(ctx, at(written), o...)
			return err
		}, "Delete failed due to WrongExpectedVersion. Stream: " + written + ", Expected version: 7, Actual version: 1", wrong},
		{"tombstone at another revision", func(ctx context.Context, o ...grpc.CallOption) error {
			_, err := api.Tombstone(ctx, &streams.TombstoneReq{Options: &streams.TombstoneReq_Options{
				StreamIdentifier:       identifier(written),
				ExpectedStreamRevision: &streams.TombstoneReq_Options_Revision{Revision: 7},
			}}, o...)
			return err
		}, "Delete failed due to WrongExpectedVersion. Stream: " + written + ", Expected version: 7, Actual version: 1", wrong},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var trailer metadata.MD
			err := row.call(deadline(t), grpc.Trailer(&trailer))
			if status.Code(err) != codes.FailedPrecondition || status.Convert(err).Message() != row.message {
				t.Errorf("the answer is %v, want %q", err, row.message)
			}
			for key, want := range row.want {
				// A real server may write a name that is not ASCII in its own way.
				if got := strings.Join(trailer.Get(key), ","); got != want && key != "stream-name" || got == "" {
					t.Errorf("the trailer %s is %q, want %q", key, got, want)
				}
			}
		})
	}
}

func identifier(stream string) *shared.StreamIdentifier {
	return &shared.StreamIdentifier{StreamName: []byte(stream)}
}

func plainRead(stream string) *streams.ReadReq {
	return &streams.ReadReq{Options: &streams.ReadReq_Options{
		StreamOption: &streams.ReadReq_Options_Stream{Stream: &streams.ReadReq_Options_StreamOptions{
			StreamIdentifier: identifier(stream),
			RevisionOption:   &streams.ReadReq_Options_StreamOptions_Start{Start: &shared.Empty{}},
		}},
		CountOption:  &streams.ReadReq_Options_Count{Count: 10},
		FilterOption: &streams.ReadReq_Options_NoFilter{NoFilter: &shared.Empty{}},
		UuidOption:   &streams.ReadReq_Options_UUIDOption{Content: &streams.ReadReq_Options_UUIDOption_Structured{Structured: &shared.Empty{}}},
	}}
}

func appendRaw(ctx context.Context, api streams.StreamsClient, stream string, n int, o ...grpc.CallOption) (*streams.AppendResp, error) {
	call, err := api.Append(ctx, o...)
	if err != nil {
		return nil, err
	}
	requests := []*streams.AppendReq{options(stream)}
	for range n {
		requests = append(requests, proposed(uuid.New(), map[string]string{"type": "T", "content-type": "application/json"}, 3))
	}
	for _, r := range requests {
		if err := call.Send(r); err != nil {
			break // CloseAndRecv says why
		}
	}
	return call.CloseAndRecv()
}

// TestWhatAnAppendAnswers: the client of Go cannot tell these answers apart.
func TestWhatAnAppendAnswers(t *testing.T) {
	t.Parallel()
	api := streams.NewStreamsClient(dial(t, address(t)))
	stream := unique("answers")
	nothing, err := appendRaw(deadline(t), api, stream, 0)
	if err != nil {
		t.Fatal(err)
	}
	if nothing.GetSuccess().GetNoStream() == nil || nothing.GetSuccess().GetPosition().GetCommitPosition() == 0 {
		t.Errorf("an append of nothing answered %v, want no stream and a position", nothing)
	}
	some, err := appendRaw(deadline(t), api, stream, 2)
	if err != nil {
		t.Fatal(err)
	}
	at := some.GetSuccess().GetPosition()
	if _, ok := some.GetSuccess().GetCurrentRevisionOption().(*streams.AppendResp_Success_CurrentRevision); !ok || some.GetSuccess().GetCurrentRevision() != 1 {
		t.Errorf("the append answered %v, want revision 1", some)
	}
	if at.GetCommitPosition() <= nothing.GetSuccess().GetPosition().GetCommitPosition() || at.GetCommitPosition() != at.GetPreparePosition() {
		t.Errorf("the append is at %v, behind %v", at, nothing.GetSuccess().GetPosition())
	}
}

func TestEventsCarryTheTimeOfTheirWriting(t *testing.T) {
	t.Parallel()
	target := address(t)
	stream := unique("created")
	mustAppend(t, connect(t, target), stream, "a")
	call, err := streams.NewStreamsClient(dial(t, target)).Read(deadline(t), plainRead(stream))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := call.Recv()
	if err != nil {
		t.Fatal(err)
	}
	text := resp.GetEvent().GetEvent().GetMetadata()["created"]
	ticks, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatalf("created is %q", text)
	}
	const skew = time.Hour // of the clocks of two machines
	if age := time.Since(time.Unix(0, ticks*100)); age < -skew || age > skew {
		t.Errorf("created is %q, %s ago", text, age)
	}
}

func TestWhereDeletesAndWhatFollowsAreInTheLog(t *testing.T) {
	t.Parallel()
	c := connect(t, address(t))
	stream := unique("places")
	mustAppend(t, c, stream, "ab")
	deleted, err := c.DeleteStream(deadline(t), stream, deleteOptions(-2))
	if err != nil {
		t.Fatal(err)
	}
	written := mustAppend(t, c, stream, "cd")
	tombstoned, err := c.TombstoneStream(deadline(t), stream, tombstoneOptions(-2))
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.ReadAll(deadline(t), esdb.ReadAllOptions{From: deleted.Position}, 1000)
	var got []string
	places := map[string]uint64{}
	for _, e := range collect(t, s, err) {
		if strings.TrimPrefix(e.Event.StreamID, "$$") != stream {
			continue
		}
		what := strings.ReplaceAll(e.Event.StreamID, stream, "s") + " " + e.Event.EventType
		got, places[what] = append(got, what), e.Event.Position.Commit
	}
	if diff := cmp.Diff([]string{"$$s $metadata", "s TypeC", "s TypeD", "$$s $metadata", "s $streamDeleted"}, got); diff != "" {
		t.Errorf("the log (-want +got):\n%s", diff)
	}
	if written.CommitPosition != places["s TypeD"] || tombstoned.Position.Commit != places["s $streamDeleted"] {
		t.Errorf("the append answered %d, the tombstone %d, they are at %v", written.CommitPosition, tombstoned.Position.Commit, places)
	}
}

func TestTheLogLeavesOutTheStateOfItsGroups(t *testing.T) {
	t.Parallel()
	c := connect(t, address(t))
	group := "$persistentsubscription-$all::" + unique("group")
	start := mustAppend(t, c, unique("start"), "z")
	shown := map[string]bool{group + "-checkpoint": false, group + "-parked": false, group + "-other": true, group + "-checkpoint-x": true}
	for stream := range shown {
		mustAppend(t, c, stream, "a")
		if got := readAll(t, c, stream); got != "a" {
			t.Errorf("%s reads %q", stream, got)
		}
	}
	s, err := c.ReadAll(deadline(t), esdb.ReadAllOptions{From: esdb.Position{Commit: start.CommitPosition, Prepare: start.PreparePosition}}, 1000)
	got := map[string]bool{group + "-checkpoint": false, group + "-parked": false}
	for _, e := range collect(t, s, err) {
		if strings.HasPrefix(e.Event.StreamID, group) {
			got[e.Event.StreamID] = true
		}
	}
	if diff := cmp.Diff(shown, got); diff != "" {
		t.Errorf("what the log shows (-want +got):\n%s", diff)
	}
}

func TestReadsFromWhatIsHidden(t *testing.T) {
	t.Parallel()
	c := connect(t, address(t))
	stream := unique("below")
	mustAppend(t, c, stream, "abcdef")
	describeStream(t, c, stream, `{"$tb":3}`)
	for _, row := range []struct {
		name      string
		direction esdb.Direction
		from      uint64
		count     uint64
		want      string
	}{
		{"forwards from below", esdb.Forwards, 1, 2, "de"},
		{"forwards from the first", esdb.Forwards, 3, 2, "de"},
		{"backwards into it", esdb.Backwards, 4, 10, "ed"},
		{"backwards from below", esdb.Backwards, 2, 10, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s, err := c.ReadStream(deadline(t), stream, esdb.ReadStreamOptions{Direction: row.direction, From: esdb.Revision(row.from)}, row.count)
			if got := letters(t, s, err); got != row.want {
				t.Errorf("read %q, want %q", got, row.want)
			}
		})
	}
}

func TestLinksToOddStreamsAndInTheLog(t *testing.T) {
	t.Parallel()
	c := connect(t, address(t))
	source, links := unique("user@home"), unique("links")
	mustAppend(t, c, source, "ab")
	linked, err := c.AppendToStream(deadline(t), links, revision(-1),
		esdb.EventData{EventType: "$>", ContentType: esdb.ContentTypeBinary, Data: []byte("1@" + source)})
	if err != nil {
		t.Fatal(err)
	}
	from := esdb.Position{Commit: linked.CommitPosition, Prepare: linked.PreparePosition}
	s, err := c.ReadAll(deadline(t), esdb.ReadAllOptions{From: from, ResolveLinkTos: true}, 1)
	list := collect(t, s, err)
	if len(list) != 1 || list[0].Event == nil || list[0].Link == nil {
		t.Fatalf("the log has %v", list)
	}
	if e := list[0]; letterOf(e) != "b" || e.Event.StreamID != source || e.Link.StreamID != links || *e.Commit != linked.CommitPosition {
		t.Errorf("the log has %s of %s, linked from %s, at %d", letterOf(e), e.Event.StreamID, e.Link.StreamID, *e.Commit)
	}
}

func TestWhatIsNotLookedAt(t *testing.T) {
	t.Parallel()
	target := address(t)
	c, api := connect(t, target), streams.NewStreamsClient(dial(t, target))
	stream := "$" + unique("system")
	call, err := api.Append(deadline(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []*streams.AppendReq{
		options(stream),
		proposed(uuid.New(), map[string]string{"type": "$own", "content-type": "application/json"}, 3), // xxx is no JSON
		proposed(uuid.New(), map[string]string{"type": "T", "content-type": "text/plain", "other": "ignored"}, 3),
	} {
		if err := call.Send(r); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := call.CloseAndRecv(); err != nil {
		t.Fatal(err)
	}
	s, err := c.ReadStream(deadline(t), stream, esdb.ReadStreamOptions{}, 10)
	var got []string
	for _, e := range collect(t, s, err) {
		got = append(got, fmt.Sprintf("%s %s %s", e.Event.EventType, e.Event.ContentType, e.Event.Data))
	}
	if diff := cmp.Diff([]string{"$own application/json xxx", "T application/octet-stream xxx"}, got); diff != "" {
		t.Errorf("the stream (-want +got):\n%s", diff)
	}
}

// TestSubscriptionsBesideDeletesAndLimits: what a subscription shows of a stream
// whose beginning is hidden, before or while it runs.
func TestSubscriptionsBesideDeletesAndLimits(t *testing.T) {
	t.Parallel()
	c := connect(t, address(t))
	for _, row := range []struct {
		name  string
		given string // as in prepare
		from  esdb.StreamPosition
		live  []string
		then  string // as in prepare
		want  []string
	}{
		{"from ahead of the stream", "abc", esdb.Revision(4), []string{"live"}, "defg", []string{"f", "g"}},
		{"of a deleted stream", "abD", esdb.Start{}, []string{"live"}, "c", []string{"c"}},
		{"of a deleted stream, from its end", "abD", esdb.End{}, []string{"live"}, "c", []string{"c"}},
		{"of a stream that was written again", "abDc", esdb.Start{}, []string{"c", "live"}, "d", []string{"d"}},
		{"of a stream that is deleted and written again", "ab", esdb.Start{}, []string{"a", "b", "live"}, "cDdDe", []string{"c", "d", "e"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			stream := unique("hidden")
			prepare(t, c, stream, row.given)
			sub, err := c.SubscribeToStream(deadline(t), stream, esdb.SubscribeToStreamOptions{From: row.from})
			if err != nil {
				t.Fatal(err)
			}
			defer sub.Close()
			if diff := cmp.Diff(row.live, follow(t, sub, len(row.live))); diff != "" {
				t.Fatalf("at first the subscription said (-want +got):\n%s", diff)
			}
			prepare(t, c, stream, row.then)
			if diff := cmp.Diff(row.want, follow(t, sub, len(row.want))); diff != "" {
				t.Errorf("then the subscription said (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSubscriptionBeginsBehindWhatIsHiddenAndGoesOnShowingWhatIsWritten(t *testing.T) {
	t.Parallel()
	c := connect(t, address(t))
	stream := unique("counted")
	mustAppend(t, c, stream, "abcd")
	describeStream(t, c, stream, `{"$maxCount":2}`)
	sub, err := c.SubscribeToStream(deadline(t), stream, esdb.SubscribeToStreamOptions{From: esdb.Start{}})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	got := follow(t, sub, 3)
	mustAppend(t, c, stream, "efgh")
	got = append(got, follow(t, sub, 4)...)
	if diff := cmp.Diff([]string{"c", "d", "live", "e", "f", "g", "h"}, got); diff != "" {
		t.Errorf("the subscription said (-want +got):\n%s", diff)
	}
}

// TestFollowingMetadata shows each one: only reads show the last alone.
func TestFollowingMetadata(t *testing.T) {
	t.Parallel()
	c := connect(t, address(t))
	stream := unique("described")
	describeStream(t, c, stream, `{"n":1}`)
	describeStream(t, c, stream, `{"n":2}`)
	sub, err := c.SubscribeToStream(deadline(t), "$$"+stream, esdb.SubscribeToStreamOptions{From: esdb.Start{}})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	first := sub.Recv()
	follow(t, sub, 1)
	describeStream(t, c, stream, `{"n":3}`)
	describeStream(t, c, stream, `{"n":4}`)
	for i, e := range []*esdb.SubscriptionEvent{first, sub.Recv(), sub.Recv()} {
		if e.EventAppeared == nil || e.EventAppeared.Event.EventNumber != uint64(i)+1 {
			t.Errorf("event %d is %+v", i, e)
		}
	}
}

func TestLiveSubscriptionFollowsLinks(t *testing.T) {
	t.Parallel()
	c := connect(t, address(t))
	source, links := unique("source"), unique("links")
	mustAppend(t, c, source, "ab")
	sub, err := c.SubscribeToStream(deadline(t), links, esdb.SubscribeToStreamOptions{From: esdb.Start{}, ResolveLinkTos: true})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	follow(t, sub, 1)
	for _, data := range []string{"1@" + source, "9@" + source} {
		_, err := c.AppendToStream(deadline(t), links, revision(-2),
			esdb.EventData{EventType: "$>", ContentType: esdb.ContentTypeBinary, Data: []byte(data)})
		if err != nil {
			t.Fatal(err)
		}
	}
	if e := sub.Recv().EventAppeared; e == nil || e.Event == nil || letterOf(e) != "b" || e.OriginalEvent().EventNumber != 0 {
		t.Errorf("got %+v, want the event the link points at", e)
	}
	if e := sub.Recv().EventAppeared; e == nil || e.Event != nil || e.Link == nil || e.Link.EventNumber != 1 {
		t.Errorf("got %+v, want the link alone", e)
	}
}

// TestNotFoundIsAMessage: the call itself is fine.
func TestNotFoundIsAMessage(t *testing.T) {
	t.Parallel()
	api := streams.NewStreamsClient(dial(t, address(t)))
	stream := unique("missing")
	call, err := api.Read(deadline(t), plainRead(stream))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := call.Recv()
	if err != nil || string(resp.GetStreamNotFound().GetStreamIdentifier().GetStreamName()) != stream {
		t.Errorf("the read answered %v, %v", resp, err)
	}
	if resp, err := call.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("then came %v, %v, want the end", resp, err)
	}
}

// TestFilterWithoutAWindow has a checkpoint each 32 events.
func TestFilterWithoutAWindow(t *testing.T) {
	t.Parallel()
	onlyHere(t) // another writer of the same server would move them
	c := connect(t, address(t))
	positions := appendMany(t, c, unique("window"), 70)
	sub, err := c.SubscribeToAll(deadline(t), esdb.SubscribeToAllOptions{
		From: esdb.Start{}, MaxSearchWindow: esdb.NoMaxSearchWindow, CheckpointInterval: 1,
		Filter: &esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Prefixes: []string{"nobody"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	if diff := cmp.Diff([]uint64{positions[31], positions[63], positions[69]}, checkpoints(t, sub, 3)); diff != "" {
		t.Errorf("checkpoints (-want +got):\n%s", diff)
	}
}
