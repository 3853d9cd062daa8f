package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/bench"
	"github.com/waybill-dev/waybill/client"
	"github.com/waybill-dev/waybill/gateways/smtp/smtptest"
	"github.com/waybill-dev/waybill/tracing/jaegertest"
)

// traceFileEnv names a file that the trace is written to, as Jaeger answered.
const traceFileEnv = "WAYBILL_TEST_TRACE_FILE"

// TestOneTraceLeadsFromTheRequestToThePartner places an order on a platform
// that exports to a real Jaeger and looks at what Jaeger knows of it.
func TestOneTraceLeadsFromTheRequestToThePartner(t *testing.T) {
	t.Parallel()
	jaeger := jaegertest.Start(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	headers := make(chan string, 1)
	partner := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Tracestate") != "" || r.Header.Get("Baggage") != "" {
			t.Error("tracestate or baggage went to the partner")
		}
		headers <- r.Header.Get("Traceparent")
	}))
	t.Cleanup(partner.Close)
	collector := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(collector.Close)
	mails := smtptest.New(t, nil)
	platform := &restarting{t: t, dir: t.TempDir(), addr: freeAddr(t), args: []string{
		"--effects-fraud-mismatch", "--effects-receipts",
		"--effects-collector-url", collector.URL, "--effects-search-url", collector.URL, "--effects-cache-url", collector.URL,
		"--effects-smtp", mails.Addr, "--effects-smtp-tls", "none", "--effects-mail-from", "orders@shop.example",
	}, env: []string{
		"OTEL_EXPORTER_OTLP_ENDPOINT=" + jaeger.Endpoint(), "OTEL_BSP_SCHEDULE_DELAY=100",
	}}
	platform.start(ctx)
	t.Cleanup(platform.stop)
	api := platform.api()
	if err := bench.Stock(ctx, api); err != nil {
		t.Fatal(err)
	}
	if _, err := api.CreateEndpoint(ctx, client.CreateEndpoint{URL: partner.URL, EventTypes: []string{"order.placed"}}); err != nil {
		t.Fatal(err)
	}
	for _, handler := range []string{"fraud", "receipt", "email", "cache"} { // which begin at the end of the log
		eventually(ctx, t, time.Minute, func() error {
			return metricIs(ctx, platform.addr, `waybill_effect_subscribers{handler="`+handler+`"}`, "1")
		})
	}
	if _, err := api.PlaceOrder(ctx, "traced", benchOrder()); err != nil {
		t.Fatal(err)
	}
	traceparent := strings.Split(<-headers, "-")
	if len(traceparent) != 4 {
		t.Fatalf("the partner got the traceparent %q", traceparent)
	}
	want := []string{"POST /v1/orders", "checkout.validate", "stock.reserve", "payment.authorise", "streams.append", "timeline process"}
	trace, err := jaeger.WaitFor(ctx, traceparent[1], func(trace jaegertest.Trace) bool {
		missing := slices.ContainsFunc(want, func(name string) bool { return len(trace.Named(name)) == 0 })
		return !missing && len(notBelowPlaced(trace)) == 0 && len(orphans(trace)) == 1
	})
	if path := os.Getenv(traceFileEnv); path != "" {
		if err := os.WriteFile(path, trace.JSON, 0o600); err != nil {
			t.Error(err)
		}
	}
	if err != nil {
		t.Fatalf("%v; spans: %s; not below the append of OrderPlaced: %v; without a parent: %v", err, names(trace), notBelowPlaced(trace), orphans(trace))
	}
	checkParents(t, trace)
	attempt := trace.Named("webhook.deliver")[0]
	if attempt.ID != traceparent[2] {
		t.Errorf("the partner was told span %s, the attempt is %s", traceparent[2], attempt.ID)
	}
}

// checkParents expects one root, the request; the checkout's steps below it;
// and what happened later below the append that caused it.
func checkParents(t *testing.T, trace jaegertest.Trace) {
	t.Helper()
	root := trace.Named("POST /v1/orders")[0]
	if alone := orphans(trace); len(alone) != 1 || alone[0] != root.Name {
		t.Errorf("spans without a parent: %v, want the request only", alone)
	}
	for _, name := range []string{"checkout.validate", "stock.reserve", "payment.authorise"} {
		if parent, _ := trace.Parent(trace.Named(name)[0]); parent.ID != root.ID {
			t.Errorf("the parent of %q is %q, want %q", name, parent.Name, root.Name)
		}
	}
	for _, name := range notBelowPlaced(trace) {
		t.Errorf("no span %q stands below the append of OrderPlaced", name)
	}
}

// notBelowPlaced names what an order that is placed causes and no span of which
// stands below the append of OrderPlaced.
func notBelowPlaced(trace jaegertest.Trace) (missing []string) {
	for _, name := range []string{
		"orders process", "webhook.deliver",
		"effect analytics", "effect fraud", "effect receipt", "effect email", "effect search-index", "effect cache",
	} {
		if !slices.ContainsFunc(trace.Named(name), func(span jaegertest.Span) bool {
			parent, _ := trace.Parent(span)
			types, _ := parent.Tags["event.type"].(string)
			return parent.Name == "streams.append" && strings.Contains(types, "OrderPlaced")
		}) {
			missing = append(missing, name)
		}
	}
	return missing
}

// orphans names the spans whose parent is not in the trace.
func orphans(trace jaegertest.Trace) (list []string) {
	for _, span := range trace.Spans {
		if _, ok := trace.Parent(span); !ok {
			list = append(list, span.Name)
		}
	}
	return list
}

func names(trace jaegertest.Trace) string {
	var list []string
	for _, span := range trace.Spans {
		list = append(list, span.Name)
	}
	return strings.Join(list, ", ")
}
