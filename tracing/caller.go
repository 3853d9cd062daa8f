package tracing

import (
	"context"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// ofCallers is what semantic conventions have a server say of who called. A
// shopper who calls directly is a person, and spans are kept for long.
var ofCallers = []attribute.Key{
	"client.address", "client.port", "network.peer.address", "network.peer.port", "user_agent.original",
}

// silent makes tracers whose spans do not say who called.
type silent struct{ trace.TracerProvider }

// Tracer implements [trace.TracerProvider].
func (s silent) Tracer(name string, options ...trace.TracerOption) trace.Tracer {
	return silentTracer{s.TracerProvider.Tracer(name, options...)}
}

type silentTracer struct{ trace.Tracer }

// Start implements [trace.Tracer].
func (t silentTracer) Start(ctx context.Context, name string, options ...trace.SpanStartOption) (context.Context, trace.Span) {
	asked := trace.NewSpanStartConfig(options...)
	said := slices.DeleteFunc(slices.Clone(asked.Attributes()), func(tag attribute.KeyValue) bool { return slices.Contains(ofCallers, tag.Key) })
	options = []trace.SpanStartOption{
		trace.WithSpanKind(asked.SpanKind()), trace.WithLinks(asked.Links()...), trace.WithTimestamp(asked.Timestamp()), trace.WithAttributes(said...),
	}
	if asked.NewRoot() {
		options = append(options, trace.WithNewRoot())
	}
	return t.Tracer.Start(ctx, name, options...) //nolint:spancheck // whoever asked ends it
}
