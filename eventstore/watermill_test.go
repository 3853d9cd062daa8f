package eventstore_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"
	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/node/nodetest"
)

func TestWatermillUniversal(t *testing.T) {
	t.Parallel()
	client := connect(t, nodetest.Start(t))
	tests.TestPubSub(t, tests.Features{
		// No consumer groups: each subscriber is one, and gets everything.
		ConsumerGroups: false,
		// What was handed over and not acknowledged comes again.
		ExactlyOnceDelivery:              false,
		GuaranteedOrder:                  true,
		Persistent:                       true,
		NewSubscriberReceivesOldMessages: true,
		ForceShort:                       testing.Short(),
	}, func(t *testing.T) (message.Publisher, message.Subscriber) {
		t.Helper()
		subscriber := eventstore.NewSubscriber(eventstore.SubscriberConfig{
			Client: client,
			Logger: slog.New(slog.DiscardHandler),
			Single: true,
			Pause:  time.Millisecond,
		})
		t.Cleanup(func() { _ = subscriber.Close() })
		return &eventstore.Publisher{Client: client}, subscriber
	}, nil)
}

// subscribe returns the messages of a subscriber that is closed in the end.
func subscribe(tb testing.TB, config eventstore.SubscriberConfig, topic string) <-chan *message.Message {
	tb.Helper()
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	subscriber := eventstore.NewSubscriber(config)
	tb.Cleanup(func() { _ = subscriber.Close() })
	messages, err := subscriber.Subscribe(tb.Context(), topic)
	if err != nil {
		tb.Fatal(err)
	}
	return messages
}

// receive returns the next message and its page.
func receive(tb testing.TB, messages <-chan *message.Message) (*message.Message, eventstore.Page) {
	tb.Helper()
	select {
	case msg := <-messages:
		page, ok := eventstore.PageOf(msg)
		if !ok {
			tb.Fatal("a message without a page")
		}
		return msg, page
	case <-time.After(10 * time.Second):
		tb.Fatal("no message")
	}
	panic("unreachable")
}

func TestSubscriberHandsOverInOrderOneInFlight(t *testing.T) {
	t.Parallel()
	client := start(t)
	const count = 200
	mustAppend(t, client, "order-1", eventstore.NoStream, events("order-1", "c", 0, count)...)
	messages := subscribe(t, eventstore.SubscriberConfig{
		Client: client, Prefixes: []string{"order-"}, PageSize: 9, Pause: time.Millisecond,
	}, "orders")
	var got, want []string
	for i := range count {
		want = append(want, fmt.Sprint(i))
	}
	for refusals := 0; len(got) < count; {
		msg, page := receive(t, messages)
		select {
		case <-messages:
			t.Fatal("a second message before the answer to the first")
		case <-time.After(time.Millisecond):
		}
		if len(page.Events) > 0 && refusals < 3 {
			refusals++
			msg.Nack()
			again, same := receive(t, messages)
			if same.Through != page.Through || len(same.Events) != len(page.Events) {
				t.Fatalf("after a Nack: through %d, want %d", same.Through, page.Through)
			}
			msg = again
		}
		for _, r := range page.Events {
			got = append(got, name(t, r))
		}
		msg.Ack()
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestSubscriberBeginsAtTheCheckpoint(t *testing.T) {
	t.Parallel()
	client := start(t)
	done := mustAppend(t, client, "order-1", eventstore.NoStream, events("order-1", "c", 0, 3)...)
	mustAppend(t, client, "order-1", 2, events("order-1", "d", 3, 1)...)
	var mu sync.Mutex
	asked := 0
	messages := subscribe(t, eventstore.SubscriberConfig{
		Client: client, Prefixes: []string{"order-"}, Pause: time.Millisecond,
		Checkpoint: func(context.Context) (eventstore.Position, error) {
			mu.Lock()
			defer mu.Unlock()
			if asked++; asked == 1 {
				return 0, errors.New("database is busy")
			}
			return done.Position, nil
		},
	}, "orders")
	_, page := receive(t, messages)
	if len(page.Events) != 1 || name(t, page.Events[0]) != "3" {
		t.Errorf("first page %+v", page)
	}
}

func TestMessagesComeBackAsPublished(t *testing.T) {
	t.Parallel()
	client := start(t)
	publisher := &eventstore.Publisher{Client: client}
	for _, c := range []struct{ name, uuid, payload string }{
		{"a UUID", "0197b4f6-0000-7000-8000-000000000001", `{"a":1}`},
		{"another text", "order 7, second try", `{"a":1}`},
		{"a UUID in capitals", "0197B4F6-0000-7000-8000-00000000000A", `{"a":1}`},
		{"the zero UUID", "00000000-0000-0000-0000-000000000000", `{"a":1}`},
		{"no UUID", "", `{"a":1}`},
		{"a payload that is no JSON", "0197b4f6-0000-7000-8000-000000000002", "\x00\xff"},
		{"no payload", "0197b4f6-0000-7000-8000-000000000003", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			topic := "topic-" + eventstore.DeriveID(c.name)
			want := message.NewMessage(c.uuid, []byte(c.payload))
			want.Metadata.Set("name", "OrderNoticed")
			want.Metadata.Set("key", "ä \"quoted\"")
			if err := publisher.Publish(topic, want); err != nil {
				t.Fatal(err)
			}
			messages := subscribe(t, eventstore.SubscriberConfig{Client: client, Single: true}, topic)
			got := <-messages
			got.Ack()
			if !got.Equals(want) {
				t.Errorf("got %q %q %v", got.UUID, got.Payload, got.Metadata)
			}
		})
	}
}

func TestPublishTwiceIsOneMessage(t *testing.T) {
	t.Parallel()
	client := start(t)
	publisher := &eventstore.Publisher{Client: client}
	for range 2 {
		msg := message.NewMessage("a text", []byte(`{}`))
		if err := publisher.Publish("topic-1", msg); err != nil {
			t.Fatal(err)
		}
	}
	count := 0
	for _, err := range client.ReadStream(t.Context(), "topic-1", 0) {
		if err != nil {
			t.Fatal(err)
		}
		count++
	}
	if count != 1 {
		t.Errorf("%d events", count)
	}
}

func TestBigPublishIsSplit(t *testing.T) {
	t.Parallel()
	client := start(t)
	var all []*message.Message
	for i := range 30 {
		all = append(all, message.NewMessage(fmt.Sprintf("big %d", i), make([]byte, 100<<10)))
	}
	if err := (&eventstore.Publisher{Client: client}).Publish("topic-1", all...); err != nil {
		t.Fatal(err)
	}
	messages := subscribe(t, eventstore.SubscriberConfig{Client: client, Single: true}, "topic-1")
	for i := range all {
		got := <-messages
		if got.UUID != all[i].UUID {
			t.Fatalf("message %d is %q", i, got.UUID)
		}
		got.Ack()
	}
}

func TestClosedAdaptersRefuse(t *testing.T) {
	t.Parallel()
	client := start(t)
	publisher := &eventstore.Publisher{Client: client}
	_ = publisher.Close()
	if err := publisher.Publish("topic-1", message.NewMessage("1", nil)); err == nil {
		t.Error("a closed publisher publishes")
	}
	subscriber := eventstore.NewSubscriber(eventstore.SubscriberConfig{Client: client, Logger: slog.New(slog.DiscardHandler)})
	_ = subscriber.Close()
	if _, err := subscriber.Subscribe(t.Context(), "topic-1"); err == nil {
		t.Error("a closed subscriber subscribes")
	}
}
