package persistent_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/node"
	"github.com/waybill-dev/waybill/node/persistent"
)

type parkedMetadata struct {
	Added                   time.Time `json:"added"`
	Reason                  string    `json:"reason"`
	SubscriptionEventNumber int64     `json:"subscriptionEventNumber"`
}

func metadataOf(t *testing.T, r *node.Record) (m parkedMetadata) {
	t.Helper()
	if err := json.Unmarshal(r.Metadata, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestParkedMessagesSayWhy(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.append("s", "abc")
		w.create("s", func(s *persistent.Settings) { s.MaxRetries, s.MessageTimeout = 2, time.Second })
		m := w.join("s", 3)
		m.wants("abc")
		m.client.Nack(persistent.ActionPark, "it is broken", m.ids("b")...)
		m.ack("c")
		for _, want := range []string{"a1", "a2", ""} {
			m.nack(persistent.ActionRetry, "a")
			m.wants(want)
		}
		list := w.parked("s")
		if len(list) != 2 {
			t.Fatalf("%d messages are parked, want 2", len(list))
		}
		for i, want := range []struct {
			link, reason string
			number       int64
		}{
			{"1@s", "Client explicitly NAK'ed message.\nit is broken", 1},
			{"0@s", "Reached retry count of 2", 0},
		} {
			got := metadataOf(t, list[i])
			if string(list[i].Data) != want.link || got.Reason != want.reason || got.SubscriptionEventNumber != want.number || got.Added.IsZero() {
				t.Errorf("message %d is parked as %s with %+v, want %+v", i, list[i].Data, got, want)
			}
			if list[i].Type != node.TypeLink || list[i].JSON {
				t.Errorf("message %d is parked as a %s", i, list[i].Type)
			}
		}
		if i := w.info("s"); i.Parked != 2 || i.Outstanding != 0 {
			t.Errorf("%d are parked, %d outstanding", i.Parked, i.Outstanding)
		}
	})
}

func TestRetriesByTimeoutEndInTheParkedStream(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.append("s", "a")
		w.create("s", eager, func(s *persistent.Settings) { s.MaxRetries, s.MessageTimeout = 1, time.Second })
		m := w.join("s", 1)
		m.wants("a")
		pass(1100 * time.Millisecond)
		m.wants("a1")
		pass(time.Second)
		m.wants("")
		if list := w.parked("s"); len(list) != 1 || metadataOf(t, list[0]).Reason != "Reached retry count of 1" {
			t.Errorf("parked are %v", list)
		}
		if got := w.checkpoint("s"); got != `"0"` {
			t.Errorf("the checkpoint is %s, want 0", got)
		}
	})
}

func TestLongReasonsAreCut(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.append("s", "a")
		w.create("s")
		m := w.join("s", 1)
		m.wants("a")
		m.client.Nack(persistent.ActionPark, strings.Repeat("ä", 2<<20), m.ids("a")...)
		pass(time.Second)
		list := w.parked("s")
		if len(list) != 1 {
			t.Fatalf("%d messages are parked, want 1", len(list))
		}
		if n := len(metadataOf(t, list[0]).Reason); n < 1000 || n > 20<<10 {
			t.Errorf("the reason has %d bytes", n)
		}
	})
}

// A message that cannot be parked is not done.
func TestParkingThatFails(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.append("s", "abcde")
		w.create("s", eager, func(s *persistent.Settings) { s.HistoryBuffer, s.ReadBatch = 2, 1 })
		if _, err := w.node.Tombstone(w.Context(), "$persistentsubscription-s::g-parked", node.ExpectAny); err != nil {
			t.Fatal(err)
		}
		m := w.join("s", 1)
		m.wants("a")
		m.ack("a")
		m.wants("b")
		for _, want := range []string{"c", "d", ""} { // what waits to be parked fills the memory
			for l := range m.has {
				m.client.Nack(persistent.ActionPark, "", m.has[l])
			}
			m.wants(want)
		}
		pass(time.Minute)
		if got := w.checkpoint("s"); got != `"0"` {
			t.Errorf("the checkpoint is %s, want 0", got)
		}
		if i := w.info("s"); i.Outstanding != 3 {
			t.Errorf("%d messages are outstanding, want 3: %+v", i.Outstanding, i)
		}
		w.crash()
		w.join("s", 10).wants("bcde")
	})
}

func TestReplay(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.append("s", "abcdef")
		w.create("s", eager)
		m := w.join("s", 10)
		m.wants("abcdef")
		m.nack(persistent.ActionPark, "bd")
		m.ack("ac")
		m.replay(nil)
		m.wants("bd") // anew, with no retries
		if i := w.info("s"); i.Parked != 0 {
			t.Errorf("%d messages are parked while they are replayed, want 0", i.Parked)
		}
		if got := w.checkpoint("s"); got != `"3"` {
			t.Errorf("the checkpoint is %s, want 3: replayed messages do not count", got)
		}
		m.nack(persistent.ActionRetry, "b")
		m.wants("b1")
		m.nack(persistent.ActionPark, "b")
		m.ack("d")
		if i := w.info("s"); i.Parked != 1 {
			t.Errorf("%d messages are parked, want b again", i.Parked)
		}
		m.replay(nil)
		m.wants("b")
		m.ack("b")
		m.replay(nil)
		m.wants("")
		if n := len(w.parked("s")); n != 0 {
			t.Errorf("%d messages are still parked", n)
		}
		if got := w.checkpoint("s"); got != `"3"` {
			t.Errorf("the checkpoint is %s, want 3: e is outstanding", got)
		}
	})
}

func (m *member) replay(stopAt *int64) {
	m.w.Helper()
	if err := m.w.engine.Replay("s", "g", stopAt); err != nil {
		m.w.Fatal(err)
	}
	pass(0)
}

// TestReplayedMessagesComeBehindThoseThatAreRetried: although the parked stream
// counts from 0.
func TestReplayedMessagesComeBehindThoseThatAreRetried(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.append("s", "abcd")
		w.create("s")
		m := w.join("s", 10)
		m.wants("abcd")
		m.nack(persistent.ActionPark, "a")
		m.client.Close()
		pass(0)
		m.replay(nil)
		w.join("s", 10).wants("b1c1d1a")
	})
}

// TestRetriedMessagesKeepTheirOrderAroundReplayedOnes: those count from 0 in a
// stream of their own.
func TestRetriedMessagesKeepTheirOrderAroundReplayedOnes(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.append("s", "abcde")
		w.create("s", func(s *persistent.Settings) { s.Strategy = persistent.DispatchToSingle })
		first, second := w.join("s", 3), w.join("s", 1)
		first.wants("abc")
		second.wants("d")
		first.nack(persistent.ActionPark, "a")
		first.wants("e")
		second.client.Close() // d waits
		pass(0)
		first.replay(nil) // and a behind it
		first.client.Close()
		pass(0)
		w.join("s", 10).wants("b1c1d1ae1") // before those behind it, or else at the end
	})
}

func TestReplayStopsBefore(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.append("s", "abcde")
		w.create("s")
		m := w.join("s", 10)
		m.wants("abcde")
		m.nack(persistent.ActionPark, "abcde")
		for _, step := range []struct {
			stop   *int64
			want   string
			parked int64
		}{
			{new(int64(0)), "", 5}, {new(int64(2)), "ab", 3}, {new(int64(1)), "", 3}, {new(int64(3)), "c", 2}, {new(int64(1000)), "de", 0}, {nil, "", 0},
		} {
			m.replay(step.stop)
			m.wants(step.want)
			m.ack(step.want)
			if i := w.info("s"); i.Parked != step.parked {
				t.Errorf("after a replay of %q %d are parked, want %d", step.want, i.Parked, step.parked)
			}
		}
		// A replay until far behind the end says nothing of what is parked later.
		w.append("s", "f")
		m.wants("f")
		m.nack(persistent.ActionPark, "f")
		if i := w.info("s"); i.Parked != 1 {
			t.Errorf("%d are parked after a replay beyond the end, want 1", i.Parked)
		}
		m.replay(nil)
		m.wants("f")
		if err := w.engine.Replay("s", "g", new(int64(-1))); kind(err) != persistent.Failed {
			t.Errorf("a replay until -1 answered %v", err)
		}
		if err := w.engine.Replay("s", "h", nil); kind(err) != persistent.NotFound {
			t.Errorf("a replay of another group answered %v", err)
		}
	})
}

// What is replayed and not done is parked again after a crash; what is done is
// not.
func TestReplaySurvivesACrash(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.append("s", "abcde")
		w.create("s", eager)
		m := w.join("s", 10)
		m.wants("abcde")
		m.nack(persistent.ActionPark, "abcde")
		m.replay(nil)
		m.wants("abcde")
		m.ack("abd")
		pass(1100 * time.Millisecond)
		w.crash()
		m = w.join("s", 10)
		m.wants("")
		if i := w.info("s"); i.Parked != 3 {
			t.Errorf("%d messages are parked after the crash, want c, d and e", i.Parked)
		}
		m.replay(nil)
		m.wants("cde")
	})
}

// Parked messages do not fill the memory either.
func TestReplayOfManyIsBounded(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		const n = 100
		w.append("s", strings.Repeat("a", n))
		w.create("s", func(s *persistent.Settings) { s.HistoryBuffer, s.ReadBatch = 10, 5 })
		c, err := w.engine.Connect("s", "g", persistent.Consumer{Buffer: 3})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		handle := func(action persistent.Action) {
			for range n {
				d, err := c.Next(w.Context())
				if err != nil {
					t.Fatal(err)
				}
				original := d.Event.ID
				if d.Link != nil {
					original = d.Link.ID
				}
				c.Nack(action, "", original)
				pass(0)
				if i := w.info("s"); i.ReadBuffer+i.RetryBuffer > 10 {
					t.Fatalf("%d messages are in memory", i.ReadBuffer+i.RetryBuffer)
				}
			}
		}
		handle(persistent.ActionPark)
		if i := w.info("s"); i.Parked != n {
			t.Fatalf("%d messages are parked, want %d", i.Parked, n)
		}
		if err := w.engine.Replay("s", "g", nil); err != nil {
			t.Fatal(err)
		}
		if i := w.info("s"); !strings.Contains(i.Status, "ReplayingParkedMessages") {
			t.Errorf("the status is %q", i.Status)
		}
		handle(persistent.ActionSkip)
		pass(time.Second)
		if n := len(w.parked("s")); n != 0 {
			t.Errorf("%d messages are still parked", n)
		}
	})
}

func TestReplayPassesOverWhatIsGone(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.append("one", "ab")
		w.append("two", "c")
		w.define(persistent.Definition{
			Stream: persistent.All, Group: "g", Settings: defaults(),
			Filter: &node.Filter{By: node.ByType, Prefixes: []string{"a", "b", "c"}},
		})
		m := w.join(persistent.All, 10)
		m.wants("abc")
		m.nack(persistent.ActionPark, "abc")
		if _, err := w.node.Delete(w.Context(), "one", node.ExpectAny); err != nil {
			t.Fatal(err)
		}
		if err := w.engine.Replay(persistent.All, "g", nil); err != nil {
			t.Fatal(err)
		}
		m.wants("c")
		m.ack("c")
		if n := len(w.parked(persistent.All)); n != 0 {
			t.Errorf("%d messages are still parked", n)
		}
	})
}

// A link is parked as its target, and replayed as such.
func TestParkedLinks(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.append("x", "a")
		for _, target := range []string{"0@x", "9@x"} {
			w.store(node.Append{Stream: "s", Expected: node.ExpectAny, Events: []node.Event{
				{ID: uuid.New(), Type: node.TypeLink, Data: []byte(target)},
			}})
		}
		w.create("s", func(s *persistent.Settings) { s.ResolveLinks = true })
		m := w.join("s", 10)
		m.wants("a" + node.TypeLink)
		m.client.Nack(persistent.ActionPark, "", m.has["a"], m.has[node.TypeLink])
		pass(time.Second)
		list := w.parked("s")
		if len(list) != 2 || string(list[0].Data) != "0@x" || string(list[1].Data) != "9@x" {
			t.Fatalf("parked are %v", list)
		}
		m.replay(nil)
		m.wants("a")
	})
}
