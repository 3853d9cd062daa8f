package grpcapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func deleteOptions(n int64) esdb.DeleteStreamOptions {
	return esdb.DeleteStreamOptions{ExpectedRevision: revision(n).ExpectedRevision}
}

func tombstoneOptions(n int64) esdb.TombstoneStreamOptions {
	return esdb.TombstoneStreamOptions{ExpectedRevision: revision(n).ExpectedRevision}
}

func mustDelete(tb testing.TB, c *esdb.Client, stream string) {
	tb.Helper()
	if _, err := c.DeleteStream(deadline(tb), stream, deleteOptions(-2)); err != nil {
		tb.Fatal(err)
	}
}

func mustTombstone(tb testing.TB, c *esdb.Client, stream string) {
	tb.Helper()
	if _, err := c.TombstoneStream(deadline(tb), stream, tombstoneOptions(-2)); err != nil {
		tb.Fatal(err)
	}
}

// describeStream writes metadata as it stands.
func describeStream(tb testing.TB, c *esdb.Client, stream, metadata string) {
	tb.Helper()
	_, err := c.AppendToStream(deadline(tb), "$$"+stream, revision(-2), esdb.EventData{
		EventType: "$metadata", ContentType: esdb.ContentTypeJson, Data: []byte(metadata),
	})
	if err != nil {
		tb.Fatal(err)
	}
}

// metadataOf is the metadata that can be read, empty when there is none.
func metadataOf(tb testing.TB, c *esdb.Client, stream string) string {
	tb.Helper()
	s, err := c.ReadStream(deadline(tb), "$$"+stream, esdb.ReadStreamOptions{Direction: esdb.Backwards, From: esdb.End{}}, 1)
	if err != nil {
		tb.Fatal(err)
	}
	defer s.Close()
	e, err := s.Recv()
	if err != nil {
		return ""
	}
	return string(e.Event.Data)
}

// outcome is a read as far as it can be told in a word.
func outcome(tb testing.TB, c *esdb.Client, stream string) string {
	tb.Helper()
	s, err := c.ReadStream(deadline(tb), stream, esdb.ReadStreamOptions{}, 100)
	if err != nil {
		tb.Fatal(err)
	}
	defer s.Close()
	text := ""
	for {
		e, err := s.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return text + "."
		case code(err) == esdb.ErrorCodeResourceNotFound:
			return text + "not found"
		case code(err) == esdb.ErrorCodeStreamDeleted:
			return text + "deleted"
		case err != nil:
			tb.Fatal(err)
		}
		text += letterOf(e)
	}
}

func TestDeleteRules(t *testing.T) {
	t.Parallel()
	c := connect(t, address(t))
	for _, row := range []struct {
		name     string
		prepare  string // letters appended; m writes metadata, D deletes, T tombstones
		expected int64
		hard     bool
		want     esdb.ErrorCode
	}{
		{"at its revision", "ab", 1, false, -1},
		{"at an earlier revision", "ab", 0, false, esdb.ErrorCodeUnknown},
		{"at a later revision", "ab", 2, false, esdb.ErrorCodeUnknown},
		{"any", "ab", -2, false, -1},
		{"exists", "ab", -4, false, -1},
		{"no stream, but there is one", "ab", -1, false, esdb.ErrorCodeUnknown},
		{"never written, any", "", -2, false, esdb.ErrorCodeUnknown},
		{"never written, no stream", "", -1, false, esdb.ErrorCodeUnknown},
		{"never written, exists", "", -4, false, esdb.ErrorCodeUnknown},
		{"metadata alone, any", "m", -2, false, -1},
		{"metadata alone, exists", "m", -4, false, -1},
		{"again, any", "abD", -2, false, -1},
		{"again, exists", "abD", -4, false, esdb.ErrorCodeStreamDeleted},
		{"again, at its revision", "abD", 1, false, -1},
		{"again, no stream", "abD", -1, false, -1},
		{"of a tombstone", "abT", -2, false, esdb.ErrorCodeStreamDeleted},
		{"tombstone at its revision", "ab", 1, true, -1},
		{"tombstone at another", "ab", 0, true, esdb.ErrorCodeUnknown},
		{"tombstone, never written, any", "", -2, true, -1},
		{"tombstone, never written, no stream", "", -1, true, -1},
		{"tombstone, never written, exists", "", -4, true, esdb.ErrorCodeUnknown},
		{"tombstone of a deleted stream, any", "abD", -2, true, -1},
		{"tombstone again", "abT", -2, true, esdb.ErrorCodeStreamDeleted},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			stream := unique("delete")
			prepare(t, c, stream, row.prepare)
			err := removeStream(t, c, stream, row.expected, row.hard)
			if code(err) != row.want {
				t.Fatalf("got %v, want code %v", err, row.want)
			}
			if err == nil && row.hard && outcome(t, c, stream) != "deleted" {
				t.Errorf("the stream is %s", outcome(t, c, stream))
			}
			if err == nil && !row.hard && outcome(t, c, stream) != "not found" {
				t.Errorf("the stream is %s", outcome(t, c, stream))
			}
		})
	}
}

func prepare(tb testing.TB, c *esdb.Client, stream, steps string) {
	tb.Helper()
	for _, step := range steps {
		switch step {
		case 'D':
			mustDelete(tb, c, stream)
		case 'T':
			mustTombstone(tb, c, stream)
		case 'm':
			describeStream(tb, c, stream, `{"$maxCount":100,"kind":"red"}`)
		default:
			mustAppend(tb, c, stream, string(step))
		}
	}
}

func removeStream(tb testing.TB, c *esdb.Client, stream string, expected int64, hard bool) error {
	tb.Helper()
	var r *esdb.DeleteResult
	var err error
	if hard {
		r, err = c.TombstoneStream(deadline(tb), stream, tombstoneOptions(expected))
	} else {
		r, err = c.DeleteStream(deadline(tb), stream, deleteOptions(expected))
	}
	if err == nil && (r.Position.Commit == 0 || r.Position.Commit != r.Position.Prepare) {
		tb.Errorf("the position is %v", r.Position)
	}
	return err
}

func TestAppendToADeletedStream(t *testing.T) {
	t.Parallel()
	c := connect(t, address(t))
	for _, row := range []struct {
		name     string
		expected int64
		letters  string
		next     uint64
		want     esdb.ErrorCode
		reads    string
	}{
		{"any", -2, "c", 2, -1, "c."},
		{"no stream", -1, "cd", 3, -1, "cd."},
		{"at the revision it had", 1, "c", 2, -1, "c."},
		{"at another revision", 0, "c", 0, esdb.ErrorCodeWrongExpectedVersion, "not found"},
		{"exists", -4, "c", 0, esdb.ErrorCodeStreamDeleted, "not found"},
		{"a repeat of what was deleted", -1, "ab", 1, -1, "not found"},
		{"half a repeat", -1, "ac", 0, esdb.ErrorCodeWrongExpectedVersion, "not found"},
		{"nothing", -2, "", 1, -1, "."},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			stream := unique("deleted")
			prepare(t, c, stream, "abD")
			r, err := c.AppendToStream(deadline(t), stream, revision(row.expected), events(row.letters)...)
			if code(err) != row.want {
				t.Fatalf("got %v, want code %v", err, row.want)
			}
			if err == nil && r.NextExpectedVersion != row.next {
				t.Errorf("the stream is at %d, want %d", r.NextExpectedVersion, row.next)
			}
			if got := outcome(t, c, stream); got != row.reads {
				t.Errorf("the stream reads %q, want %q", got, row.reads)
			}
		})
	}
}

func TestDeleteForgetsMetadataAndTheNextAppendWritesWhereTheStreamBegins(t *testing.T) {
	t.Parallel()
	c := connect(t, address(t))
	stream := unique("forgets")
	prepare(t, c, stream, "mabD")
	if got := metadataOf(t, c, stream); got != `{"$tb":9223372036854775807}` {
		t.Errorf("after the delete the metadata is %s", got)
	}
	mustAppend(t, c, stream, "c")
	var meta map[string]any
	if err := json.Unmarshal([]byte(metadataOf(t, c, stream)), &meta); err != nil {
		t.Fatal(err)
	}
	if len(meta) != 1 || meta["$tb"] != 2.0 {
		t.Errorf("after the append the metadata is %v", meta)
	}
}

func TestMetadataBringsADeletedStreamBack(t *testing.T) {
	t.Parallel()
	c := connect(t, address(t))
	stream := unique("back")
	prepare(t, c, stream, "abDm")
	if got := outcome(t, c, stream); got != "." {
		t.Errorf("the stream reads %q, want no events", got)
	}
	var meta map[string]any
	if err := json.Unmarshal([]byte(metadataOf(t, c, stream)), &meta); err != nil {
		t.Fatal(err)
	}
	if meta["$tb"] != 2.0 || meta["kind"] != "red" || meta["$maxCount"] != 100.0 {
		t.Errorf("the metadata is %v", meta)
	}
}

func TestTombstoneEndsEverything(t *testing.T) {
	t.Parallel()
	c := connect(t, address(t))
	stream := unique("tomb")
	prepare(t, c, stream, "abmT")
	for name, call := range map[string]func() error{
		"append": func() error {
			_, err := c.AppendToStream(deadline(t), stream, revision(-2), events("c")...)
			return err
		},
		"metadata": func() error {
			_, err := c.SetStreamMetadata(deadline(t), stream, revision(-2), esdb.StreamMetadata{})
			return err
		},
		"delete":    func() error { return removeStream(t, c, stream, -2, false) },
		"tombstone": func() error { return removeStream(t, c, stream, -2, true) },
		"read metadata": func() error {
			_, err := c.GetStreamMetadata(deadline(t), stream, esdb.ReadStreamOptions{})
			return err
		},
	} {
		if err := call(); code(err) != esdb.ErrorCodeStreamDeleted {
			t.Errorf("%s answered %v", name, err)
		}
	}
	for _, direction := range []esdb.Direction{esdb.Forwards, esdb.Backwards} {
		s, err := c.ReadStream(deadline(t), stream, esdb.ReadStreamOptions{Direction: direction, From: map[esdb.Direction]esdb.StreamPosition{esdb.Forwards: esdb.Start{}, esdb.Backwards: esdb.End{}}[direction]}, 1)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Recv(); code(err) != esdb.ErrorCodeStreamDeleted {
			t.Errorf("the read answered %v", err)
		}
		s.Close()
	}
}

func TestSubscriptionIsToldOfTheTombstoneAndEnds(t *testing.T) {
	t.Parallel()
	c := connect(t, address(t))
	stream := unique("tombsub")
	mustAppend(t, c, stream, "a")
	sub, err := c.SubscribeToStream(deadline(t), stream, esdb.SubscribeToStreamOptions{From: esdb.Start{}})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	if got := follow(t, sub, 2); got[0] != "a" || got[1] != "live" {
		t.Fatalf("got %v", got)
	}
	mustTombstone(t, c, stream)
	e := sub.Recv()
	if e.EventAppeared == nil || e.EventAppeared.Event.EventType != "$streamDeleted" || e.EventAppeared.Event.EventNumber != 1<<63-1 {
		t.Fatalf("got %+v", e)
	}
	endsAsDeleted(t, sub.Recv())
}

// endsAsDeleted: a subscription ends with its test, too.
func endsAsDeleted(t *testing.T, e *esdb.SubscriptionEvent) {
	t.Helper()
	if e.SubscriptionDropped == nil || status.Code(e.SubscriptionDropped.Error) != codes.FailedPrecondition || !strings.Contains(e.SubscriptionDropped.Error.Error(), "is deleted") {
		t.Fatalf("got %+v, want the end because the stream is deleted", e)
	}
}

func TestSubscriptionToATombstonedStreamEnds(t *testing.T) {
	t.Parallel()
	c := connect(t, address(t))
	stream := unique("tombend")
	mustTombstone(t, c, stream)
	sub, err := c.SubscribeToStream(deadline(t), stream, esdb.SubscribeToStreamOptions{From: esdb.Start{}})
	if err != nil {
		if code(err) != esdb.ErrorCodeStreamDeleted {
			t.Fatal(err)
		}
		return
	}
	defer sub.Close()
	endsAsDeleted(t, sub.Recv())
}

func TestTheLogKeepsWhatStreamsHide(t *testing.T) {
	t.Parallel()
	c := connect(t, address(t))
	deleted, tombstoned, truncated := unique("log"), unique("log"), unique("log")
	first := mustAppend(t, c, deleted, "ab")
	mustDelete(t, c, deleted)
	prepare(t, c, tombstoned, "abT")
	mustAppend(t, c, truncated, "abc")
	describeStream(t, c, truncated, `{"$maxCount":1}`)
	s, err := c.ReadAll(deadline(t), esdb.ReadAllOptions{From: esdb.Position{Commit: first.CommitPosition, Prepare: first.PreparePosition}}, 1<<20)
	count := map[string]int{}
	for _, e := range collect(t, s, err) {
		count[e.Event.StreamID]++
	}
	if count[deleted] != 1 || count["$$"+deleted] != 1 || count[tombstoned] != 3 || count[truncated] != 3 || count["$$"+truncated] != 1 {
		t.Errorf("the log has %v", count)
	}
}

func TestWhatMetadataHides(t *testing.T) {
	t.Parallel()
	c := connect(t, address(t))
	for _, row := range []struct {
		name, metadata, reads, backwards string
	}{
		{"count", `{"$maxCount":2}`, "cd.", "dc"},
		{"count of one", `{"$maxCount":1}`, "d.", "d"},
		{"count larger than the stream", `{"$maxCount":9}`, "abcd.", "dcba"},
		{"count of zero is none", `{"$maxCount":0}`, "abcd.", "dcba"},
		{"negative count is none", `{"$maxCount":-1}`, "abcd.", "dcba"},
		{"before", `{"$tb":3}`, "d.", "d"},
		{"before what comes", `{"$tb":4}`, ".", ""},
		{"before far away", `{"$tb":400}`, ".", ""},
		{"both, the stricter counts", `{"$tb":1,"$maxCount":2}`, "cd.", "dc"},
		{"both, the other way", `{"$tb":3,"$maxCount":2}`, "d.", "d"},
		{"long age", `{"$maxAge":100000}`, "abcd.", "dcba"},
		{"count that is no integer", `{"$maxCount":2.0}`, "abcd.", "dcba"},
		{"count that is text", `{"$maxCount":"2"}`, "abcd.", "dcba"},
		{"one wrong value undoes all", `{"$maxCount":2,"$tb":"x"}`, "abcd.", "dcba"},
		{"a wrong list of rights undoes all", `{"$maxCount":2,"$acl":{"$r":1}}`, "abcd.", "dcba"},
		{"good list of rights", `{"$maxCount":2,"$acl":{"$r":["$all","x"],"$w":"$all"}}`, "cd.", "dc"},
		{"unknown fields", `{"$maxCount":2,"kind":{"deep":[1,2]}}`, "cd.", "dc"},
		{"no JSON", `{`, "abcd.", "dcba"},
		{"no object", `[1]`, "abcd.", "dcba"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			stream := unique("limits")
			mustAppend(t, c, stream, "abcd")
			describeStream(t, c, stream, row.metadata)
			if got := outcome(t, c, stream); got != row.reads {
				t.Errorf("forwards: got %q, want %q", got, row.reads)
			}
			s, err := c.ReadStream(deadline(t), stream, esdb.ReadStreamOptions{Direction: esdb.Backwards, From: esdb.End{}}, 100)
			if got := letters(t, s, err); got != row.backwards {
				t.Errorf("backwards: got %q, want %q", got, row.backwards)
			}
			r, err := c.AppendToStream(deadline(t), stream, revision(3), events("e")...)
			if err != nil || r.NextExpectedVersion != 4 {
				t.Errorf("the next append answered %v, %v", r, err)
			}
		})
	}
}

func TestTooOldEventsAreHidden(t *testing.T) {
	t.Parallel()
	c := connect(t, address(t))
	stream := unique("age")
	mustAppend(t, c, stream, "abc")
	describeStream(t, c, stream, `{"$maxAge":1}`)
	waitFor(t, func() bool { return outcome(t, c, stream) == "." })
	mustAppend(t, c, stream, "d")
	if got := outcome(t, c, stream); got != "d." {
		t.Errorf("got %q, want the new event alone", got)
	}
}

// waitFor asks until the answer is yes.
func waitFor(tb testing.TB, done func() bool) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for !done() {
		select {
		case <-ctx.Done():
			tb.Fatal("it did not happen within ten seconds")
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func TestOnlyTheLastMetadataIsShown(t *testing.T) {
	t.Parallel()
	c := connect(t, address(t))
	stream := unique("meta")
	describeStream(t, c, stream, `{"n":1}`)
	describeStream(t, c, stream, `{"n":2}`)
	s, err := c.ReadStream(deadline(t), "$$"+stream, esdb.ReadStreamOptions{}, 100)
	list := collect(t, s, err)
	if len(list) != 1 || list[0].Event.EventNumber != 1 || string(list[0].Event.Data) != `{"n":2}` {
		t.Errorf("got %v", list)
	}
	if _, err := c.GetStreamMetadata(deadline(t), unique("none"), esdb.ReadStreamOptions{}); code(err) != esdb.ErrorCodeResourceNotFound {
		t.Errorf("metadata of nothing answered %v", err)
	}
}

func TestLinks(t *testing.T) {
	t.Parallel()
	c := connect(t, address(t))
	source, hidden, links := unique("source"), unique("hidden"), unique("links")
	mustAppend(t, c, source, "abc")
	prepare(t, c, hidden, "abT")
	for _, data := range []string{"1@" + source, "0@" + hidden, "99@" + source, "nonsense", "x@" + source, "0@" + source, "-1@" + source, " +1 @" + source, "1", "1@", "-2@" + source} {
		_, err := c.AppendToStream(deadline(t), links, revision(-2), esdb.EventData{EventType: "$>", ContentType: esdb.ContentTypeBinary, Data: []byte(data)})
		if err != nil {
			t.Fatal(err)
		}
	}
	s, err := c.ReadStream(deadline(t), links, esdb.ReadStreamOptions{ResolveLinkTos: true}, 100)
	list := collect(t, s, err)
	want := []struct {
		event  string // its letter, empty for none
		linked bool
	}{{"b", true}, {"", true}, {"", true}, {"$>", false}, {"$>", false}, {"a", true}, {"c", true}, {"b", true}, {"", true}, {"", true}, {"", true}}
	if len(list) != len(want) {
		t.Fatalf("got %d events, want %d", len(list), len(want))
	}
	for i, e := range list {
		got := ""
		if e.Event != nil {
			got = letterOf(e)
		}
		if got != want[i].event || (e.Link != nil) != want[i].linked {
			t.Errorf("event %d is %q with link %v, want %+v", i, got, e.Link, want[i])
		}
		if e.OriginalEvent().StreamID != links || e.OriginalEvent().EventNumber != uint64(i) {
			t.Errorf("event %d was at %s %d", i, e.OriginalEvent().StreamID, e.OriginalEvent().EventNumber)
		}
	}
	s, err = c.ReadStream(deadline(t), links, esdb.ReadStreamOptions{}, 100)
	for i, e := range collect(t, s, err) {
		if e.Link != nil || e.Event.EventType != "$>" {
			t.Errorf("without resolving, event %d is %v", i, e)
		}
	}
	sub, err := c.SubscribeToStream(deadline(t), links, esdb.SubscribeToStreamOptions{From: esdb.Start{}, ResolveLinkTos: true})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	if e := sub.Recv().EventAppeared; e == nil || letterOf(e) != "b" || e.Link == nil {
		t.Errorf("the subscription got %v", e)
	}
}
