package grpcapi_test

import (
	"context"
	"strings"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

func TestGroupDeliversAndGoesOnAfterAcks(t *testing.T) {
	t.Parallel()
	c := connect(t, address(t))
	stream := unique("group")
	mustAppend(t, c, stream, "abc")
	createGroup(t, c, stream, "g", nil)
	m := joinGroup(t, c, stream, "g", 2)
	first := m.wants("ab")
	m.silent() // two are in flight, and the buffer is two
	m.ack(first[0])
	m.wants("c")
	mustAppend(t, c, stream, "de")
	m.silent()
	m.ack(first[1])
	m.wants("d")
}

func TestGroupStarts(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name  string
		given string
		from  esdb.StreamPosition
		then  string
		want  string
	}{
		{"from the start", "abc", esdb.Start{}, "d", "abcd"},
		{"from a revision, which is included", "abc", esdb.Revision(1), "d", "bcd"},
		{"from a revision that does not exist yet", "abc", esdb.Revision(4), "def", "ef"},
		{"from the end", "abc", esdb.End{}, "de", "de"},
		{"of a stream that does not exist yet", "", esdb.Start{}, "ab", "ab"},
		{"of a stream that does not exist yet, from the end", "", esdb.End{}, "ab", "ab"},
		{"of a stream that does not exist yet, from a revision", "", esdb.Revision(1), "abc", "bc"},
	}
	c := connect(t, address(t))
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			stream := unique("started")
			if tc.given != "" {
				mustAppend(t, c, stream, tc.given)
			}
			err := c.CreatePersistentSubscription(deadline(t), stream, "g", esdb.PersistentStreamSubscriptionOptions{StartFrom: tc.from})
			if err != nil {
				t.Fatal(err)
			}
			mustAppend(t, c, stream, tc.then)
			joinGroup(t, c, stream, "g", 10).wants(tc.want)
		})
	}
}

func TestGroupsOfTheLog(t *testing.T) {
	t.Parallel()
	c := connect(t, address(t))
	prefix := strings.ReplaceAll(unique("all"), "-", "")
	one, two := prefix+"-one", prefix+"-two"
	first := mustAppend(t, c, one, "ab")
	mustAppend(t, c, two, "cd")
	prefixed := &esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Prefixes: []string{"nobody", prefix}}
	cases := []struct {
		name   string
		from   esdb.AllPosition
		filter *esdb.SubscriptionFilter
		want   string
	}{
		{"stream prefixes", esdb.Start{}, prefixed, "abcdef"},
		{"a stream expression", esdb.Start{}, &esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Regex: "^" + prefix + "-t"}, "cdf"},
		{"from the end", esdb.End{}, prefixed, "ef"},
		{"from a position, which is included", esdb.Position{Commit: first.CommitPosition, Prepare: first.PreparePosition}, prefixed, "bcdef"},
	}
	members := make([]*member, len(cases))
	// Nobody acknowledges, and a busy machine may take long to look.
	patient := settings(func(s *esdb.PersistentSubscriptionSettings) { s.MessageTimeout = 600_000 })
	for i, tc := range cases {
		group := unique("g")
		err := c.CreatePersistentSubscriptionToAll(deadline(t), group, esdb.PersistentAllSubscriptionOptions{
			StartFrom: tc.from, Filter: tc.filter, Settings: patient,
		})
		if err != nil {
			t.Fatal(err)
		}
		sub, err := c.SubscribeToPersistentSubscriptionToAll(context.Background(), group, esdb.SubscribeToPersistentSubscriptionOptions{BufferSize: 100})
		members[i] = newMember(t, sub, err)
	}
	mustAppend(t, c, one, "e")
	mustAppend(t, c, two, "f")
	for i, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			m := *members[i]
			m.tb = t
			m.wants(tc.want)
			m.silent()
		})
	}
}

func TestGroupOfTheLogByType(t *testing.T) {
	t.Parallel()
	c := connect(t, address(t))
	stream, typ := unique("typed"), unique("type")
	group := unique("g")
	err := c.CreatePersistentSubscriptionToAll(deadline(t), group, esdb.PersistentAllSubscriptionOptions{
		StartFrom: esdb.Start{},

		Filter: &esdb.SubscriptionFilter{Type: esdb.EventFilterType, Prefixes: []string{typ}},
	})
	if err != nil {
		t.Fatal(err)
	}
	list := events("abc")
	list[1].EventType = typ
	if _, err := c.AppendToStream(deadline(t), stream, revision(-2), list...); err != nil {
		t.Fatal(err)
	}
	sub, err := c.SubscribeToPersistentSubscriptionToAll(context.Background(), group, esdb.SubscribeToPersistentSubscriptionOptions{})
	m := newMember(t, sub, err)
	e := m.next().Event
	if e.Event.EventType != typ || e.Event.StreamID != stream || e.Event.EventNumber != 1 || e.Commit == nil || *e.Commit != e.Event.Position.Commit {
		t.Errorf("the group sent %+v", e.Event)
	}
	m.silent()
}

func TestGroupsFollowLinks(t *testing.T) {
	t.Parallel()
	c := connect(t, address(t))
	stream, links := unique("target"), unique("links")
	mustAppend(t, c, stream, "ab")
	for _, data := range []string{"1@" + stream, "9@" + stream} {
		_, err := c.AppendToStream(deadline(t), links, revision(-2), esdb.EventData{EventType: "$>", ContentType: esdb.ContentTypeBinary, Data: []byte(data)})
		if err != nil {
			t.Fatal(err)
		}
	}
	mustAppend(t, c, links, "c")
	createGroup(t, c, links, "g", settings(func(s *esdb.PersistentSubscriptionSettings) {
		s.ResolveLinkTos, s.CheckpointLowerBound, s.CheckpointUpperBound = true, 1, 1
	}))
	m := joinGroup(t, c, links, "g", 10)
	e := m.next().Event
	if e.Event == nil || letterOf(e) != "b" || e.Event.StreamID != stream || e.Link == nil || e.Link.StreamID != links {
		t.Fatalf("the first message is %+v", e)
	}
	if e.Event.Position != e.Link.Position || *e.Commit != e.Link.Position.Commit {
		t.Errorf("the event is at %v, the link at %v, the message at %d", e.Event.Position, e.Link.Position, *e.Commit)
	}
	gone := m.next().Event
	if gone.Event != nil || gone.Link == nil || gone.Link.EventNumber != 1 {
		t.Errorf("the second message is %+v", gone)
	}
	third := m.next().Event
	if third.Link != nil || letterOf(third) != "c" {
		t.Errorf("the third message is %+v", third)
	}
	m.ack(e, gone, third) // by the ids of the links
	eventually(t, "the checkpoint is not 2", func() bool {
		at := infoOf(t, c, links, "g").Stats.LastCheckpointedEventRevision
		return at != nil && *at == 2
	})
	createGroup(t, c, links, "plain", nil)
	plain := joinGroup(t, c, links, "plain", 1).next().Event
	if plain.Link != nil || plain.Event.EventType != "$>" {
		t.Errorf("without following links, the message is %+v", plain)
	}
}

func TestStrategies(t *testing.T) {
	t.Parallel()
	cases := []struct {
		strategy esdb.ConsumerStrategy
		one, two string
	}{
		{esdb.ConsumerStrategyRoundRobin, "ac", "bd"},
		{esdb.ConsumerStrategyDispatchToSingle, "abc", "d"},
		{esdb.ConsumerStrategyPinned, "abc", ""}, // one stream, one client
	}
	c := connect(t, address(t))
	for _, tc := range cases {
		t.Run(string(tc.strategy), func(t *testing.T) {
			t.Parallel()
			stream := unique("strategy")
			createGroup(t, c, stream, "g", settings(func(s *esdb.PersistentSubscriptionSettings) { s.ConsumerStrategyName = tc.strategy }))
			one := joinGroup(t, c, stream, "g", 3)
			two := joinGroup(t, c, stream, "g", 3)
			mustAppend(t, c, stream, "abcd")
			one.wants(tc.one)
			two.wants(tc.two)
			one.silent()
			two.silent()
		})
	}
}

// More events than fit into memory, to a client that takes a few at a time.
func TestLongStream(t *testing.T) {
	t.Parallel()
	c := connect(t, address(t))
	stream := unique("long")
	const n = 2000
	for range n / 100 {
		mustAppendNew(t, c, stream, 100)
	}
	createGroup(t, c, stream, "g", settings(func(s *esdb.PersistentSubscriptionSettings) { s.HistoryBufferSize, s.ReadBatchSize = 50, 10 }))
	m := joinGroup(t, c, stream, "g", 7)
	for i := range uint64(n + 100) {
		if i == n/2 {
			mustAppendNew(t, c, stream, 100)
		}
		e := m.next()
		if e.Event.Event.EventNumber != i || e.RetryCount != 0 {
			t.Fatalf("message %d is event %d, try %d", i, e.Event.Event.EventNumber, e.RetryCount)
		}
		m.ack(e.Event)
	}
}

func mustAppendNew(tb testing.TB, c *esdb.Client, stream string, n int) {
	tb.Helper()
	list := make([]esdb.EventData, n)
	for i := range list {
		list[i] = esdb.EventData{EventType: "New", ContentType: esdb.ContentTypeJson, Data: []byte("{}")}
	}
	if _, err := c.AppendToStream(deadline(tb), stream, revision(-2), list...); err != nil {
		tb.Fatal(err)
	}
}
