package persistent_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/node"
	"github.com/waybill-dev/waybill/node/persistent"
)

func TestNobodyHasMoreThanHeTakes(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.append("s", "abcdef")
		w.create("s")
		m := w.join("s", 2)
		m.wants("ab")
		m.ack("b")
		m.wants("c")
		m.ack("ac")
		m.wants("de")
	})
}

func TestActions(t *testing.T) {
	t.Parallel()
	cases := []struct {
		action     persistent.Action
		again      string
		parked     int
		checkpoint string
	}{
		{persistent.ActionUnknown, "b1", 0, `"0"`},
		{persistent.ActionRetry, "b1", 0, `"0"`},
		{persistent.ActionPark, "", 1, `"2"`},
		{persistent.ActionSkip, "", 0, `"2"`},
		{persistent.ActionStop, "", 0, `"2"`},
	}
	for _, tc := range cases {
		t.Run(fmt.Sprint(tc.action), func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				w.append("s", "abc")
				w.create("s", eager)
				m := w.join("s", 10)
				m.wants("abc")
				m.nack(tc.action, "b")
				m.wants(tc.again)
				m.ack("ac")
				pass(3 * time.Second)
				if got := w.checkpoint("s"); got != tc.checkpoint {
					t.Errorf("the checkpoint is %s, want %s", got, tc.checkpoint)
				}
				if got := len(w.parked("s")); got != tc.parked {
					t.Errorf("%d messages are parked, want %d", got, tc.parked)
				}
			})
		})
	}
}

func TestRetriesComeFirstAndInOrder(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.append("s", "abcdefgh")
		w.create("s")
		m := w.join("s", 4)
		m.wants("abcd")
		m.nack(persistent.ActionRetry, "d")
		m.wants("d1") // there was room: it came back at once
		idle := w.join("s", 1)
		idle.wants("e")
		m.client.Nack(persistent.ActionRetry, "", m.ids("cbd")...)
		m.wants("b1c1d2")
		idle.ack("e")
		idle.wants("f")
	})
}

func TestRetriedMessagesWaitBeforeNewOnes(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.append("s", "abcdef")
		w.create("s", func(s *persistent.Settings) { s.Strategy = persistent.DispatchToSingle })
		first, second := w.join("s", 3), w.join("s", 2)
		first.wants("abc")
		second.wants("de")
		first.client.Close() // nobody has room: what it had waits before f
		second.wants("")
		second.ack("e")
		second.wants("a1")
		second.ack("d")
		second.wants("b1")
		second.ack("ab")
		second.wants("c1f")
	})
}

func TestTimeouts(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.append("s", "abcd")
		w.create("s", eager, func(s *persistent.Settings) { s.MessageTimeout = 2500 * time.Millisecond })
		m := w.join("s", 2)
		m.wants("ab")
		pass(2 * time.Second)
		m.wants("")
		m.ack("b")
		m.wants("c")
		pass(time.Second) // the tick after 2.5 s
		m.wants("a1")
		m.ack("ac")
		m.wants("d")
		pass(3 * time.Second)
		m.wants("d1")
		pass(3 * time.Second)
		m.wants("d2")
	})
}

func TestMessagesThatAreNotTakenAreNotSentTwice(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.append("s", "ab")
		w.create("s", func(s *persistent.Settings) { s.MessageTimeout, s.MaxRetries = 0, 1000 })
		m := w.join("s", 2)
		pass(5500 * time.Millisecond)
		m.wants("a5b5") // they waited for the client all the time
	})
}

func TestTimeoutOfZeroIsTheNextTick(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.append("s", "a")
		w.create("s", func(s *persistent.Settings) { s.MessageTimeout = 0 })
		m := w.join("s", 1)
		m.wants("a")
		pass(1100 * time.Millisecond)
		m.wants("a1")
	})
}

func TestWhoeverDiesGivesBack(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.append("s", "abcd")
		// Even with no retries at all: that a client died says nothing about a
		// message.
		w.create("s", func(s *persistent.Settings) { s.MaxRetries = 0 })
		m := w.join("s", 3)
		m.wants("abc")
		m.ack("b")
		m.wants("d")
		m.client.Close()
		m.client.Close()
		other := w.join("s", 10)
		other.wants("a1c1d1")
		if n := len(w.parked("s")); n != 0 {
			t.Errorf("%d messages are parked", n)
		}
	})
}

func TestAckCountsWhoeverSaysIt(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.append("s", "ab")
		w.create("s", eager, func(s *persistent.Settings) { s.MessageTimeout = time.Second })
		slow := w.join("s", 1)
		slow.wants("a")
		slow.nack(persistent.ActionRetry, "a")
		slow.wants("a1")
		fast := w.join("s", 1)
		fast.wants("b")
		slow.client.Ack(fast.ids("b")...)
		slow.client.Ack(uuid.New(), uuid.Nil)
		slow.ack("a")
		if got := w.checkpoint("s"); got != `"1"` {
			t.Errorf("the checkpoint is %s, want 1", got)
		}
	})
}

// Ids belong to events of one stream: in the log two events may share one.
func TestEventsWithTheSameIDAreTwo(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		id := uuid.New()
		for _, stream := range []string{"one", "two"} {
			w.store(node.Append{Stream: stream, Expected: node.ExpectAny, Events: []node.Event{{ID: id, Type: stream[:1]}}})
		}
		w.define(persistent.Definition{
			Stream: persistent.All, Group: "g", Settings: defaults(eager),
			Filter: &node.Filter{By: node.ByStream, Prefixes: []string{"one", "two"}},
		})
		m := w.join(persistent.All, 10)
		m.wants("ot")
		m.client.Ack(id)
		pass(time.Second)
		if i := w.info(persistent.All); i.InFlight != 1 {
			t.Errorf("%d messages are in flight after one of two was acknowledged", i.InFlight)
		}
		m.client.Ack(id)
		pass(time.Second)
		if i := w.info(persistent.All); i.InFlight != 0 {
			t.Errorf("%d messages are in flight after both were acknowledged", i.InFlight)
		}
	})
}

// TestOfEventsWithTheSameIDOnesOwnIsDone: whoever acknowledges an id means the
// event that was given to him.
func TestOfEventsWithTheSameIDOnesOwnIsDone(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		id := uuid.New()
		for revision := range 2 {
			w.store(node.Append{Stream: "s", Expected: node.Expected(revision - 1), Events: []node.Event{{ID: id, Type: "a"}}})
		}
		w.append("s", "cd")
		w.create("s", eager)
		first, second := w.join("s", 1), w.join("s", 1)
		first.wants("a")
		second.wants("a")
		second.client.Ack(id)
		second.wants("c")
		first.wants("")
		if got := w.checkpoint("s"); got != "" {
			t.Errorf("the checkpoint %s passes what the first has", got)
		}
		first.client.Close()
		second.ack("c")
		second.wants("a1")
		second.ack("a")
		pass(3 * time.Second)
		if got := w.checkpoint("s"); got != `"2"` {
			t.Errorf("the checkpoint is %s, want 2", got)
		}
	})
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.append("s", strings.Repeat("a", 200))
		w.create("s", func(s *persistent.Settings) { s.HistoryBuffer, s.ReadBatch = 30, 10 })
		i := w.info("s")
		if i.ReadBuffer != 30 || i.Status != "Behind" {
			t.Errorf("%d messages are in memory, want 30; the status is %q", i.ReadBuffer, i.Status)
		}
		if i.Lag != 200 {
			t.Errorf("the group is %d events behind, want 200", i.Lag)
		}
		m := w.join("s", 5)
		for range 200 {
			synctest.Wait()
			d, err := m.client.Next(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			m.client.Ack(d.Event.ID)
			if i := w.info("s"); i.ReadBuffer+i.RetryBuffer > 30 || i.InFlight > 5 {
				t.Fatalf("%d messages are in memory and %d with clients", i.ReadBuffer+i.RetryBuffer, i.InFlight)
			}
		}
		if i := w.info("s"); i.Status != "Live" || i.ReadBuffer != 0 || i.Lag != 0 {
			t.Errorf("the group is %q with %d messages in memory, %d behind", i.Status, i.ReadBuffer, i.Lag)
		}
	})
}
