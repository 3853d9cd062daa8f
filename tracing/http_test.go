package tracing_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-dev/waybill/tracing"
)

func TestARequestIsASpanNamedByItsRoute(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/orders", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusCreated) })
	mux.HandleFunc("GET /v1/orders/{id}", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/docs", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	handler := tracing.HTTP(mux)

	for _, test := range []struct {
		name, method, path, span string
		status                   int64
		failed                   codes.Code
	}{
		{"a route with a method", http.MethodPost, "/v1/orders", "POST /v1/orders", 201, codes.Unset},
		{"a route with a parameter", http.MethodGet, "/v1/orders/o1", "GET /v1/orders/{id}", 200, codes.Unset},
		{"a route for every method, and a failure", http.MethodGet, "/docs", "GET /docs", 500, codes.Error},
		{"a path that leads nowhere", http.MethodGet, "/wp-admin", "GET", 404, codes.Unset},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, caller := root(t)
			of := caller.SpanContext()
			req := httptest.NewRequest(test.method, test.path, nil)
			req.Header.Set("traceparent", "00-"+of.TraceID().String()+"-"+of.SpanID().String()+"-01")
			handler.ServeHTTP(httptest.NewRecorder(), req)

			got := only(t, of.TraceID(), test.span)
			if got.SpanKind != trace.SpanKindServer || got.Parent.SpanID() != of.SpanID() {
				t.Errorf("kind %v, parent %v; want a server's span below the caller's", got.SpanKind, got.Parent.SpanID())
			}
			if got.Status.Code != test.failed {
				t.Errorf("status is %v, want %v", got.Status.Code, test.failed)
			}
			wantTags(t, got, map[string]any{"http.response.status_code": test.status})
		})
	}
}

func TestWhatMachinesAskForHasNoSpan(t *testing.T) {
	t.Parallel()
	handler := tracing.HTTP(http.NewServeMux())
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		_, caller := root(t)
		of := caller.SpanContext()
		req := httptest.NewRequest(http.MethodGet, path, nil)
		req.Header.Set("traceparent", "00-"+of.TraceID().String()+"-"+of.SpanID().String()+"-01")
		handler.ServeHTTP(httptest.NewRecorder(), req)
		if diff := cmp.Diff(0, len(spans(of.TraceID(), "GET"))); diff != "" {
			t.Errorf("spans of %s (-want +got):\n%s", path, diff)
		}
	}
}

// A query may hold somebody's e-mail address, and spans are kept for long.
func TestASpanDoesNotSayWhatWasAskedFor(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/orders", func(http.ResponseWriter, *http.Request) {})
	_, caller := root(t)
	of := caller.SpanContext()
	req := httptest.NewRequest(http.MethodGet, "/v1/orders?email=zebediah%40privacy.example", nil)
	req.Header.Set("traceparent", "00-"+of.TraceID().String()+"-"+of.SpanID().String()+"-01")
	tracing.HTTP(mux).ServeHTTP(httptest.NewRecorder(), req)
	for _, tag := range only(t, of.TraceID(), "GET /v1/orders").Attributes {
		if strings.Contains(tag.Value.String(), "zebediah") {
			t.Errorf("%s is %s", tag.Key, tag.Value.String())
		}
	}
}

// Whoever calls directly is a person.
func TestASpanDoesNotSayWhoCalled(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/orders", func(_ http.ResponseWriter, r *http.Request) {
		if r.RemoteAddr != "203.0.113.7:4242" || r.UserAgent() != "zebediah/1.0" {
			t.Errorf("the handler is told of %q with %q", r.RemoteAddr, r.UserAgent())
		}
	})
	_, caller := root(t)
	of := caller.SpanContext()
	req := httptest.NewRequest(http.MethodGet, "/v1/orders", nil)
	req.RemoteAddr = "203.0.113.7:4242"
	req.Header.Set("User-Agent", "zebediah/1.0")
	req.Header.Set("X-Forwarded-For", "198.51.100.9")
	req.Header.Set("traceparent", "00-"+of.TraceID().String()+"-"+of.SpanID().String()+"-01")
	tracing.HTTP(mux).ServeHTTP(httptest.NewRecorder(), req)
	span := only(t, of.TraceID(), "GET /v1/orders")
	for _, tag := range span.Attributes {
		for _, personal := range []string{"203.0.113.7", "4242", "zebediah", "198.51.100.9"} {
			if strings.Contains(tag.Value.String(), personal) {
				t.Errorf("%s is %s", tag.Key, tag.Value.String())
			}
		}
	}
	wantTags(t, span, map[string]any{"http.request.method": "GET", "url.path": "/v1/orders", "url.scheme": "http", "server.address": "example.com"})
}
