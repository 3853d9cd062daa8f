package tracing

import (
	"net/http"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
)

// HTTP returns a handler that continues the caller's trace, or begins one, and
// records a server span for each request, named by the mux's pattern: "POST
// /v1/orders". What machines ask for all the time, such as /healthz, has no
// span. It says nothing of who called.
//
// The handlers between this one and the mux must pass the *http.Request on as
// it is: the mux writes its pattern into it.
func HTTP(next http.Handler) http.Handler {
	if !enabled() {
		return continued(next)
	}
	return otelhttp.NewHandler(next, "",
		otelhttp.WithTracerProvider(silent{otel.GetTracerProvider()}),
		otelhttp.WithFilter(ofInterest),
		otelhttp.WithPropagators(otel.GetTextMapPropagator()),
		otelhttp.WithSpanNameFormatter(spanName),
	)
}

// continued gives each request a trace context without recording anything.
func continued(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
		next.ServeHTTP(w, r.WithContext(traced(ctx)))
	})
}

func ofInterest(r *http.Request) bool {
	switch r.URL.Path {
	case "/healthz", "/readyz", "/metrics":
		return false
	}
	return true
}

// spanName is asked twice: before the mux has found the pattern, and after.
// Before, the path is left out, for there are as many as orders.
func spanName(_ string, r *http.Request) string {
	switch {
	case r.Pattern == "":
		return r.Method
	case r.Pattern[0] == '/':
		return r.Method + " " + r.Pattern
	}
	return r.Pattern
}
