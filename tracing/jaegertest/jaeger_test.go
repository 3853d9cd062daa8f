package jaegertest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-dev/waybill/tracing/jaegertest"
)

func TestAnExportedSpanIsFoundByItsTraceID(t *testing.T) {
	t.Parallel()
	jaeger := jaegertest.Start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()

	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(jaeger.Endpoint()+"/v1/traces"))
	if err != nil {
		t.Fatal(err)
	}
	provider := sdk.NewTracerProvider(sdk.WithSyncer(exporter))
	tracer := provider.Tracer("test")
	_, other := tracer.Start(ctx, "other")
	other.End()
	placing, parent := tracer.Start(ctx, "place", trace.WithAttributes(attribute.Int("lines", 3)))
	_, child := tracer.Start(placing, "append", trace.WithLinks(trace.Link{SpanContext: other.SpanContext()}))
	child.End()
	_, consumer := tracer.Start(placing, "process", trace.WithLinks(trace.Link{SpanContext: parent.SpanContext()}))
	consumer.End()
	parent.End()

	got, err := jaeger.WaitFor(ctx, parent.SpanContext().TraceID().String(), func(t jaegertest.Trace) bool {
		return len(t.Spans) == 3
	})
	if err != nil {
		t.Fatal(err)
	}
	found := got.Named("append")
	if len(found) != 1 {
		t.Fatalf("one span is named append, want it in %+v", got.Spans)
	}
	above, ok := got.Parent(found[0])
	if !ok || above.Name != "place" || above.ParentID != "" {
		t.Errorf("the parent of append is %+v, want the root, place", above)
	}
	if below, _ := got.Parent(got.Named("process")[0]); below.ID != above.ID {
		t.Errorf("the parent of process is %+v, want place, which is linked too", below)
	}
	if diff := cmp.Diff(any(3.0), above.Tags["lines"]); diff != "" {
		t.Errorf("tag lines (-want +got):\n%s", diff)
	}
	want := []jaegertest.Link{{
		TraceID: other.SpanContext().TraceID().String(),
		SpanID:  other.SpanContext().SpanID().String(),
	}}
	if diff := cmp.Diff(want, found[0].Links); diff != "" {
		t.Errorf("links of append (-want +got):\n%s", diff)
	}
}

func TestATraceNobodySentIsNotThere(t *testing.T) {
	t.Parallel()
	jaeger := jaegertest.Start(t)
	_, err := jaeger.Trace(t.Context(), "4bf92f3577b34da6a3ce929d0e0e4736")
	if !errors.Is(err, jaegertest.ErrNoTrace) {
		t.Errorf("error is %v, want ErrNoTrace", err)
	}
}
