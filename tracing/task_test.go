package tracing_test

import (
	"context"
	"errors"
	"testing"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/gateways/warehouse"
	"github.com/waybill-dev/waybill/handlers/process"
	"github.com/waybill-dev/waybill/tracing"
)

// try does a task as if an event of a trace had opened it.
func try(ctx context.Context, opener trace.Span, do process.Handler) error {
	handlers := tracing.Tasks(map[process.Kind]process.Handler{process.Capture: do})
	return handlers[process.Capture](ctx, process.Task{
		OrderID: "o1", Kind: process.Capture, Ref: "s1", Failures: 2, TraceParent: w3c(opener.SpanContext()),
	})
}

func TestATaskIsASpanInTheTraceOfItsOpener(t *testing.T) {
	t.Parallel()
	_, opener := root(t)
	var within trace.SpanContext
	into := &sink{}
	err := try(t.Context(), opener, func(ctx context.Context, _ process.Task) error {
		within = trace.SpanContextFromContext(ctx)
		_, err := tracing.Store(into).Append(ctx, "order-o1", 3, event("OrderPaymentUpdated", eventstore.Metadata{}))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	span := only(t, opener.SpanContext().TraceID(), "task capture")
	if span.Parent.SpanID() != opener.SpanContext().SpanID() || within.SpanID() != span.SpanContext.SpanID() {
		t.Errorf("parent %v, the handler sees %v; want the opener and the span", span.Parent.SpanID(), within.SpanID())
	}
	wantTags(t, span, map[string]any{"order.id": "o1", "correlation_id": "o1", "task.ref": "s1", "task.attempt": int64(3)})
	if got := only(t, opener.SpanContext().TraceID(), "streams.append"); got.Parent.SpanID() != span.SpanContext.SpanID() {
		t.Errorf("the append stands below %v, want below the task", got.Parent.SpanID())
	}
}

func TestATaskTellsHowItCameOut(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err    error
		status codes.Code
		waits  any
	}{
		"it failed": {errors.New("no answer"), codes.Error, nil},
		"it waits":  {&process.NotYetError{For: "the cancellation to end"}, codes.Unset, "the cancellation to end"},
	} {
		_, opener := root(t)
		if err := try(t.Context(), opener, func(context.Context, process.Task) error { return c.err }); !errors.Is(err, c.err) {
			t.Errorf("%s: the error is %v", name, err)
		}
		span := only(t, opener.SpanContext().TraceID(), "task capture")
		if got := tags(span, "task.waits_for")["task.waits_for"]; span.Status.Code != c.status || got != c.waits {
			t.Errorf("%s: status %v, waits for %v", name, span.Status, got)
		}
	}
}

func TestATaskWithoutATraceIsATraceOfItsOwn(t *testing.T) {
	t.Parallel()
	handlers := tracing.Tasks(map[process.Kind]process.Handler{process.Refund: func(ctx context.Context, _ process.Task) error {
		if !trace.SpanContextFromContext(ctx).IsValid() {
			t.Error("there is no trace")
		}
		return nil
	}})
	if err := handlers[process.Refund](t.Context(), process.Task{OrderID: "o1", Kind: process.Refund}); err != nil {
		t.Error(err)
	}
}

// packer answers every call alike.
type packer struct{ err error }

func (p packer) Submit(context.Context, warehouse.Job) error { return p.err }
func (p packer) Stop(context.Context, string, int) (warehouse.Stopped, error) {
	return warehouse.Picked, p.err
}
func (p packer) Resume(context.Context, string, int) error { return p.err }
func (p packer) Look(context.Context, string) (warehouse.State, error) {
	return warehouse.State{Status: "picked"}, p.err
}

func TestCallsOfTheWarehouseAreSpansWithoutAddresses(t *testing.T) {
	t.Parallel()
	for _, err := range []error{nil, warehouse.ErrAway} {
		ctx, span := root(t)
		id, w := span.SpanContext().TraceID(), tracing.Warehouse(packer{err})
		job := warehouse.Job{RequestID: "f1", OrderID: "o1", ShipTo: &warehouse.Address{Name: "Ada Example"}}
		_, stop := w.Stop(ctx, "f1", 1)
		_, look := w.Look(ctx, "f1")
		for i, got := range []error{w.Submit(ctx, job), stop, w.Resume(ctx, "f1", 2), look} {
			if !errors.Is(got, err) {
				t.Errorf("error %d is %v, want %v", i, got, err)
			}
		}
		for _, name := range []string{"warehouse.submit", "warehouse.stop", "warehouse.resume", "warehouse.look"} {
			span := only(t, id, name)
			wantTags(t, span, map[string]any{"warehouse.request_id": "f1"})
			if (span.Status.Code == codes.Error) != (err != nil) {
				t.Errorf("%s: status %v after %v", name, span.Status, err)
			}
			for _, kv := range span.Attributes {
				if kv.Value.String() == "Ada Example" {
					t.Errorf("%s tells who gets the parcel", name)
				}
			}
		}
		if err == nil {
			wantTags(t, only(t, id, "warehouse.stop"), map[string]any{"outcome": "picked"})
			wantTags(t, only(t, id, "warehouse.look"), map[string]any{"outcome": "picked"})
		}
	}
}
