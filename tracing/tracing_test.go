package tracing_test

import (
	"context"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// recorded holds the spans of all tests; each looks for those of its own trace.
var recorded = tracetest.NewInMemoryExporter()

func TestMain(m *testing.M) {
	if os.Getenv(aloneVariable) != "" {
		os.Exit(setUpAlone())
	}
	otel.SetTextMapPropagator(propagation.TraceContext{})
	otel.SetTracerProvider(sdk.NewTracerProvider(sdk.WithSyncer(recorded)))
	os.Exit(m.Run())
}

// root starts a span, and with it the trace of one test.
func root(t *testing.T) (context.Context, trace.Span) {
	t.Helper()
	ctx, span := otel.Tracer("test").Start(t.Context(), "root")
	t.Cleanup(func() { span.End() })
	return ctx, span
}

// spans returns the ended spans of a trace with that name.
func spans(of trace.TraceID, name string) tracetest.SpanStubs {
	return slices.DeleteFunc(recorded.GetSpans(), func(s tracetest.SpanStub) bool {
		return s.SpanContext.TraceID() != of || s.Name != name
	})
}

// only returns the one span of a trace with that name.
func only(t *testing.T, of trace.TraceID, name string) tracetest.SpanStub {
	t.Helper()
	found := spans(of, name)
	if len(found) != 1 {
		t.Fatalf("%d spans of the trace are named %q, want one", len(found), name)
	}
	return found[0]
}

// tags returns some attributes of a span by name.
func tags(s tracetest.SpanStub, names ...string) map[string]any {
	found := map[string]any{}
	for _, kv := range s.Attributes {
		if slices.Contains(names, string(kv.Key)) {
			found[string(kv.Key)] = kv.Value.AsInterface()
		}
	}
	return found
}

func wantTags(t *testing.T, s tracetest.SpanStub, want map[string]any) {
	t.Helper()
	names := make([]string, 0, len(want))
	for name := range want {
		names = append(names, name)
	}
	if diff := cmp.Diff(want, tags(s, names...)); diff != "" {
		t.Errorf("attributes of %s (-want +got):\n%s", s.Name, diff)
	}
}
