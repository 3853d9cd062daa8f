package grpcapi_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

func TestReadStream(t *testing.T) {
	t.Parallel()
	const forwards, backwards = esdb.Forwards, esdb.Backwards
	cases := []struct {
		name      string
		direction esdb.Direction
		from      esdb.StreamPosition
		count     uint64
		want      string
	}{
		{"forwards from the start", forwards, esdb.Start{}, 100, "abcdef"},
		{"forwards as many as asked", forwards, esdb.Start{}, 2, "ab"},
		{"forwards from a revision, which is included", forwards, esdb.Revision(2), 2, "cd"},
		{"forwards from the last revision", forwards, esdb.Revision(5), 100, "f"},
		{"forwards from behind the last revision", forwards, esdb.Revision(6), 100, ""},
		{"forwards from far behind", forwards, esdb.Revision(1 << 40), 100, ""},
		{"backwards from the end", backwards, esdb.End{}, 100, "fedcba"},
		{"backwards the last one", backwards, esdb.End{}, 1, "f"},
		{"backwards from a revision, which is included", backwards, esdb.Revision(2), 100, "cba"},
		{"backwards from the start", backwards, esdb.Start{}, 100, "a"},
		{"backwards from behind the last revision", backwards, esdb.Revision(9), 2, "fe"},
		{"as many as there can be", forwards, esdb.Start{}, math.MaxUint64, "abcdef"},
	}
	c := connect(t, address(t))
	stream := unique("read")
	mustAppend(t, c, stream, "abc")
	mustAppend(t, c, stream, "def")
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s, err := c.ReadStream(deadline(t), stream, esdb.ReadStreamOptions{Direction: tc.direction, From: tc.from}, tc.count)
			if got := letters(t, s, err); got != tc.want {
				t.Errorf("read %q, want %q", got, tc.want)
			}
		})
	}
}

func TestReadStreamRefusals(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		stream string
		opts   esdb.ReadStreamOptions
		count  uint64
		code   esdb.ErrorCode
	}{
		{"a stream that does not exist is not found", "", esdb.ReadStreamOptions{}, 1, esdb.ErrorCodeResourceNotFound},
		{"not backwards either", "", esdb.ReadStreamOptions{Direction: esdb.Backwards, From: esdb.End{}}, 1, esdb.ErrorCodeResourceNotFound},
		{"forwards from the end makes no sense", "x", esdb.ReadStreamOptions{From: esdb.End{}}, 1, esdb.ErrorCodeUnknown},
		{"a count of nothing makes no sense", "x", esdb.ReadStreamOptions{}, 0, esdb.ErrorCodeUnknown},
	}
	c := connect(t, address(t))
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			stream := unique("refused")
			if tc.stream != "" {
				mustAppend(t, c, stream, "ab")
			}
			s, err := c.ReadStream(deadline(t), stream, tc.opts, tc.count)
			if err == nil {
				defer s.Close()
				_, err = s.Recv()
			}
			if code(err) != tc.code {
				t.Errorf("read answered %v, want code %d", err, tc.code)
			}
		})
	}
}

func TestReadManyPages(t *testing.T) {
	t.Parallel()
	c := connect(t, address(t))
	stream := unique("pages")
	const batches, each = 30, 100
	for i := range batches {
		list := make([]esdb.EventData, each)
		for j := range list {
			list[j] = esdb.EventData{EventType: "T", ContentType: esdb.ContentTypeJson, Data: fmt.Appendf(nil, "%d", i*each+j)}
		}
		if _, err := c.AppendToStream(deadline(t), stream, revision(-2), list...); err != nil {
			t.Fatal(err)
		}
	}
	for _, direction := range []esdb.Direction{esdb.Forwards, esdb.Backwards} {
		opts := esdb.ReadStreamOptions{Direction: direction, From: esdb.Start{}}
		if direction == esdb.Backwards {
			opts.From = esdb.End{}
		}
		s, err := c.ReadStream(deadline(t), stream, opts, batches*each-1)
		list := collect(t, s, err)
		if len(list) != batches*each-1 {
			t.Fatalf("read %d events, want %d", len(list), batches*each-1)
		}
		for i, e := range list {
			want := uint64(i)
			if direction == esdb.Backwards {
				want = uint64(batches*each - 1 - i)
			}
			if e.Event.EventNumber != want || string(e.Event.Data) != fmt.Sprint(want) {
				t.Fatalf("event %d of the read is %d with %s, want %d", i, e.Event.EventNumber, e.Event.Data, want)
			}
		}
	}
}

func TestReadAll(t *testing.T) {
	t.Parallel()
	c := connect(t, address(t))
	one, other := unique("one"), unique("other")
	mustAppend(t, c, one, "a")
	b := mustAppend(t, c, other, "b")
	mustAppend(t, c, one, "cd")
	at, far := esdb.Position{Commit: b.CommitPosition, Prepare: b.PreparePosition}, esdb.Position{Commit: 1 << 50, Prepare: 1 << 50}
	cases := []struct {
		name      string
		direction esdb.Direction
		from      esdb.AllPosition
		want      string
	}{
		{"forwards from the start", esdb.Forwards, esdb.Start{}, "abcd"},
		{"forwards from a position, which is included", esdb.Forwards, at, "bcd"},
		{"forwards from the end", esdb.Forwards, esdb.End{}, ""},
		{"forwards from a position the log has not reached", esdb.Forwards, far, ""},
		{"backwards from the end", esdb.Backwards, esdb.End{}, "dcba"},
		{"backwards from a position, which is not included", esdb.Backwards, at, "a"},
		{"backwards from the start", esdb.Backwards, esdb.Start{}, ""},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s, err := c.ReadAll(deadline(t), esdb.ReadAllOptions{Direction: tc.direction, From: tc.from}, 1<<20)
			var got string
			for _, e := range collect(t, s, err) {
				if e.Event.StreamID == one || e.Event.StreamID == other {
					got += letterOf(e)
				}
			}
			if got != tc.want {
				t.Errorf("read %q, want %q", got, tc.want)
			}
		})
	}
	t.Run("as many as asked", func(t *testing.T) {
		t.Parallel()
		s, err := c.ReadAll(deadline(t), esdb.ReadAllOptions{From: at}, 2)
		if got := len(collect(t, s, err)); got != 2 {
			t.Errorf("read %d events, want 2", got)
		}
	})
	t.Run("backwards from a position the log has not reached", func(t *testing.T) {
		t.Parallel()
		s, err := c.ReadAll(deadline(t), esdb.ReadAllOptions{Direction: esdb.Backwards, From: far}, 1)
		if err == nil {
			defer s.Close()
			_, err = s.Recv()
		}
		if code(err) != esdb.ErrorCodeUnknown {
			t.Errorf("read answered %v, want code unknown", err)
		}
	})
}

func TestReadAllIsInTheOrderOfPositions(t *testing.T) {
	t.Parallel()
	c := connect(t, address(t))
	const writers, each = 8, 25
	done := make(chan error, writers)
	for range writers {
		go func() {
			stream := unique("order")
			for range each {
				if _, err := c.AppendToStream(deadline(t), stream, revision(-2),
					esdb.EventData{EventType: "T", ContentType: esdb.ContentTypeJson}); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range writers {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	s, err := c.ReadAll(deadline(t), esdb.ReadAllOptions{}, math.MaxUint64)
	var before uint64
	next := map[string]uint64{}
	for _, e := range collect(t, s, err) {
		if e.Event.Position.Commit <= before {
			t.Fatalf("position %d comes after %d", e.Event.Position.Commit, before)
		}
		before = e.Event.Position.Commit
		if e.Event.EventNumber != next[e.Event.StreamID] {
			t.Fatalf("revision %d of %s comes when %d is next", e.Event.EventNumber, e.Event.StreamID, next[e.Event.StreamID])
		}
		next[e.Event.StreamID]++
	}
}
