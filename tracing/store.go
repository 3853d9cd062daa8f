package tracing

import (
	"context"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/eventstore"
)

// Store returns a store that records a span for each append, and that writes
// into each event which trace it belongs to, unless the event says so already.
func Store(next eventstore.Store) eventstore.Store { return store{next} }

type store struct{ eventstore.Store }

// Append implements [eventstore.Store].
func (s store) Append(ctx context.Context, stream string, expected eventstore.Revision, events ...eventstore.NewEvent) (eventstore.Appended, error) {
	stored := storedContexts(ctx, events)
	if !trace.SpanContextFromContext(ctx).IsValid() {
		ctx = s.continued(ctx, stored, events)
	}
	ctx, span := tracer().Start(ctx, "streams.append",
		trace.WithSpanKind(trace.SpanKindClient),
		trace.WithLinks(linksBut(trace.SpanContextFromContext(ctx), stored)...))
	defer span.End()
	if span.IsRecording() {
		span.SetAttributes(appendAttributes(stream, expected, events)...)
	}
	ctx = traced(ctx)

	appended, err := s.Store.Append(ctx, stream, expected, marked(ctx, events)...)
	if err != nil {
		fail(span, err)
		return appended, err
	}
	span.SetAttributes(attribute.Int64("revision", int64(appended.Revision)))
	return appended, nil
}

// continued returns a context in the trace of whom the append is for, when the
// caller has none. One for several callers belongs to its first event's. What
// is finished by recovery belongs to the request that began it: the checkout's
// id is the correlation id, and its first event knows the trace.
func (s store) continued(ctx context.Context, stored []trace.SpanContext, events []eventstore.NewEvent) context.Context {
	if len(stored) > 0 {
		return trace.ContextWithRemoteSpanContext(ctx, stored[0])
	}
	if len(events) == 0 || events[0].Metadata.CorrelationID == "" {
		return ctx
	}
	stream := checkout.Decider.Stream(events[0].Metadata.CorrelationID)
	for first, err := range s.ReadStream(ctx, stream, 0) {
		if err != nil {
			break // the append matters more than its trace
		}
		if meta, err := first.Metadata(); err == nil {
			ctx = trace.ContextWithRemoteSpanContext(ctx, parse(ctx, meta.TraceParent))
		}
		break
	}
	return ctx
}

// storedContexts returns the trace contexts that events bring along, each once.
func storedContexts(ctx context.Context, events []eventstore.NewEvent) []trace.SpanContext {
	var found []trace.SpanContext
	var last string
	for _, e := range events {
		if e.Metadata.TraceParent == "" || e.Metadata.TraceParent == last {
			continue
		}
		last = e.Metadata.TraceParent
		if sc := parse(ctx, last); sc.IsValid() && !slices.ContainsFunc(found, sc.Equal) {
			found = append(found, sc)
		}
	}
	return found
}

func linksBut(parent trace.SpanContext, stored []trace.SpanContext) []trace.Link {
	var links []trace.Link
	for _, sc := range stored {
		if sc.SpanID() != parent.SpanID() {
			links = append(links, trace.Link{SpanContext: sc})
		}
	}
	return links
}

func appendAttributes(stream string, expected eventstore.Revision, events []eventstore.NewEvent) []attribute.KeyValue {
	var types []string
	correlation := ""
	for _, e := range events {
		if name := e.Event.EventName(); !slices.Contains(types, name) {
			types = append(types, name)
		}
		if correlation == "" {
			correlation = e.Metadata.CorrelationID
		}
	}
	return append(identity(stream, correlation),
		attribute.String("db.kdb.stream", stream),
		attribute.String("event.type", strings.Join(types, ",")),
		attribute.Int("event.count", len(events)),
		attribute.Int64("expected_revision", int64(expected)))
}

// marked returns the events with the trace context of ctx in those that have
// none.
func marked(ctx context.Context, events []eventstore.NewEvent) []eventstore.NewEvent {
	here := own(ctx)
	events = slices.Clone(events)
	for i := range events {
		mark(ctx, &events[i].Metadata, here)
	}
	return events
}

// own returns the trace context of ctx as metadata.
func own(ctx context.Context) eventstore.Metadata {
	sc := trace.SpanContextFromContext(ctx)
	return eventstore.Metadata{TraceParent: traceParent(sc), TraceID: sc.TraceID().String(), SpanID: sc.SpanID().String()}
}

// mark writes a trace context into metadata that has none.
func mark(ctx context.Context, m *eventstore.Metadata, here eventstore.Metadata) {
	if m.TraceParent == "" {
		m.TraceParent, m.TraceID, m.SpanID = here.TraceParent, here.TraceID, here.SpanID
		return
	}
	if sc := parse(ctx, m.TraceParent); sc.IsValid() {
		m.TraceID, m.SpanID = sc.TraceID().String(), sc.SpanID().String()
	}
}

// identity returns the tags by which everything about an order is found.
func identity(stream, correlation string) []attribute.KeyValue {
	var tags []attribute.KeyValue
	if id, ok := strings.CutPrefix(stream, "order-"); ok {
		tags = append(tags, attribute.String("order.id", id))
	}
	if correlation != "" {
		tags = append(tags, attribute.String("correlation_id", correlation))
	}
	return tags
}

func fail(span trace.Span, err error) {
	span.RecordError(err)
	span.SetStatus(codes.Error, err.Error())
}
