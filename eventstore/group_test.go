package eventstore_test

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"
	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/node/nodetest"
)

func TestWatermillUniversalForGroups(t *testing.T) {
	t.Parallel()
	client := connect(t, nodetest.Start(t))
	group := func(t *testing.T, name string) (message.Publisher, message.Subscriber) {
		t.Helper()
		subscriber := eventstore.NewGroupSubscriber(eventstore.GroupConfig{
			Client: client, Logger: slog.New(slog.DiscardHandler), Name: name, Pause: time.Millisecond,
		})
		t.Cleanup(func() { _ = subscriber.Close() })
		return &eventstore.Publisher{Client: client}, subscriber
	}
	tests.TestPubSub(t, tests.Features{
		ConsumerGroups: true,
		// What was handed over and not acknowledged comes again, behind others.
		ExactlyOnceDelivery: false,
		GuaranteedOrder:     false,
		Persistent:          true,
		// What the group is done with is done for each of its subscribers.
		NewSubscriberReceivesOldMessages: false,
		ForceShort:                       testing.Short(),
	}, func(t *testing.T) (message.Publisher, message.Subscriber) {
		t.Helper()
		return group(t, "workers")
	}, group)
}

// join subscribes to a group until the test ends.
func join(t *testing.T, config eventstore.GroupConfig, topic string) (*eventstore.GroupSubscriber, <-chan *message.Message) {
	t.Helper()
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	if config.Pause == 0 {
		config.Pause = time.Millisecond
	}
	subscriber := eventstore.NewGroupSubscriber(config)
	t.Cleanup(func() { _ = subscriber.Close() })
	messages, err := subscriber.Subscribe(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	return subscriber, messages
}

const longEnough = 30 * time.Second

func take(t *testing.T, messages <-chan *message.Message) (*message.Message, eventstore.Delivery) {
	t.Helper()
	select {
	case msg := <-messages:
		if d, ok := eventstore.DeliveryOf(msg); ok {
			return msg, d
		}
		t.Fatal("a message without an event")
	case <-time.After(longEnough):
		t.Fatal("no message")
	}
	panic("unreachable")
}

// takeAll acknowledges messages until each of these events came.
func takeAll(t *testing.T, messages <-chan *message.Message, want ...string) {
	t.Helper()
	missing := map[string]bool{}
	for _, w := range want {
		missing[w] = true
	}
	for len(missing) > 0 {
		msg, d := take(t, messages)
		delete(missing, name(t, d.Recorded))
		msg.Ack()
	}
}

func TestGroupFiltersTheLog(t *testing.T) {
	t.Parallel()
	client := start(t)
	mustAppend(t, client, "order-1", eventstore.NoStream, events("order-1", "c", 0, 2)...)
	mustAppend(t, client, "other-1", eventstore.NoStream, events("other-1", "c", 10, 1)...)
	mustAppend(t, client, "orders-1", eventstore.NoStream, events("orders-1", "c", 20, 1)...)
	for name, tc := range map[string]struct {
		config eventstore.GroupConfig
		topic  string
		want   []string
	}{
		"by the names of streams": {eventstore.GroupConfig{Name: "streams", Prefixes: []string{"order-"}}, "orders", []string{"0", "1"}},
		"by types":                {eventstore.GroupConfig{Name: "types", Types: []string{"Other", "Named"}}, "names", []string{"0", "1", "10", "20"}},
		"one stream":              {eventstore.GroupConfig{Name: "one"}, "other-1", []string{"10"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.config.Client = client
			_, messages := join(t, tc.config, tc.topic)
			var got []string
			for range tc.want {
				msg, d := take(t, messages)
				got = append(got, nameOf(t, d))
				msg.Ack()
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func nameOf(t *testing.T, d eventstore.Delivery) string {
	t.Helper()
	return name(t, d.Recorded)
}

func TestGroupBeginsAtTheEnd(t *testing.T) {
	t.Parallel()
	client := start(t)
	mustAppend(t, client, "order-1", eventstore.NoStream, events("order-1", "c", 0, 3)...)
	for _, config := range []eventstore.GroupConfig{
		{Client: client, Name: "all", FromEnd: true, Prefixes: []string{"order-1"}, MaxRetries: 3},
		{Client: client, Name: "one", FromEnd: true, MaxRetries: 3},
	} {
		subscriber, messages := join(t, config, "order-1")
		waitFor(t, "the group is made", func() bool { return groupInfo(t, client, config.Name, config.Prefixes) != nil })
		_ = subscriber.Close()
		if msg, ok := <-messages; ok {
			t.Errorf("group %s was given %s", config.Name, msg.UUID)
		}
	}
	mustAppend(t, client, "order-1", 2, events("order-1", "d", 3, 1)...)
	for _, config := range []eventstore.GroupConfig{ // with other settings, which do not move it
		{Client: client, Name: "all", FromEnd: true, Prefixes: []string{"order-1"}},
		{Client: client, Name: "one", FromEnd: true},
	} {
		_, messages := join(t, config, "order-1")
		msg, d := take(t, messages)
		if got := nameOf(t, d); got != "3" {
			t.Errorf("group %s was given event %s first", config.Name, got)
		}
		msg.Ack()
	}
}

func TestGroupGivesAgainWhatWasRefused(t *testing.T) {
	t.Parallel()
	client := start(t)
	mustAppend(t, client, "order-1", eventstore.NoStream, events("order-1", "c", 0, 1)...)
	_, messages := join(t, eventstore.GroupConfig{Client: client, Name: "g"}, "order-1")
	for i := range 20 { // more often than the store would by itself
		msg, d := take(t, messages)
		if d.Retries != i {
			t.Fatalf("%d times given out again, want %d", d.Retries, i)
		}
		msg.Nack()
	}
	msg, _ := take(t, messages)
	msg.Ack()
}

func TestGroupParksWithTheReason(t *testing.T) {
	t.Parallel()
	address := nodetest.Start(t)
	client := connect(t, address)
	mustAppend(t, client, "order-1", eventstore.NoStream, events("order-1", "c", 0, 2)...)
	_, messages := join(t, eventstore.GroupConfig{Client: client, Name: "g", Prefixes: []string{"order-"}}, "orders")
	msg, d := take(t, messages)
	if !eventstore.Park(msg, "no such address: über") {
		t.Error("the message cannot be parked")
	}
	msg.Nack()
	next, _ := take(t, messages)
	next.Ack()
	raw := rawClient(t, address)
	var reason string
	waitFor(t, "the message is parked", func() bool {
		stream, err := raw.ReadStream(t.Context(), "$persistentsubscription-$all::g-parked", esdb.ReadStreamOptions{ResolveLinkTos: true}, 10)
		if err != nil {
			return false
		}
		defer stream.Close()
		e, err := stream.Recv()
		if err != nil {
			return false
		}
		if e.Event.EventID != d.ID {
			t.Errorf("event %s is parked, want %s", e.Event.EventID, d.ID)
		}
		reason = string(e.Link.UserMetadata)
		return true
	})
	if !strings.Contains(reason, "no such address: über") {
		t.Errorf("the reason is %s", reason)
	}
	if eventstore.Park(message.NewMessage("1", nil), "x") {
		t.Error("a message of somebody else was parked")
	}
}

func TestGroupPauses(t *testing.T) {
	t.Parallel()
	client := start(t)
	mustAppend(t, client, "order-1", eventstore.NoStream, events("order-1", "c", 0, 3)...)
	first, messages := join(t, eventstore.GroupConfig{Client: client, Name: "g", Buffer: 8}, "order-1")
	msg, _ := take(t, messages)
	first.Pause(time.Hour)
	select {
	case <-msg.Context().Done():
	case <-time.After(longEnough):
		t.Fatal("the message that was handed over is not taken back")
	}
	_, others := join(t, eventstore.GroupConfig{Client: client, Name: "g", Buffer: 8}, "order-1")
	takeAll(t, others, "0", "1", "2")
}

func TestGroupGoesOnAfterAPause(t *testing.T) {
	t.Parallel()
	client := start(t)
	mustAppend(t, client, "order-1", eventstore.NoStream, events("order-1", "c", 0, 3)...)
	subscriber, messages := join(t, eventstore.GroupConfig{Client: client, Name: "g"}, "order-1")
	take(t, messages)
	subscriber.Pause(time.Millisecond)
	takeAll(t, messages, "0", "1", "2")
}

// TestGroupHeals breaks a subscription in each way and looks whether what is
// appended afterwards still comes.
func TestGroupHeals(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string]func(t *testing.T, n *nodetest.Node, raw *esdb.Client){
		"a store that was restarted": func(_ *testing.T, n *nodetest.Node, _ *esdb.Client) { n.Restart() },
		"a subsystem that was restarted": func(t *testing.T, _ *nodetest.Node, raw *esdb.Client) {
			t.Helper()
			err := raw.RestartPersistentSubscriptionSubsystem(t.Context(), esdb.RestartPersistentSubscriptionSubsystemOptions{})
			if err != nil {
				t.Fatal(err)
			}
		},
		"a group that was changed": func(t *testing.T, _ *nodetest.Node, raw *esdb.Client) {
			t.Helper()
			settings := esdb.SubscriptionSettingsDefault()
			err := raw.UpdatePersistentSubscription(t.Context(), "order-1", "g", esdb.PersistentStreamSubscriptionOptions{Settings: &settings, StartFrom: esdb.Start{}})
			if err != nil {
				t.Fatal(err)
			}
		},
		"a group that was deleted": func(t *testing.T, _ *nodetest.Node, raw *esdb.Client) {
			t.Helper()
			if err := raw.DeletePersistentSubscription(t.Context(), "order-1", "g", esdb.DeletePersistentSubscriptionOptions{}); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := nodetest.New(t, nodetest.Config{})
			client := connect(t, n.ConnectionString())
			mustAppend(t, client, "order-1", eventstore.NoStream, events("order-1", "c", 0, 2)...)
			_, messages := join(t, eventstore.GroupConfig{Client: client, Name: "g"}, "order-1")
			takeAll(t, messages, "0", "1")
			broken(t, n, rawClient(t, n.ConnectionString()))
			appendPatiently(t, client, events("order-1", "d", 2, 1)...)
			takeAll(t, messages, "2")
		})
	}
}

// appendPatiently tries until the store is back.
func appendPatiently(t *testing.T, client *eventstore.Client, news ...eventstore.NewEvent) {
	t.Helper()
	waitFor(t, "the store takes appends", func() bool {
		_, err := client.Append(t.Context(), "order-1", 1, news...)
		return err == nil
	})
}

func TestGroupWaitsForTheStore(t *testing.T) {
	t.Parallel()
	n := nodetest.New(t, nodetest.Config{})
	client := connect(t, n.ConnectionString())
	mustAppend(t, client, "order-1", eventstore.NoStream, events("order-1", "c", 0, 2)...)
	n.Stop()
	_, messages := join(t, eventstore.GroupConfig{Client: client, Name: "g"}, "order-1")
	n.Restart()
	takeAll(t, messages, "0", "1")
}

func TestGroupGetsTheSettingsOfItsConfiguration(t *testing.T) {
	t.Parallel()
	client := start(t)
	for _, config := range []eventstore.GroupConfig{
		{Strategy: eventstore.Pinned, MessageTimeout: 7 * time.Second, MaxRetries: 3},
		{Strategy: eventstore.DispatchToSingle, MessageTimeout: 9 * time.Second, CheckpointAfter: time.Second},
	} {
		config.Client, config.Name, config.Prefixes = client, "g", []string{"order-"}
		subscriber, _ := join(t, config, "orders")
		waitFor(t, "the group has the settings", func() bool {
			info := groupInfo(t, client, "g", config.Prefixes)
			return info != nil && info.Settings.ConsumerStrategyName == esdb.ConsumerStrategy(config.Strategy) &&
				info.Settings.MessageTimeout == int32(config.MessageTimeout.Milliseconds())
		})
		_ = subscriber.Close()
	}
}

func TestGroupRefusesWhatMakesNoSense(t *testing.T) {
	t.Parallel()
	client := start(t)
	for want, config := range map[string]eventstore.GroupConfig{
		"no line of text":   {},
		"not both":          {Name: "g", Prefixes: []string{"a"}, Types: []string{"b"}},
		"every event":       {Name: "g", Types: []string{""}},
		"topic is empty":    {Name: "g"},
		"below zero":        {Name: "g", Prefixes: []string{"a"}, Buffer: -1},
		"is none of":        {Name: "g", Prefixes: []string{"a"}, Strategy: "Random"},
		"client and a logg": {Name: "g", Prefixes: []string{"a"}, Client: nil},
	} {
		config.Logger = slog.New(slog.DiscardHandler)
		if want != "client and a logg" {
			config.Client = client
		}
		_, err := eventstore.NewGroupSubscriber(config).Subscribe(t.Context(), "")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	closed := eventstore.NewGroupSubscriber(eventstore.GroupConfig{Client: client, Logger: slog.New(slog.DiscardHandler), Name: "g"})
	_ = closed.Close()
	if _, err := closed.Subscribe(t.Context(), "order-1"); err == nil {
		t.Error("a closed subscriber subscribes")
	}
}

// TestSubscribersOfAGroupShareItsMessages ends some of them in the middle.
func TestSubscribersOfAGroupShareItsMessages(t *testing.T) {
	t.Parallel()
	client := start(t)
	const count = 300
	mustAppend(t, client, "order-1", eventstore.NoStream, events("order-1", "c", 0, count)...)
	var (
		mu      sync.Mutex
		seen    = map[string]bool{}
		working sync.WaitGroup
	)
	ctx, done := context.WithTimeout(t.Context(), longEnough)
	defer done()
	for i := range 5 {
		subscriber, messages := join(t, eventstore.GroupConfig{Client: client, Name: "g"}, "order-1")
		working.Go(func() {
			for n := 0; ; n++ {
				select {
				case msg, ok := <-messages:
					if !ok {
						return
					}
					if i < 2 && n == 10 { // keeps the message unanswered
						working.Go(func() { _ = subscriber.Close() })
						return
					}
					d, _ := eventstore.DeliveryOf(msg)
					mu.Lock()
					seen[nameOf(t, d)] = true
					if len(seen) == count {
						done()
					}
					mu.Unlock()
					msg.Ack()
				case <-ctx.Done():
					return
				}
			}
		})
	}
	working.Wait()
	if len(seen) != count {
		t.Errorf("%d of %d events came", len(seen), count)
	}
}

func groupInfo(t *testing.T, client *eventstore.Client, group string, prefixes []string) *esdb.PersistentSubscriptionInfo {
	t.Helper()
	stream := ""
	if len(prefixes) == 0 {
		stream = "order-1"
	}
	info, err := eventstore.GroupInfo(t.Context(), client, stream, group)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(longEnough); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not so after %s: %s", longEnough, what)
		}
	}
}

// rawClient is the client library's own.
func rawClient(t *testing.T, address string) *esdb.Client {
	t.Helper()
	config, err := esdb.ParseConnectionString(address)
	if err != nil {
		t.Fatal(err)
	}
	config.Logger = esdb.NoopLogging()
	client, err := esdb.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}
