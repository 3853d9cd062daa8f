package grpcapi_test

import (
	"context"
	"slices"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/node/nodetest"
)

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
