package grpcapi_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/node/nodetest"
)

// follow tells what a subscription says, one word each: the letter of an event,
// "live" for caught up, "mark" for a checkpoint. It stops after n words.
func follow(tb testing.TB, sub *esdb.Subscription, n int) []string {
	tb.Helper()
	said := make([]string, 0, n)
	for len(said) < n {
		said = append(said, word(tb, sub.Recv()))
	}
	return said
}

func word(tb testing.TB, e *esdb.SubscriptionEvent) string {
	tb.Helper()
	switch {
	case e.EventAppeared != nil:
		return letterOf(e.EventAppeared)
	case e.CaughtUp != nil:
		return "live"
	case e.CheckPointReached != nil:
		return "mark"
	}
	tb.Fatalf("the subscription ended: %v", e.SubscriptionDropped.Error)
	return ""
}

func TestSubscribeToStream(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name  string
		given string
		from  esdb.StreamPosition
		then  string // appended after the subscription is live
		want  []string
	}{
		{"from the start", "abc", esdb.Start{}, "de", []string{"a", "b", "c", "live", "d", "e"}},
		{"from a revision, which is not included", "abc", esdb.Revision(0), "d", []string{"b", "c", "live", "d"}},
		{"from the last revision", "abc", esdb.Revision(2), "d", []string{"live", "d"}},
		{"from the end", "abc", esdb.End{}, "d", []string{"live", "d"}},
		{"from the end, as a number", "abc", esdb.Revision(math.MaxUint64), "d", []string{"live", "d"}},
		{"of a stream that does not exist yet", "", esdb.Start{}, "ab", []string{"live", "a", "b"}},
		{"of a stream that does not exist yet, from the end", "", esdb.End{}, "ab", []string{"live", "a", "b"}},
	}
	c := connect(t, address(t))
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			stream := unique("subscribed")
			if tc.given != "" {
				mustAppend(t, c, stream, tc.given)
			}
			sub, err := c.SubscribeToStream(deadline(t), stream, esdb.SubscribeToStreamOptions{From: tc.from})
			if err != nil {
				t.Fatal(err)
			}
			defer sub.Close()
			live := len(tc.want) - len(tc.then)
			got := follow(t, sub, live)
			mustAppend(t, c, unique("other"), "xyz")
			mustAppend(t, c, stream, tc.then)
			got = append(got, follow(t, sub, len(tc.then))...)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("the subscription said (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSubscribeToAllFiltered(t *testing.T) {
	t.Parallel()
	const streams, types = esdb.StreamFilterType, esdb.EventFilterType
	cases := []struct {
		name   string
		filter func(a, b string) *esdb.SubscriptionFilter
		want   string
	}{
		{"by prefix of the stream", func(a, _ string) *esdb.SubscriptionFilter {
			return &esdb.SubscriptionFilter{Type: streams, Prefixes: []string{a}}
		}, "ace"},
		{"by several prefixes", func(a, b string) *esdb.SubscriptionFilter {
			return &esdb.SubscriptionFilter{Type: streams, Prefixes: []string{a, b}}
		}, "abcde"},
		{"by an expression on the stream", func(a, b string) *esdb.SubscriptionFilter {
			return &esdb.SubscriptionFilter{Type: streams, Regex: "^(" + a + "|" + b + ")$"}
		}, "abcde"},
		{"by prefix of the type", func(string, string) *esdb.SubscriptionFilter {
			return &esdb.SubscriptionFilter{Type: types, Prefixes: []string{"TypeA", "TypeD"}}
		}, "ad"},
		{"by an expression on the type", func(string, string) *esdb.SubscriptionFilter {
			return &esdb.SubscriptionFilter{Type: types, Regex: "^Type[B-D]$"}
		}, "bcd"},
		{"without the system's events", func(string, string) *esdb.SubscriptionFilter {
			return esdb.ExcludeSystemEventsFilter()
		}, "abcde"},
	}
	c := connect(t, address(t))
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			a, b := unique("filtered"), unique("filtered")
			start := mustAppend(t, c, unique("start"), "z")
			sub, err := c.SubscribeToAll(deadline(t), esdb.SubscribeToAllOptions{
				From:   esdb.Position{Commit: start.CommitPosition, Prepare: start.PreparePosition},
				Filter: tc.filter(a, b),
			})
			if err != nil {
				t.Fatal(err)
			}
			defer sub.Close()
			meta := esdb.StreamMetadata{}
			if _, err := c.SetStreamMetadata(deadline(t), a, revision(-2), meta); err != nil {
				t.Fatal(err)
			}
			for i, letter := range "abcde" {
				mustAppend(t, c, []string{a, b}[i%2], string(letter))
			}
			var got strings.Builder
			for got.Len() < len(tc.want) {
				e := sub.Recv()
				word(t, e)
				if e.EventAppeared != nil && (e.EventAppeared.Event.StreamID == a || e.EventAppeared.Event.StreamID == b) {
					got.WriteString(letterOf(e.EventAppeared))
				}
			}
			if got.String() != tc.want {
				t.Errorf("the subscription said %q, want %q", got.String(), tc.want)
			}
		})
	}
}

func TestSubscribeToAllFromPositionLeavesItOut(t *testing.T) {
	t.Parallel()
	c := connect(t, address(t))
	stream := unique("position")
	a := mustAppend(t, c, stream, "a")
	mustAppend(t, c, stream, "b")
	sub, err := c.SubscribeToAll(deadline(t), esdb.SubscribeToAllOptions{
		From:   esdb.Position{Commit: a.CommitPosition, Prepare: a.PreparePosition},
		Filter: &esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Prefixes: []string{stream}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	if diff := cmp.Diff([]string{"b", "mark", "live"}, follow(t, sub, 3)); diff != "" {
		t.Errorf("the subscription said (-want +got):\n%s", diff)
	}
}

// An append is one piece of the log, and each of its events a place in it.
func TestTheLogFromTheMiddleOfAnAppend(t *testing.T) {
	t.Parallel()
	c := connect(t, address(t))
	stream := unique("middle")
	mustAppend(t, c, stream, "abc")
	s, err := c.ReadStream(deadline(t), stream, esdb.ReadStreamOptions{}, 10)
	b := collect(t, s, err)[1].Event.Position
	mine := func(s *esdb.ReadStream, err error) (got string) {
		t.Helper()
		for _, e := range collect(t, s, err) {
			if e.Event.StreamID == stream {
				got += letterOf(e)
			}
		}
		return got
	}
	if got := mine(c.ReadAll(deadline(t), esdb.ReadAllOptions{From: b}, 1<<20)); got != "bc" {
		t.Errorf("forwards from b the log has %q", got)
	}
	if got := mine(c.ReadAll(deadline(t), esdb.ReadAllOptions{From: b, Direction: esdb.Backwards}, 1<<20)); got != "a" {
		t.Errorf("backwards from b the log has %q", got)
	}
	sub, err := c.SubscribeToAll(deadline(t), esdb.SubscribeToAllOptions{
		From: b, Filter: &esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Prefixes: []string{stream}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	if said := follow(t, sub, 1); said[0] != "c" {
		t.Errorf("the subscription from b on began with %s", said[0])
	}
}

func TestCheckpointsComeAtTheirInterval(t *testing.T) {
	t.Parallel()
	onlyHere(t) // another writer of the same server would move them
	const window, multiplier, interval = 8, 2, 16
	c := connect(t, address(t))
	stream := unique("checkpoints")
	positions := appendMany(t, c, stream, 40)
	sub, err := c.SubscribeToAll(deadline(t), esdb.SubscribeToAllOptions{
		From: esdb.Start{}, MaxSearchWindow: window, CheckpointInterval: multiplier,
		Filter: &esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Prefixes: []string{"nobody"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	got := checkpoints(t, sub, 3)
	want := []uint64{positions[interval-1], positions[2*interval-1], positions[39]}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("checkpoints while catching up (-want +got):\n%s", diff)
	}
	if said := follow(t, sub, 1); said[0] != "live" {
		t.Fatalf("after the last checkpoint came %s", said[0])
	}
	more := appendMany(t, c, stream, 2*interval)
	if diff := cmp.Diff([]uint64{more[interval-1], more[2*interval-1]}, checkpoints(t, sub, 2)); diff != "" {
		t.Errorf("checkpoints while live (-want +got):\n%s", diff)
	}
}

// With a window of one event and an interval of one window, each event that is
// looked at is followed by a checkpoint, also one that is shown.
func TestCheckpointsAfterEachEvent(t *testing.T) {
	t.Parallel()
	onlyHere(t) // another writer of the same server would add some
	c := connect(t, address(t))
	mine, other := unique("mine"), unique("other")
	mustAppend(t, c, mine, "a")
	mustAppend(t, c, other, "b")
	mustAppend(t, c, mine, "c")
	sub, err := c.SubscribeToAll(deadline(t), esdb.SubscribeToAllOptions{
		From: esdb.Start{}, MaxSearchWindow: 1, CheckpointInterval: 1,
		Filter: &esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Prefixes: []string{mine}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	if diff := cmp.Diff([]string{"a", "mark", "mark", "c", "mark", "live"}, follow(t, sub, 6)); diff != "" {
		t.Errorf("while catching up the subscription said (-want +got):\n%s", diff)
	}
	mustAppend(t, c, other, "d")
	mustAppend(t, c, mine, "e")
	if diff := cmp.Diff([]string{"mark", "e", "mark"}, follow(t, sub, 3)); diff != "" {
		t.Errorf("while live the subscription said (-want +got):\n%s", diff)
	}
}

func appendMany(tb testing.TB, c *esdb.Client, stream string, n int) []uint64 {
	tb.Helper()
	positions := make([]uint64, n)
	for i := range positions {
		r, err := c.AppendToStream(deadline(tb), stream, revision(-2),
			esdb.EventData{EventType: "T", ContentType: esdb.ContentTypeJson, Data: fmt.Appendf(nil, "%d", i)})
		if err != nil {
			tb.Fatal(err)
		}
		positions[i] = r.CommitPosition
	}
	return positions
}

func checkpoints(tb testing.TB, sub *esdb.Subscription, n int) []uint64 {
	tb.Helper()
	var list []uint64
	for len(list) < n {
		e := sub.Recv()
		if w := word(tb, e); w != "mark" {
			tb.Fatalf("%s came instead of a checkpoint", w)
		}
		list = append(list, e.CheckPointReached.Commit)
	}
	return list
}

func TestSlowReaderLosesNothing(t *testing.T) {
	t.Parallel()
	t.Run("of what is in memory", func(t *testing.T) {
		t.Parallel()
		readSlowly(t, connect(t, address(t)))
	})
	t.Run("of what has left the memory", func(t *testing.T) {
		t.Parallel()
		onlyHere(t)
		cfg := small()
		cfg.TailBytes = 64 << 10
		readSlowly(t, connect(t, nodetest.New(t, nodetest.Config{Node: cfg}).ConnectionString()))
	})
}

func readSlowly(t *testing.T, c *esdb.Client) {
	t.Helper()
	stream := unique("slow")
	sub, err := c.SubscribeToStream(deadline(t), stream, esdb.SubscribeToStreamOptions{From: esdb.End{}})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	all, err := c.SubscribeToAll(deadline(t), esdb.SubscribeToAllOptions{
		From: esdb.End{}, Filter: &esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Prefixes: []string{stream}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer all.Close()
	const batches, each = 40, 64
	for i := range batches {
		list := make([]esdb.EventData, each)
		for j := range list {
			list[j] = esdb.EventData{EventType: "T", ContentType: esdb.ContentTypeBinary, Data: make([]byte, 4096)}
		}
		if _, err := c.AppendToStream(deadline(t), stream, revision(int64(i*each-1)), list...); err != nil {
			t.Fatal(err)
		}
	}
	inOrder(t, sub, batches*each)
	inOrder(t, all, batches*each)
}

// inOrder reads n events of one stream and what is told after them.
func inOrder(t *testing.T, sub *esdb.Subscription, n uint64) {
	t.Helper()
	live := 0
	for next := uint64(0); next < n; {
		e := sub.Recv()
		switch word(t, e) {
		case "live":
			live++
		case "t":
			if e.EventAppeared.Event.EventNumber != next {
				t.Fatalf("revision %d came when %d was next", e.EventAppeared.Event.EventNumber, next)
			}
			next++
		}
	}
	for live < 2 { // at the beginning, and after having fallen behind
		if word(t, sub.Recv()) == "live" {
			live++
		}
	}
}

func TestSubscriptionEndsWithItsContext(t *testing.T) {
	t.Parallel()
	c := connect(t, address(t))
	ctx, cancel := context.WithCancel(deadline(t))
	sub, err := c.SubscribeToAll(ctx, esdb.SubscribeToAllOptions{From: esdb.End{}})
	if err != nil {
		t.Fatal(err)
	}
	if said := follow(t, sub, 1)[0]; said != "live" {
		t.Fatalf("first came %s", said)
	}
	cancel()
	if e := sub.Recv(); e.SubscriptionDropped == nil {
		t.Errorf("%v came after the context had ended", e)
	}
}
