package grpcapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/waybill-dev/waybill/node/nodetest"
)

// quick settings let a checkpoint follow each acknowledgement.
func quick() *esdb.PersistentSubscriptionSettings {
	s := esdb.SubscriptionSettingsDefault()
	s.CheckpointLowerBound, s.CheckpointUpperBound = 1, 1
	return &s
}

func settings(change func(*esdb.PersistentSubscriptionSettings)) *esdb.PersistentSubscriptionSettings {
	s := esdb.SubscriptionSettingsDefault()
	change(&s)
	return &s
}

// createGroup makes a group from the start of the stream.
func createGroup(tb testing.TB, c *esdb.Client, stream, group string, s *esdb.PersistentSubscriptionSettings) {
	tb.Helper()
	err := c.CreatePersistentSubscription(deadline(tb), stream, group, esdb.PersistentStreamSubscriptionOptions{
		StartFrom: esdb.Start{}, Settings: s,
	})
	if err != nil {
		tb.Fatal(err)
	}
}

// A member is a client of a group. What the group sends is taken at once, so
// that silence can be seen.
type member struct {
	tb  testing.TB
	sub *esdb.PersistentSubscription
	got chan *esdb.PersistentSubscriptionEvent
}

func joinGroup(tb testing.TB, c *esdb.Client, stream, group string, buffer uint32) *member {
	tb.Helper()
	sub, err := c.SubscribeToPersistentSubscription(context.Background(), stream, group,
		esdb.SubscribeToPersistentSubscriptionOptions{BufferSize: buffer})
	return newMember(tb, sub, err)
}

func newMember(tb testing.TB, sub *esdb.PersistentSubscription, err error) *member {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
	m := &member{tb: tb, sub: sub, got: make(chan *esdb.PersistentSubscriptionEvent, 10_000)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			e := sub.Recv()
			m.got <- e
			if e.SubscriptionDropped != nil {
				return
			}
		}
	}()
	tb.Cleanup(func() {
		_ = sub.Close()
		<-ended
	})
	return m
}

// next waits for an event.
func (m *member) next() *esdb.EventAppeared {
	m.tb.Helper()
	select {
	case e := <-m.got:
		if e.EventAppeared == nil {
			m.tb.Fatalf("the subscription was dropped: %v", e.SubscriptionDropped.Error)
		}
		return e.EventAppeared
	case <-time.After(15 * time.Second):
		m.tb.Fatal("no event came")
	}
	return nil
}

// take waits for n events and tells them: a letter each, with the count of
// retries behind it when there were any.
func (m *member) take(n int) (string, []*esdb.ResolvedEvent) {
	m.tb.Helper()
	var said strings.Builder
	var list []*esdb.ResolvedEvent
	for range n {
		e := m.next()
		said.WriteString(letterOf(e.Event))
		if e.RetryCount > 0 {
			fmt.Fprint(&said, e.RetryCount)
		}
		list = append(list, e.Event)
	}
	return said.String(), list
}

// wants takes as many events as there are letters and compares.
func (m *member) wants(letters string) []*esdb.ResolvedEvent {
	m.tb.Helper()
	n := len(strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, letters))
	got, list := m.take(n)
	if got != letters {
		m.tb.Fatalf("the group sent %q, want %q", got, letters)
	}
	return list
}

// silent fails when something comes within a moment.
func (m *member) silent() {
	m.tb.Helper()
	select {
	case e := <-m.got:
		if e.EventAppeared != nil {
			m.tb.Fatalf("the group sent %s, want nothing", letterOf(e.EventAppeared.Event))
		}
		m.tb.Fatalf("the subscription was dropped: %v", e.SubscriptionDropped.Error)
	case <-time.After(300 * time.Millisecond):
	}
}

func (m *member) ack(list ...*esdb.ResolvedEvent) {
	m.tb.Helper()
	if err := m.sub.Ack(list...); err != nil {
		m.tb.Fatal(err)
	}
}

func (m *member) nack(action esdb.NackAction, list ...*esdb.ResolvedEvent) {
	m.tb.Helper()
	if err := m.sub.Nack("because", action, list...); err != nil {
		m.tb.Fatal(err)
	}
}

// dropped waits for the end and returns why.
func (m *member) dropped() error {
	m.tb.Helper()
	for {
		select {
		case e := <-m.got:
			if e.SubscriptionDropped != nil {
				return e.SubscriptionDropped.Error
			}
		case <-time.After(15 * time.Second):
			m.tb.Fatal("the subscription goes on")
		}
	}
}

func (m *member) wantDropped() {
	m.tb.Helper()
	if err := m.dropped(); status.Code(err) != codes.Canceled || !strings.Contains(err.Error(), "was dropped") {
		m.tb.Errorf("the subscription ended with %v, want cancelled because it was dropped", err)
	}
}

func infoOf(tb testing.TB, c *esdb.Client, stream, group string) *esdb.PersistentSubscriptionInfo {
	tb.Helper()
	info, err := c.GetPersistentSubscriptionInfo(deadline(tb), stream, group, esdb.GetPersistentSubscriptionOptions{})
	if err != nil {
		tb.Fatal(err)
	}
	return info
}

// eventually asks until it is true. Some things take a tick of a second.
func eventually(tb testing.TB, what string, is func() bool) {
	tb.Helper()
	for range 150 {
		if is() {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	tb.Fatal(what)
}

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
	for i, tc := range cases {
		group := unique("g")
		err := c.CreatePersistentSubscriptionToAll(deadline(t), group, esdb.PersistentAllSubscriptionOptions{StartFrom: tc.from, Filter: tc.filter})
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

func TestMaximumOfSubscribers(t *testing.T) {
	t.Parallel()
	c := connect(t, address(t))
	stream := unique("crowded")
	createGroup(t, c, stream, "g", settings(func(s *esdb.PersistentSubscriptionSettings) { s.MaxSubscriberCount = 2 }))
	joinGroup(t, c, stream, "g", 1)
	second := joinGroup(t, c, stream, "g", 1)
	_, err := c.SubscribeToPersistentSubscription(deadline(t), stream, "g", esdb.SubscribeToPersistentSubscriptionOptions{})
	if code(err) != esdb.ErrorCodeUnknown {
		t.Errorf("the third client got %v", err)
	}
	_ = second.sub.Close()
	eventually(t, "the place of a client that left is not free", func() bool {
		return len(infoOf(t, c, stream, "g").Connections) == 1
	})
	joinGroup(t, c, stream, "g", 1)
}

func TestUpdateGroup(t *testing.T) {
	t.Parallel()
	c := connect(t, address(t))
	stream := unique("updated")
	mustAppend(t, c, stream, "abcdef")
	createGroup(t, c, stream, "g", quick())
	m := joinGroup(t, c, stream, "g", 10)
	list := m.wants("abcdef")
	m.ack(list[0], list[1], list[3])
	eventually(t, "the checkpoint is not 1", func() bool {
		at := infoOf(t, c, stream, "g").Stats.LastCheckpointedEventRevision
		return at != nil && *at == 1
	})
	err := c.UpdatePersistentSubscription(deadline(t), stream, "g", esdb.PersistentStreamSubscriptionOptions{
		StartFrom: esdb.Revision(5), Settings: settings(func(s *esdb.PersistentSubscriptionSettings) {
			s.ConsumerStrategyName, s.MaxRetryCount = esdb.ConsumerStrategyPinned, 3
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	m.wantDropped()
	joinGroup(t, c, stream, "g", 10).wants("cdef")
	info := infoOf(t, c, stream, "g")
	if info.Settings.StartFrom != esdb.Revision(5) || info.Settings.ConsumerStrategyName != esdb.ConsumerStrategyPinned || info.Settings.MaxRetryCount != 3 {
		t.Errorf("the settings are %+v", info.Settings)
	}
	err = c.UpdatePersistentSubscription(deadline(t), unique("missing"), "g", esdb.PersistentStreamSubscriptionOptions{Settings: quick()})
	if code(err) != esdb.ErrorCodeResourceNotFound {
		t.Errorf("the update of a group that does not exist answered %v", err)
	}
}

func TestUpdateOfTheLogKeepsTheFilter(t *testing.T) {
	t.Parallel()
	c := connect(t, address(t))
	stream, group := unique("kept"), unique("g")
	err := c.CreatePersistentSubscriptionToAll(deadline(t), group, esdb.PersistentAllSubscriptionOptions{
		StartFrom: esdb.Start{},

		Filter: &esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Prefixes: []string{stream}},
	})
	if err != nil {
		t.Fatal(err)
	}
	sub, err := c.SubscribeToPersistentSubscriptionToAll(context.Background(), group, esdb.SubscribeToPersistentSubscriptionOptions{})
	m := newMember(t, sub, err)
	// The client sends End as Start.
	if err := c.UpdatePersistentSubscriptionToAll(deadline(t), group, esdb.PersistentAllSubscriptionOptions{StartFrom: esdb.End{}, Settings: quick()}); err != nil {
		t.Fatal(err)
	}
	m.wantDropped()
	mustAppend(t, c, unique("other"), "x")
	mustAppend(t, c, stream, "ab")
	sub, err = c.SubscribeToPersistentSubscriptionToAll(context.Background(), group, esdb.SubscribeToPersistentSubscriptionOptions{})
	m = newMember(t, sub, err)
	m.wants("ab")
	m.silent()
}

func TestDeleteGroup(t *testing.T) {
	t.Parallel()
	c := connect(t, address(t))
	stream := unique("deleted")
	mustAppend(t, c, stream, "abc")
	createGroup(t, c, stream, "g", quick())
	m := joinGroup(t, c, stream, "g", 10)
	list := m.wants("abc")
	m.ack(list[0])
	m.nack(esdb.NackActionPark, list[1])
	eventually(t, "no message is parked", func() bool { return infoOf(t, c, stream, "g").Stats.ParkedMessagesCount == 1 })
	if err := c.DeletePersistentSubscription(deadline(t), stream, "g", esdb.DeletePersistentSubscriptionOptions{}); err != nil {
		t.Fatal(err)
	}
	m.wantDropped()
	for _, state := range []string{"checkpoint", "parked"} {
		name := "$persistentsubscription-" + stream + "::g-" + state
		eventually(t, name+" is still there", func() bool {
			s, err := c.ReadStream(deadline(t), name, esdb.ReadStreamOptions{}, 1)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			_, err = s.Recv()
			return code(err) == esdb.ErrorCodeResourceNotFound
		})
	}
	err := c.DeletePersistentSubscription(deadline(t), stream, "g", esdb.DeletePersistentSubscriptionOptions{})
	if code(err) != esdb.ErrorCodeResourceNotFound {
		t.Errorf("the second delete answered %v", err)
	}
	createGroup(t, c, stream, "g", nil)
	joinGroup(t, c, stream, "g", 10).wants("abc")
}

func TestRestartOfTheSubsystem(t *testing.T) {
	t.Parallel()
	onlyHere(t) // it would disturb the tests beside it
	c := connect(t, nodetest.New(t, nodetest.Config{Node: small()}).ConnectionString())
	stream := unique("restarted")
	mustAppend(t, c, stream, "abcd")
	createGroup(t, c, stream, "g", settings(func(s *esdb.PersistentSubscriptionSettings) {
		s.CheckpointLowerBound, s.CheckpointUpperBound = 2, 2
	}))
	m := joinGroup(t, c, stream, "g", 10)
	list := m.wants("abcd")
	m.ack(list[:2]...)
	eventually(t, "the checkpoint is not 1", func() bool {
		at := infoOf(t, c, stream, "g").Stats.LastCheckpointedEventRevision
		return at != nil && *at == 1
	})
	m.ack(list[2])
	if err := c.RestartPersistentSubscriptionSubsystem(deadline(t), esdb.RestartPersistentSubscriptionSubsystemOptions{}); err != nil {
		t.Fatal(err)
	}
	m.wantDropped()
	joinGroup(t, c, stream, "g", 10).wants("cd")
}

func TestGroupsSurviveARestartOfTheNode(t *testing.T) {
	t.Parallel()
	onlyHere(t)
	n := nodetest.New(t, nodetest.Config{Node: small()})
	c := connect(t, n.ConnectionString())
	stream := unique("survived")
	mustAppend(t, c, stream, "abcd")
	createGroup(t, c, stream, "g", nil)
	m := joinGroup(t, c, stream, "g", 10)
	list := m.wants("abcd")
	m.ack(list[0])
	m.nack(esdb.NackActionPark, list[1])
	eventually(t, "no message is parked", func() bool { return infoOf(t, c, stream, "g").Stats.ParkedMessagesCount == 1 })
	n.Restart()
	m.wantDropped()
	c = connect(t, n.ConnectionString())
	joinGroup(t, c, stream, "g", 10).wants("cd")
	if info := infoOf(t, c, stream, "g"); info.Stats.ParkedMessagesCount != 1 {
		t.Errorf("%d messages are parked after the restart, want 1", info.Stats.ParkedMessagesCount)
	}
}

func TestListGroups(t *testing.T) {
	t.Parallel()
	c := connect(t, address(t))
	stream := unique("listed")
	createGroup(t, c, stream, "one", nil)
	createGroup(t, c, stream, "two", nil)
	all := unique("g")
	if err := c.CreatePersistentSubscriptionToAll(deadline(t), all, esdb.PersistentAllSubscriptionOptions{}); err != nil {
		t.Fatal(err)
	}
	options := esdb.ListPersistentSubscriptionsOptions{}
	list, err := c.ListPersistentSubscriptionsForStream(deadline(t), stream, options)
	if err != nil || len(list) != 2 || list[0].EventSource != stream {
		t.Errorf("the groups of the stream are %+v, %v", list, err)
	}
	has := func(list []esdb.PersistentSubscriptionInfo, stream, group string) bool {
		return slices.ContainsFunc(list, func(i esdb.PersistentSubscriptionInfo) bool {
			return i.EventSource == stream && i.GroupName == group
		})
	}
	if list, err = c.ListPersistentSubscriptionsToAll(deadline(t), options); err != nil || !has(list, "$all", all) || has(list, stream, "one") {
		t.Errorf("the groups of the log are %+v, %v", list, err)
	}
	if list, err = c.ListAllPersistentSubscriptions(deadline(t), options); err != nil || !has(list, "$all", all) || !has(list, stream, "two") {
		t.Errorf("all groups are %+v, %v", list, err)
	}
	if _, err = c.ListPersistentSubscriptionsForStream(deadline(t), unique("none"), options); code(err) != esdb.ErrorCodeResourceNotFound {
		t.Errorf("the groups of a stream without any are %v", err)
	}
}

func TestInfoOfAGroup(t *testing.T) {
	t.Parallel()
	c := connect(t, address(t))
	stream := unique("asked")
	mustAppend(t, c, stream, "abcdef")
	want := esdb.PersistentSubscriptionSettings{
		StartFrom: esdb.Revision(1), ResolveLinkTos: true, ExtraStatistics: true, MaxRetryCount: 7,
		CheckpointLowerBound: 1, CheckpointUpperBound: 1, MaxSubscriberCount: 3, LiveBufferSize: 50, ReadBatchSize: 5,
		HistoryBufferSize: 60, ConsumerStrategyName: esdb.ConsumerStrategyDispatchToSingle, MessageTimeout: 9000, CheckpointAfter: 1500,
	}
	err := c.CreatePersistentSubscription(deadline(t), stream, "g", esdb.PersistentStreamSubscriptionOptions{StartFrom: esdb.Revision(1), Settings: &want})
	if err != nil {
		t.Fatal(err)
	}
	m := joinGroup(t, c, stream, "g", 2)
	m.ack(m.wants("bc")[0])
	m.wants("d")
	eventually(t, "there is no checkpoint", func() bool { return infoOf(t, c, stream, "g").Stats.LastCheckpointedEventRevision != nil })
	info := infoOf(t, c, stream, "g")
	if diff := cmp.Diff(&want, info.Settings); diff != "" {
		t.Errorf("the settings (-want +got):\n%s", diff)
	}
	stats := info.Stats
	if info.Status != "Live" || *stats.LastCheckpointedEventRevision != 1 || *stats.LastKnownEventRevision != 5 || stats.TotalItems != 3 ||
		stats.ReadBufferCount != 2 || stats.RetryBufferCount != 0 || stats.TotalInFlightMessages != 2 || stats.OutstandingMessagesCount != 2 {
		t.Errorf("the group is %s, its statistics are %+v", info.Status, *stats)
	}
	if n := len(info.Connections); n != 1 {
		t.Fatalf("there are %d connections, want 1", n)
	}
	conn := info.Connections[0]
	if conn.AvailableSlots != 0 || conn.InFlightMessages != 2 || conn.TotalItemsProcessed != 3 || len(conn.ExtraStatistics) == 0 {
		t.Errorf("the connection is %+v", conn)
	}
}

// The client fails on any other text.
func TestTextsOfPositions(t *testing.T) {
	t.Parallel()
	c := connect(t, address(t))
	done := mustAppend(t, c, unique("texts"), "a")
	for _, from := range []esdb.StreamPosition{esdb.Start{}, esdb.End{}, esdb.Revision(3)} {
		stream := unique("texts")
		if err := c.CreatePersistentSubscription(deadline(t), stream, "g", esdb.PersistentStreamSubscriptionOptions{StartFrom: from}); err != nil {
			t.Fatal(err)
		}
		info := infoOf(t, c, stream, "g")
		if info.Settings.StartFrom != from || info.Stats.LastCheckpointedEventRevision != nil || info.Stats.LastKnownEventRevision != nil {
			t.Errorf("a group from %v says %v, %+v", from, info.Settings.StartFrom, info.Stats)
		}
	}
	position := esdb.Position{Commit: done.CommitPosition, Prepare: done.PreparePosition}
	for _, from := range []esdb.AllPosition{esdb.Start{}, esdb.End{}, position} {
		group := unique("g")
		if err := c.CreatePersistentSubscriptionToAll(deadline(t), group, esdb.PersistentAllSubscriptionOptions{StartFrom: from, Settings: quick()}); err != nil {
			t.Fatal(err)
		}
		info, err := c.GetPersistentSubscriptionInfoToAll(deadline(t), group, esdb.GetPersistentSubscriptionOptions{})
		if err != nil {
			t.Fatal(err)
		}
		got := info.Settings.StartFrom
		if p, ok := got.(*esdb.Position); ok {
			got = *p
		}
		if got != from {
			t.Errorf("a group from %v says %v", from, got)
		}
	}
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

func TestBuffersAreChecked(t *testing.T) {
	t.Parallel()
	c := connect(t, address(t))
	for _, batch := range []int32{20, 21} {
		err := c.CreatePersistentSubscription(deadline(t), unique("buffers"), "g", esdb.PersistentStreamSubscriptionOptions{
			Settings: settings(func(s *esdb.PersistentSubscriptionSettings) { s.HistoryBufferSize, s.ReadBatchSize = 20, batch }),
		})
		if code(err) != esdb.ErrorCodeUnknown {
			t.Errorf("a batch of %d answered %v", batch, err)
		}
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
