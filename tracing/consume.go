package tracing

import (
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-dev/waybill/eventstore"
)

// fresh is how old an event may be to be shown in the trace of the command that
// caused it. Older events are history: a rebuild must not lengthen the traces
// of long ago by one span per event.
const fresh = 2 * time.Minute

// Consume returns the middleware of a consumer of the feed. It records a span
// "<name> process" for each fresh event of a page, in the event's own trace and
// linked to the append, and one span for all the others of the page, in a trace
// of its own.
func Consume(name string, now func() time.Time) message.HandlerMiddleware {
	return func(next message.HandlerFunc) message.HandlerFunc {
		if !enabled() {
			return next
		}
		return func(msg *message.Message) ([]*message.Message, error) {
			page, ok := eventstore.PageOf(msg)
			if !ok {
				return next(msg)
			}
			spans := start(msg, name+" process", page, now())
			produced, err := next(msg)
			for _, span := range spans {
				if err != nil {
					fail(span, err)
				}
				span.End()
			}
			return produced, err
		}
	}
}

// start starts the spans of a page. A span's context goes on with the message
// when it is the only one.
func start(msg *message.Message, name string, page eventstore.Page, now time.Time) []trace.Span {
	ctx := msg.Context()
	var spans []trace.Span
	old := 0
	for _, e := range page.Events {
		if now.Sub(e.Created) > fresh {
			old++
			continue
		}
		meta, err := e.Metadata()
		if err != nil {
			continue // the consumer says so
		}
		stored := parse(ctx, meta.TraceParent)
		if !stored.IsSampled() {
			continue
		}
		spanCtx, span := tracer().Start(trace.ContextWithRemoteSpanContext(ctx, stored), name,
			trace.WithSpanKind(trace.SpanKindConsumer),
			trace.WithLinks(trace.Link{SpanContext: stored}),
			trace.WithAttributes(about(e, meta)...))
		spans = append(spans, span)
		if len(page.Events) == 1 {
			msg.SetContext(spanCtx)
		}
	}
	if old > 0 {
		spanCtx, span := tracer().Start(ctx, name,
			trace.WithNewRoot(),
			trace.WithSpanKind(trace.SpanKindConsumer),
			trace.WithAttributes(
				attribute.Int("messaging.batch.message_count", old),
				position(page.Through)))
		spans = append(spans, span)
		if old == len(page.Events) {
			msg.SetContext(spanCtx)
		}
	}
	return spans
}

// about returns the tags of a span about one event.
func about(e eventstore.Recorded, meta eventstore.Metadata) []attribute.KeyValue {
	return append(identity(e.Stream, meta.CorrelationID),
		attribute.String("db.kdb.stream", e.Stream),
		attribute.String("event.type", e.Type),
		attribute.Int64("revision", int64(e.Revision)),
		position(e.Position))
}

func position(p eventstore.Position) attribute.KeyValue {
	return attribute.Int64("position", int64(p)) //nolint:gosec // a log of 2^63 bytes is not to be had
}
