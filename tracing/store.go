package tracing

import (
	"context"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-dev/waybill/eventstore"
)

// Store returns a store that records a span for each append, and that writes
// into each event which trace it belongs to, unless the event says so already.
func Store(next eventstore.Store) eventstore.Store { return store{next} }

type store struct{ eventstore.Store }

// Append implements [eventstore.Store].
func (s store) Append(ctx context.Context, stream string, expected eventstore.Revision, events ...eventstore.NewEvent) (eventstore.Appended, error) {
	stored := storedContexts(ctx, events)
	// An append for several callers has no caller's context: it belongs to the
	// trace of its first event and is linked to the others.
	if !trace.SpanContextFromContext(ctx).IsValid() && len(stored) > 0 {
		ctx = trace.ContextWithRemoteSpanContext(ctx, stored[0])
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
	sc := trace.SpanContextFromContext(ctx)
	own := eventstore.Metadata{TraceParent: traceParent(sc), TraceID: sc.TraceID().String(), SpanID: sc.SpanID().String()}
	events = slices.Clone(events)
	for i := range events {
		mark(ctx, &events[i].Metadata, own)
	}
	return events
}

func mark(ctx context.Context, m *eventstore.Metadata, own eventstore.Metadata) {
	if m.TraceParent == "" {
		m.TraceParent, m.TraceID, m.SpanID = own.TraceParent, own.TraceID, own.SpanID
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
