package tracing

import (
	"context"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers/effects"
)

// Effect returns a handler that records a span "effect <name>" for each attempt,
// in the trace of the event that it is about, also when that is long ago: what
// an order caused stands where the order was placed.
func Effect(name string, next effects.Handler) effects.Handler {
	return func(ctx context.Context, e eventstore.Recorded) error {
		meta, err := e.Metadata()
		if err != nil {
			return next(ctx, e) // which says so
		}
		if caused := parse(ctx, meta.TraceParent); caused.IsValid() {
			ctx = trace.ContextWithRemoteSpanContext(ctx, caused)
		}
		ctx, span := tracer().Start(ctx, "effect "+name,
			trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(about(e, meta)...))
		defer span.End()
		err = next(ctx, e)
		if err != nil {
			fail(span, err)
		}
		return err
	}
}
