package grpcapi_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
)

func TestNackActions(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		action esdb.NackAction
		again  bool
		parked int64
	}{
		{"unknown", esdb.NackActionUnknown, true, 0},
		{"retry", esdb.NackActionRetry, true, 0},
		{"park", esdb.NackActionPark, false, 1},
		{"skip", esdb.NackActionSkip, false, 0},
		{"stop", esdb.NackActionStop, false, 0},
	}
	c := connect(t, address(t))
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			stream := unique("nacked")
			mustAppend(t, c, stream, "ab")
			createGroup(t, c, stream, "g", nil)
			m := joinGroup(t, c, stream, "g", 1)
			m.nack(tc.action, m.wants("a")...)
			if tc.again {
				m.wants("a1")
				return
			}
			m.wants("b")
			eventually(t, "the message was not parked", func() bool {
				return infoOf(t, c, stream, "g").Stats.ParkedMessagesCount == tc.parked
			})
		})
	}
}

func TestMessageTimeout(t *testing.T) {
	t.Parallel()
	c := connect(t, address(t))
	for _, timeout := range []int32{0, 500} {
		t.Run(fmt.Sprint(timeout), func(t *testing.T) {
			t.Parallel()
			stream := unique("slow")
			mustAppend(t, c, stream, "ab")
			createGroup(t, c, stream, "g", settings(func(s *esdb.PersistentSubscriptionSettings) { s.MessageTimeout = timeout }))
			m := joinGroup(t, c, stream, "g", 1)
			list := m.wants("a")
			list = append(list, m.wants("a1")...)
			m.ack(list[1])
			eventually(t, "b never came", func() bool { return letterOf(m.next().Event) == "b" })
		})
	}
}

func parkedStreamOf(stream, group string) string {
	return "$persistentsubscription-" + stream + "::" + group + "-parked"
}

func TestTooManyRetriesPark(t *testing.T) {
	t.Parallel()
	c := connect(t, address(t))
	stream := unique("poison")
	mustAppend(t, c, stream, "ab")
	createGroup(t, c, stream, "g", settings(func(s *esdb.PersistentSubscriptionSettings) { s.MaxRetryCount = 2 }))
	m := joinGroup(t, c, stream, "g", 1)
	for _, want := range []string{"a", "a1", "a2"} {
		m.nack(esdb.NackActionRetry, m.wants(want)...)
	}
	m.nack(esdb.NackActionPark, m.wants("b")...)
	eventually(t, "two messages are not parked", func() bool {
		return infoOf(t, c, stream, "g").Stats.ParkedMessagesCount == 2
	})
	s, err := c.ReadStream(deadline(t), parkedStreamOf(stream, "g"), esdb.ReadStreamOptions{}, 10)
	for i, e := range collect(t, s, err) {
		var metadata struct {
			Added, Reason           string
			SubscriptionEventNumber int
		}
		if err := json.Unmarshal(e.Event.UserMetadata, &metadata); err != nil {
			t.Fatal(err)
		}
		want := []string{"Reached retry count of 2", "Client explicitly NAK'ed message.\nbecause"}[i]
		if metadata.Reason != want || metadata.Added == "" || metadata.SubscriptionEventNumber != i {
			t.Errorf("message %d is parked with %s", i, e.Event.UserMetadata)
		}
		if link := fmt.Sprintf("%d@%s", i, stream); e.Event.EventType != "$>" || string(e.Event.Data) != link {
			t.Errorf("message %d is parked as %s %s, want a link to %s", i, e.Event.EventType, e.Event.Data, link)
		}
	}
	s, err = c.ReadStream(deadline(t), parkedStreamOf(stream, "g"), esdb.ReadStreamOptions{ResolveLinkTos: true}, 10)
	if got := letters(t, s, err); got != "ab" {
		t.Errorf("the parked stream resolves to %q, want ab", got)
	}
}

func replay(tb testing.TB, c *esdb.Client, stream string, stopAt int) {
	tb.Helper()
	if err := c.ReplayParkedMessages(deadline(tb), stream, "g", esdb.ReplayParkedMessagesOptions{StopAt: stopAt}); err != nil {
		tb.Fatal(err)
	}
}

func TestReplayParked(t *testing.T) {
	t.Parallel()
	c := connect(t, address(t))
	stream := unique("replayed")
	mustAppend(t, c, stream, "abcdef")
	createGroup(t, c, stream, "g", quick())
	m := joinGroup(t, c, stream, "g", 10)
	list := m.wants("abcdef")
	m.nack(esdb.NackActionPark, list[1], list[2], list[3])
	m.ack(list[0], list[5]) // e is outstanding
	eventually(t, "three messages are not parked", func() bool {
		return infoOf(t, c, stream, "g").Stats.ParkedMessagesCount == 3
	})
	replay(t, c, stream, 2) // revisions 0 and 1 of the parked stream
	again := m.wants("bc")
	for i, e := range again {
		if e.Link == nil || e.Link.EventNumber != uint64(i) || e.Link.StreamID != parkedStreamOf(stream, "g") {
			t.Errorf("replayed message %d has the link %+v", i, e.Link)
		}
		if e.Link != nil && (e.Event.Position != e.Link.Position || e.OriginalEvent() != e.Link) {
			t.Errorf("replayed message %d is at %v, its link at %v", i, e.Event.Position, e.Link.Position)
		}
	}
	m.silent()
	m.nack(esdb.NackActionRetry, again[0])
	m.ack(m.wants("b1")...)
	m.ack(again[1])
	replay(t, c, stream, 0)
	m.ack(m.wants("d")...)
	replay(t, c, stream, 0)
	m.silent()
	// e holds the checkpoint, whatever came from the parked stream.
	eventually(t, "the checkpoint is not 3", func() bool {
		stats := infoOf(t, c, stream, "g").Stats
		return stats.LastCheckpointedEventRevision != nil && *stats.LastCheckpointedEventRevision == 3 && stats.ParkedMessagesCount == 0
	})
	err := c.ReplayParkedMessages(deadline(t), stream, "g", esdb.ReplayParkedMessagesOptions{StopAt: -1})
	if code(err) != esdb.ErrorCodeUnknown {
		t.Errorf("a replay until -1 answered %v", err)
	}
}

func TestWhoeverLeavesGivesBack(t *testing.T) {
	t.Parallel()
	target := address(t)
	c := connect(t, target)
	stream := unique("left")
	mustAppend(t, c, stream, "abcd")
	createGroup(t, c, stream, "g", nil)
	m := joinGroup(t, c, stream, "g", 3)
	list := m.wants("abc")
	m.ack(list[1])
	m.wants("d")
	if err := m.sub.Close(); err != nil {
		t.Fatal(err)
	}
	other := joinGroup(t, c, stream, "g", 10)
	other.wants("a1c1d1")
}

func TestRetriesGoBeforeNewMessages(t *testing.T) {
	t.Parallel()
	c := connect(t, address(t))
	stream := unique("retried")
	mustAppend(t, c, stream, "abcdef")
	createGroup(t, c, stream, "g", nil)
	m := joinGroup(t, c, stream, "g", 3)
	list := m.wants("abc")
	m.nack(esdb.NackActionRetry, list[2], list[0], list[1])
	m.ack(m.wants("a1b1c1")...)
	m.wants("def")
}

// A client that takes nothing holds up nobody else: what it has comes to others
// after the timeout.
func TestSlowClientHoldsUpNobody(t *testing.T) {
	t.Parallel()
	target := address(t)
	c := connect(t, target)
	stream := unique("stuck")
	createGroup(t, c, stream, "g", settings(func(s *esdb.PersistentSubscriptionSettings) {
		s.MessageTimeout, s.MaxRetryCount = 500, 1000
	}))
	stuck := openGroup(t, persistent.NewPersistentSubscriptionsClient(dial(t, target)), stream, 3, false)
	recvGroup(t, stuck) // that it is there, and nothing more
	const n, size = 12, 500 << 10
	for i := range n {
		_, err := c.AppendToStream(deadline(t), stream, revision(int64(i)-1), esdb.EventData{
			EventType: "Large", ContentType: esdb.ContentTypeBinary, Data: make([]byte, size),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	m := joinGroup(t, c, stream, "g", 3)
	seen := map[uint64]bool{}
	for len(seen) < n {
		e := m.next().Event
		seen[e.Event.EventNumber] = true
		m.ack(e)
	}
	eventually(t, "messages are in flight after all were acknowledged", func() bool {
		return infoOf(t, c, stream, "g").Stats.TotalInFlightMessages == 0
	})
}
