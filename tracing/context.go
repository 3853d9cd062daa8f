package tracing

import (
	"context"
	"crypto/rand"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// traced returns a context that carries a valid span context: its own, or a
// random one that is not sampled. So even events that are appended while
// nothing is recorded belong to one trace per request, and a partner can quote
// its id.
func traced(ctx context.Context) context.Context {
	if trace.SpanContextFromContext(ctx).IsValid() {
		return ctx
	}
	var random [24]byte
	_, _ = rand.Read(random[:]) // never fails
	return trace.ContextWithSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID(random[:16]),
		SpanID:  trace.SpanID(random[16:]),
	}))
}

// traceParent writes a span context in the form of W3C, without tracestate.
func traceParent(sc trace.SpanContext) string {
	return "00-" + sc.TraceID().String() + "-" + sc.SpanID().String() + "-" + (sc.TraceFlags() & trace.FlagsSampled).String()
}

// parse reads a traceparent; one that is not valid is an invalid span context.
func parse(ctx context.Context, traceparent string) trace.SpanContext {
	if traceparent == "" {
		return trace.SpanContext{}
	}
	nobody := trace.ContextWithSpanContext(ctx, trace.SpanContext{})
	ctx = propagation.TraceContext{}.Extract(nobody, propagation.MapCarrier{"traceparent": traceparent})
	return trace.SpanContextFromContext(ctx)
}
