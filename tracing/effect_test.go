package tracing_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/tracing"
)

func TestAnEffectIsASpanInTheTraceOfItsEvent(t *testing.T) {
	t.Parallel()
	_, placed := root(t)
	metadata, err := json.Marshal(eventstore.Metadata{TraceParent: w3c(placed.SpanContext()), CorrelationID: "o1"})
	if err != nil {
		t.Fatal(err)
	}
	codec, err := eventstore.NewCodec()
	if err != nil {
		t.Fatal(err)
	}
	event := codec.Bind(eventstore.Recorded{Stream: "order-o1", Type: "OrderPlaced", RawMetadata: metadata})
	var within trace.SpanContext
	refused := errors.New("mailbox full")
	handle := tracing.Effect("mail", func(ctx context.Context, _ eventstore.Recorded) error {
		within = trace.SpanContextFromContext(ctx)
		return refused
	})
	if err := handle(t.Context(), event); !errors.Is(err, refused) {
		t.Errorf("the error is %v", err)
	}
	span := only(t, placed.SpanContext().TraceID(), "effect mail")
	if span.Parent.SpanID() != placed.SpanContext().SpanID() || within.SpanID() != span.SpanContext.SpanID() {
		t.Errorf("parent %v, the handler sees %v; want the event's span and the effect's", span.Parent.SpanID(), within.SpanID())
	}
	if span.Status.Code != codes.Error {
		t.Errorf("the span's status is %v", span.Status)
	}
	wantTags(t, span, map[string]any{"order.id": "o1", "event.type": "OrderPlaced"})
}
