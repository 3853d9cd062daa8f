package tracing

import (
	"context"
	"errors"
	"maps"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-dev/waybill/gateways/warehouse"
	"github.com/waybill-dev/waybill/handlers/process"
)

// Tasks returns handlers that record a span "task <kind>" for each attempt, in
// the trace of the event that opened the task, also when that is long ago: what
// an order still needed stands where it was asked for. What the attempt appends
// belongs to that trace even where no spans are wanted.
func Tasks(handlers map[process.Kind]process.Handler) map[process.Kind]process.Handler {
	all := maps.Clone(handlers)
	for _, kind := range slices.Collect(maps.Keys(all)) {
		all[kind] = task(all[kind])
	}
	return all
}

func task(next process.Handler) process.Handler {
	return func(ctx context.Context, t process.Task) error {
		if opened := parse(ctx, t.TraceParent); opened.IsValid() {
			ctx = trace.ContextWithRemoteSpanContext(ctx, opened)
		}
		ctx, span := tracer().Start(ctx, "task "+string(t.Kind), trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(
			append(identity("order-"+t.OrderID, t.OrderID),
				attribute.String("task.ref", t.Ref),
				attribute.Int("task.attempt", t.Failures+1))...))
		defer span.End()
		err := next(ctx, t)
		if waits, ok := errors.AsType[*process.NotYetError](err); ok {
			span.SetAttributes(attribute.String("task.waits_for", waits.For))
			return err
		}
		if err != nil {
			fail(span, err)
		}
		return err
	}
}

// Warehouse returns a warehouse that records a span for each call: the job, and
// how it came out. Where the parcel goes is not told.
func Warehouse(next warehouse.Warehouse) warehouse.Warehouse { return picker{next} }

type picker struct{ next warehouse.Warehouse }

// Submit implements [warehouse.Warehouse].
func (p picker) Submit(ctx context.Context, job warehouse.Job) error {
	ctx, span := startJob(ctx, "warehouse.submit", job.RequestID)
	defer span.End()
	span.SetAttributes(identity("order-"+job.OrderID, "")...)
	return concluded(span, p.next.Submit(ctx, job))
}

// Stop implements [warehouse.Warehouse].
func (p picker) Stop(ctx context.Context, requestID string, revision int) (warehouse.Stopped, error) {
	ctx, span := startJob(ctx, "warehouse.stop", requestID)
	defer span.End()
	stopped, err := p.next.Stop(ctx, requestID, revision)
	if err == nil {
		span.SetAttributes(attribute.String("outcome", string(stopped)))
	}
	return stopped, concluded(span, err)
}

// Resume implements [warehouse.Warehouse].
func (p picker) Resume(ctx context.Context, requestID string, revision int) error {
	ctx, span := startJob(ctx, "warehouse.resume", requestID)
	defer span.End()
	return concluded(span, p.next.Resume(ctx, requestID, revision))
}

// Look implements [warehouse.Warehouse]. A job that nobody knows is an answer.
func (p picker) Look(ctx context.Context, requestID string) (warehouse.State, error) {
	ctx, span := startJob(ctx, "warehouse.look", requestID)
	defer span.End()
	state, err := p.next.Look(ctx, requestID)
	switch {
	case err == nil:
		span.SetAttributes(attribute.String("outcome", state.Status))
	case errors.Is(err, warehouse.ErrUnknown):
		span.SetAttributes(attribute.String("outcome", "unknown"))
		return state, err
	}
	return state, concluded(span, err)
}

func startJob(ctx context.Context, name, requestID string) (context.Context, trace.Span) {
	//nolint:spancheck // its callers end it
	ctx, span := tracer().Start(ctx, name, trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(attribute.String("warehouse.request_id", requestID)))
	return ctx, span //nolint:spancheck // its callers end it
}

func concluded(span trace.Span, err error) error {
	if err != nil {
		fail(span, err)
	}
	return err
}
