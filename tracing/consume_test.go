package tracing_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/node/nodetest"
	"github.com/waybill-dev/waybill/tracing"
)

type orderPlaced struct {
	OrderID string `json:"order_id"`
}

func (orderPlaced) EventName() string { return "OrderPlaced" }

// appended appends one event for each context through the traced store of a
// fresh node, and returns the page that a subscriber gets of them.
func appended(t *testing.T, each ...context.Context) *message.Message {
	t.Helper()
	codec, err := eventstore.NewCodec(domain.EventTypes(orderPlaced{})...)
	if err != nil {
		t.Fatal(err)
	}
	logger := slog.New(slog.DiscardHandler)
	client, err := eventstore.NewClient(eventstore.Config{ConnectionString: nodetest.Start(t), Codec: codec, Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	for i, ctx := range each {
		stream := "order-" + string(rune('a'+i))
		_, err := tracing.Store(client).Append(ctx, stream, eventstore.NoStream, eventstore.NewEvent{
			ID: eventstore.EventID(stream, "place", 0), Event: orderPlaced{OrderID: "o"},
			Metadata: eventstore.Metadata{CorrelationID: "c1", CommandID: "place"},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	subscriber := eventstore.NewSubscriber(eventstore.SubscriberConfig{
		Client: client, Logger: logger, Prefixes: []string{"order-"}, PageSize: len(each),
	})
	t.Cleanup(func() { _ = subscriber.Close() })
	// A page may hold fewer events than there are: what has come so far.
	for range 100 {
		if msg := firstPage(t, subscriber, len(each)); msg != nil {
			return msg
		}
	}
	t.Fatal("no page had all the events")
	return nil
}

// firstPage returns the first page with events if it has so many.
func firstPage(t *testing.T, subscriber *eventstore.Subscriber, events int) *message.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	messages, err := subscriber.Subscribe(ctx, "orders")
	if err != nil {
		t.Fatal(err)
	}
	for msg := range messages {
		switch page, _ := eventstore.PageOf(msg); len(page.Events) {
		case events:
			return msg
		case 0:
			msg.Ack()
		default:
			return nil
		}
	}
	t.Fatal("no page came")
	return nil
}

// later is a clock that shows a time after the first event of a page.
func later(msg *message.Message, by time.Duration) func() time.Time {
	page, _ := eventstore.PageOf(msg)
	return at(page.Events[0].Created.Add(by))
}

func TestAFreshEventIsASpanBelowItsAppend(t *testing.T) {
	t.Parallel()
	ctx, request := root(t)
	msg := appended(t, ctx)
	var within trace.SpanContext
	_, err := tracing.Consume("orders", later(msg, time.Second))(func(msg *message.Message) ([]*message.Message, error) {
		within = trace.SpanContextFromContext(msg.Context())
		return nil, nil
	})(msg)
	if err != nil {
		t.Fatal(err)
	}

	of := request.SpanContext().TraceID()
	append1, got := only(t, of, "streams.append"), only(t, of, "orders process")
	if got.SpanKind != trace.SpanKindConsumer || got.Parent.SpanID() != append1.SpanContext.SpanID() {
		t.Errorf("kind %v, parent %v; want a consumer's span below the append", got.SpanKind, got.Parent.SpanID())
	}
	if len(got.Links) != 1 || got.Links[0].SpanContext.SpanID() != append1.SpanContext.SpanID() {
		t.Errorf("links are %v, want one to the append", got.Links)
	}
	if within.SpanID() != got.SpanContext.SpanID() {
		t.Errorf("the consumer works in span %v, want %v", within.SpanID(), got.SpanContext.SpanID())
	}
	wantTags(t, got, map[string]any{
		"order.id": "a", "correlation_id": "c1", "event.type": "OrderPlaced", "db.kdb.stream": "order-a", "revision": int64(0),
	})
}

func TestEventsOfOnePageKeepTheirTraces(t *testing.T) {
	t.Parallel()
	first, one := root(t)
	second, two := root(t)
	msg := appended(t, first, second)
	wrong := errors.New("disk full")
	_, err := tracing.Consume("orders", later(msg, time.Second))(func(*message.Message) ([]*message.Message, error) {
		return nil, wrong
	})(msg)
	if !errors.Is(err, wrong) {
		t.Fatalf("error is %v, want the consumer's", err)
	}
	for _, request := range []trace.Span{one, two} {
		got := only(t, request.SpanContext().TraceID(), "orders process")
		if got.Status.Code != codes.Error || got.Status.Description != wrong.Error() {
			t.Errorf("status is %+v, want the consumer's error", got.Status)
		}
	}
}

func TestOldEventsShareOneSpanInATraceOfItsOwn(t *testing.T) {
	t.Parallel()
	first, one := root(t)
	second, two := root(t)
	msg := appended(t, first, second)
	var within trace.SpanContext
	_, err := tracing.Consume("orders", later(msg, time.Hour))(func(msg *message.Message) ([]*message.Message, error) {
		within = trace.SpanContextFromContext(msg.Context())
		return nil, nil
	})(msg)
	if err != nil {
		t.Fatal(err)
	}
	for _, request := range []trace.Span{one, two} {
		if diff := cmp.Diff(0, len(spans(request.SpanContext().TraceID(), "orders process"))); diff != "" {
			t.Errorf("spans in an old trace (-want +got):\n%s", diff)
		}
	}
	wantTags(t, only(t, within.TraceID(), "orders process"), map[string]any{"messaging.batch.message_count": int64(2)})
}

func TestAnEventOfATraceThatIsNotSampledHasNoSpan(t *testing.T) {
	t.Parallel()
	sampled, _ := root(t)
	quiet := trace.SpanContextFromContext(sampled).WithTraceFlags(0)
	msg := appended(t, trace.ContextWithRemoteSpanContext(t.Context(), quiet))
	_, err := tracing.Consume("orders", later(msg, time.Second))(func(*message.Message) ([]*message.Message, error) { return nil, nil })(msg)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(0, len(spans(quiet.TraceID(), "orders process"))); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
}
