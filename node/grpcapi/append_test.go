package grpcapi_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/go-cmp/cmp"
)

func TestExpectedRevision(t *testing.T) {
	t.Parallel()
	const fine, wrong = esdb.ErrorCode(-1), esdb.ErrorCodeWrongExpectedVersion
	cases := []struct {
		name     string
		given    []string // appended before, each with any revision
		expected int64
		events   string
		code     esdb.ErrorCode
		revision uint64 // of the answer
		then     string // what the stream holds afterwards
	}{
		{"the first append may expect no stream", nil, -1, "ab", fine, 1, "ab"},
		{"the first append may expect anything", nil, -2, "ab", fine, 1, "ab"},
		{"a stream that was never written does not exist", nil, -4, "a", wrong, 0, ""},
		{"a stream that was never written is at no revision", nil, 0, "a", wrong, 0, ""},
		{"a written stream exists", []string{"a"}, -4, "b", fine, 1, "ab"},
		{"the current revision is expected rightly", []string{"ab"}, 1, "c", fine, 2, "abc"},
		{"a revision ahead of the stream is wrong", []string{"ab"}, 2, "c", wrong, 0, "ab"},
		{"a revision behind the stream is wrong for new events", []string{"ab"}, 0, "c", wrong, 0, "ab"},
		{"no stream is wrong for new events of a written stream", []string{"ab"}, -1, "c", wrong, 0, "ab"},
		{"the same append after no stream is known", []string{"ab"}, -1, "ab", fine, 1, "ab"},
		{"the same append after a revision is known", []string{"a", "bc"}, 0, "bc", fine, 2, "abc"},
		{"the beginning of a longer append is known", []string{"abc"}, -1, "ab", fine, 1, "abc"},
		{"an append is known although others followed", []string{"a", "bc", "de"}, 0, "bc", fine, 2, "abcde"},
		{"an append that begins as before and goes on otherwise is wrong", []string{"abc"}, -1, "ax", wrong, 0, "abc"},
		{"an append that begins as before and is longer is wrong", []string{"ab"}, -1, "abc", wrong, 0, "ab"},
		{"at the current revision ids are not looked at", []string{"a"}, 0, "a", fine, 1, "aa"},
		{"the same append after any is known", []string{"abc"}, -2, "abc", fine, 2, "abc"},
		{"a part of an append after any is known", []string{"abc"}, -2, "bc", fine, 2, "abc"},
		{"the same append to an existing stream is known", []string{"abc"}, -4, "abc", fine, 2, "abc"},
		{"after any, a known first id and a new one are wrong", []string{"ab"}, -2, "bc", wrong, 0, "ab"},
		{"after any, a new first id makes all new", []string{"ab"}, -2, "xa", fine, 3, "abxa"},
		{"an append of nothing after any changes nothing", []string{"ab"}, -2, "", fine, 1, "ab"},
		{"an append of nothing at the current revision changes nothing", []string{"ab"}, 1, "", fine, 1, "ab"},
		{"an append of nothing behind the stream is wrong", []string{"ab"}, 0, "", wrong, 0, "ab"},
		{"an append of nothing ahead of the stream is wrong", []string{"ab"}, 7, "", wrong, 0, "ab"},
		{"an append of nothing makes no stream", nil, -2, "", fine, 1, ""},
		{"an append of nothing to no stream makes none", nil, -1, "", fine, 1, ""},
		{"an append of nothing to a missing stream that must exist is wrong", nil, -4, "", wrong, 0, ""},
	}
	c := connect(t, address(t))
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			stream := unique("expected")
			for _, letters := range tc.given {
				mustAppend(t, c, stream, letters)
			}
			r, err := c.AppendToStream(deadline(t), stream, revision(tc.expected), events(tc.events)...)
			if code(err) != tc.code {
				t.Fatalf("append answered %v, want code %d", err, tc.code)
			}
			if err == nil && r.NextExpectedVersion != tc.revision {
				t.Errorf("append answered revision %d, want %d", r.NextExpectedVersion, tc.revision)
			}
			if got := contents(t, c, stream); got != tc.then {
				t.Errorf("the stream holds %q, want %q", got, tc.then)
			}
		})
	}
}

// contents is what a stream holds; nothing when it does not exist.
func contents(tb testing.TB, c *esdb.Client, stream string) string {
	tb.Helper()
	s, err := c.ReadStream(deadline(tb), stream, esdb.ReadStreamOptions{}, 1000)
	if err != nil {
		tb.Fatal(err)
	}
	defer s.Close()
	var b strings.Builder
	for {
		e, err := s.Recv()
		if err != nil {
			return b.String()
		}
		b.WriteString(letterOf(e))
	}
}

func TestKnownAppendAnswersThePositionItHad(t *testing.T) {
	t.Parallel()
	c := connect(t, address(t))
	for _, expected := range []int64{-1, -2} {
		stream := unique("again")
		first := mustAppend(t, c, stream, "abc")
		mustAppend(t, c, stream, "d")
		again, err := c.AppendToStream(deadline(t), stream, revision(expected), events("abc")...)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(first, again); diff != "" {
			t.Errorf("expecting %d, the second answer differs (-want +got):\n%s", expected, diff)
		}
	}
}

func TestSameIDInAnotherStreamIsAnotherEvent(t *testing.T) {
	t.Parallel()
	c := connect(t, address(t))
	one, other := unique("one"), unique("other")
	mustAppend(t, c, one, "ab")
	mustAppend(t, c, other, "ab")
	if got := readAll(t, c, other); got != "ab" {
		t.Errorf("the second stream holds %q, want ab", got)
	}
}

func TestMetadataMakesAStreamExist(t *testing.T) {
	t.Parallel()
	c := connect(t, address(t))
	stream := unique("described")
	meta := esdb.StreamMetadata{}
	meta.SetMaxAge(0)
	meta.AddCustomProperty("colour", "blue")
	if _, err := c.SetStreamMetadata(deadline(t), stream, revision(-2), meta); err != nil {
		t.Fatal(err)
	}
	if _, err := c.AppendToStream(deadline(t), stream, revision(-4), events("a")...); err != nil {
		t.Fatal(err)
	}
	got, err := c.GetStreamMetadata(deadline(t), stream, esdb.ReadStreamOptions{Direction: esdb.Backwards, From: esdb.End{}})
	if err != nil {
		t.Fatal(err)
	}
	if got.CustomProperty("colour") != "blue" {
		t.Errorf("the metadata has colour %v, want blue", got.CustomProperty("colour"))
	}
}

func TestAppendIsOnePieceOfTheLog(t *testing.T) {
	t.Parallel()
	c := connect(t, address(t))
	stream := unique("whole")
	done := mustAppend(t, c, stream, "abcde")
	s, err := c.ReadStream(deadline(t), stream, esdb.ReadStreamOptions{}, 10)
	list := collect(t, s, err)
	last := list[len(list)-1].Event
	if done.CommitPosition != last.Position.Commit || done.PreparePosition != last.Position.Prepare {
		t.Errorf("append answered %d, its last event is at %d", done.CommitPosition, last.Position.Commit)
	}
	for i, e := range list {
		if e.Event.EventNumber != uint64(i) {
			t.Errorf("event %d has revision %d", i, e.Event.EventNumber)
		}
		if i == 0 {
			continue
		}
		// The size of the record between the two, as the original counts it.
		before := list[i-1].Event
		size := 40 + 32 + 8 + 4 + 4 + 1 + len(stream) + 1 + len(before.EventType) + len(before.Data) + len(before.UserMetadata)
		if got := e.Event.Position.Commit - before.Position.Commit; got != uint64(size) {
			t.Errorf("events %d and %d are %d apart, want %d", i-1, i, got, size)
		}
	}
}

func TestStoredEventComesBackWhole(t *testing.T) {
	t.Parallel()
	c := connect(t, address(t))
	stream := unique("größe ✓")
	sent := events("ab")
	sent[1].ContentType, sent[1].Data, sent[1].Metadata = esdb.ContentTypeBinary, []byte{0, 255, 10}, nil
	if _, err := c.AppendToStream(deadline(t), stream, revision(-1), sent...); err != nil {
		t.Fatal(err)
	}
	s, err := c.ReadStream(deadline(t), stream, esdb.ReadStreamOptions{}, 10)
	for i, e := range collect(t, s, err) {
		got := esdb.EventData{
			EventID: e.Event.EventID, EventType: e.Event.EventType, Data: e.Event.Data, Metadata: e.Event.UserMetadata,
		}
		if e.Event.ContentType == "application/octet-stream" {
			got.ContentType = esdb.ContentTypeBinary
		} else {
			got.ContentType = esdb.ContentTypeJson
		}
		if diff := cmp.Diff(sent[i], got, cmp.Comparer(bytes.Equal)); diff != "" {
			t.Errorf("event %d differs (-want +got):\n%s", i, diff)
		}
		if e.Event.StreamID != stream || e.Event.CreatedDate.Year() < 2020 {
			t.Errorf("event %d is of stream %q and created %v", i, e.Event.StreamID, e.Event.CreatedDate)
		}
	}
}

func TestTooLargeAppendIsToldAfterAllWasSent(t *testing.T) {
	t.Parallel()
	onlyHere(t)
	c := connect(t, address(t))
	stream := unique("large")
	list := events("abcdefgh")
	for i := range list {
		list[i].Data = bytes.Repeat([]byte("x"), 900<<10)
	}
	_, err := c.AppendToStream(deadline(t), stream, revision(-2), list...)
	if err == nil || !strings.Contains(err.Error(), "Maximum Append Size of 1048576 Exceeded.") {
		t.Errorf("append answered %v", err)
	}
	if got := contents(t, c, stream); got != "" {
		t.Errorf("the stream holds %q, want nothing", got)
	}
}

func TestAppendOfExactlyTheLimitFits(t *testing.T) {
	t.Parallel()
	c := connect(t, address(t))
	list := events("a")
	list[0].Data = bytes.Repeat([]byte("x"), 1<<20-len(list[0].Metadata)-2*len(list[0].EventType))
	if _, err := c.AppendToStream(deadline(t), unique("limit"), revision(-2), list...); err != nil {
		t.Error(err)
	}
	onlyHere(t) // the version modelled counts the data only
	list[0].Data = append(list[0].Data, 'x')
	if _, err := c.AppendToStream(deadline(t), unique("limit"), revision(-2), list...); err == nil {
		t.Error("one byte more was taken")
	}
}

func TestControlCharactersInNamesAreRefused(t *testing.T) {
	t.Parallel()
	onlyHere(t)
	c := connect(t, address(t))
	for _, stream := range []string{"a\nb", "\x00", "tab\t", ""} {
		_, err := c.AppendToStream(deadline(t), stream, revision(-2), events("a")...)
		if code(err) != esdb.ErrorCodeUnknown || strings.Contains(err.Error(), "EOF") {
			t.Errorf("append to %q answered %v", stream, err)
		}
	}
}
