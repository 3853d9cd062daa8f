package tracing_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/tracing"
	"github.com/waybill-dev/waybill/tracing/jaegertest"
)

// Setup reads the environment and changes the whole process. So its tests start
// this binary once more, with this variable set, and TestMain does nothing but
// setUpAlone.
const aloneVariable = "TRACING_TEST_ALONE"

// setUpAlone serves one request, which appends twice, and prints the stored
// traceparents.
func setUpAlone() (exitCode int) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	shutdown, err := tracing.Setup(ctx, tracing.Config{Service: "waybill-test", Version: "v1"})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	into := &sink{}
	store := tracing.Store(into)
	handler := tracing.HTTP(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = store.Append(r.Context(), "order-o1", eventstore.NoStream, event("OrderPlaced", eventstore.Metadata{}))
		_, _ = store.Append(r.Context(), "order-o1", 0, event("OrderHeld", eventstore.Metadata{}))
	}))
	handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1/orders", nil))
	if err := shutdown(ctx); err != nil {
		fmt.Println(err)
		return 1
	}
	for _, m := range into.appended {
		fmt.Println("stored", m.TraceParent)
	}
	return 0
}

// alone runs setUpAlone with those OTEL variables and no others. It returns what
// was stored.
func alone(t *testing.T, env ...string) (traceparents []string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "OTEL_") {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	cmd.Env = append(append(cmd.Env, aloneVariable+"=1"), env...)
	output, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("set up alone: %v\n%s", err, output)
	}
	for line := range strings.Lines(string(output)) {
		if tp, ok := strings.CutPrefix(strings.TrimSpace(line), "stored "); ok {
			traceparents = append(traceparents, tp)
		}
	}
	if len(traceparents) != 2 {
		t.Fatalf("%d traceparents were stored, want 2:\n%s", len(traceparents), output)
	}
	return traceparents
}

var validTraceParent = regexp.MustCompile(`^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$`)

func TestSetup(t *testing.T) {
	t.Parallel()
	const endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:9"
	for _, test := range []struct {
		name  string
		env   []string
		flags string
	}{
		{"nothing is recorded when the environment says nothing", nil, "00"},
		{"an exporter by name starts the export", []string{"OTEL_TRACES_EXPORTER=console"}, "01"},
		{"the exporter none beats an endpoint", []string{"OTEL_TRACES_EXPORTER=none", endpoint}, "00"},
		{"a disabled SDK beats an endpoint", []string{"OTEL_SDK_DISABLED=true", endpoint}, "00"},
		{"a sampler that takes nothing is obeyed", []string{"OTEL_TRACES_SAMPLER=always_off", endpoint}, "00"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			stored := alone(t, test.env...)
			for _, traceparent := range stored {
				if !validTraceParent.MatchString(traceparent) || !strings.HasSuffix(traceparent, test.flags) {
					t.Errorf("stored is %q, want a traceparent with the flags %s", traceparent, test.flags)
				}
			}
			if traceID(stored[0]) != traceID(stored[1]) {
				t.Errorf("stored are %q, want one trace per request", stored)
			}
		})
	}
}

func traceID(traceparent string) string { return strings.Split(traceparent, "-")[1] }

func TestSpansReachJaegerByTheStandardVariables(t *testing.T) {
	t.Parallel()
	jaeger := jaegertest.Start(t)
	for _, test := range []struct {
		name string
		env  []string
	}{
		{"an endpoint alone", []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + jaeger.Endpoint()}},
		{"an endpoint for traces", []string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=" + jaeger.Endpoint() + "/v1/traces"}},
		{"gRPC", []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + jaeger.GRPCEndpoint(), "OTEL_EXPORTER_OTLP_PROTOCOL=grpc"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			id := traceID(alone(t, test.env...)[0])
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			got, err := jaeger.WaitFor(ctx, id, func(t jaegertest.Trace) bool { return len(t.Spans) == 3 })
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff("waybill-test", got.Spans[0].Service); diff != "" {
				t.Errorf("service (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(2, len(got.Named("streams.append"))); diff != "" {
				t.Errorf("appends (-want +got):\n%s", diff)
			}
		})
	}
}
