package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/bench"
	"github.com/waybill-dev/waybill/gateways/warehouse/sandbox"
	"github.com/waybill-dev/waybill/tracing/jaegertest"
)

// A shop sends all it asks of an order in one trace. What the platform does for
// that later, by itself, stands in the same trace: the warehouse is asked, the
// money is captured, and given back.
func TestWhatAnOrderNeedsLaterStandsInItsTrace(t *testing.T) {
	t.Parallel()
	jaeger := jaegertest.Start(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	warehouse, err := sandbox.Listen(ctx, "127.0.0.1:0", sandbox.Config{Ledger: filepath.Join(t.TempDir(), "warehouse.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = warehouse.Stop(context.WithoutCancel(ctx)) })
	platform := &restarting{t: t, dir: t.TempDir(), addr: freeAddr(t), args: []string{"--warehouse", warehouse.URL()}, env: []string{
		"OTEL_EXPORTER_OTLP_ENDPOINT=" + jaeger.Endpoint(), "OTEL_BSP_SCHEDULE_DELAY=100",
	}}
	platform.start(ctx)
	t.Cleanup(platform.stop)
	if err := bench.Stock(ctx, platform.api()); err != nil {
		t.Fatal(err)
	}
	const traceID = "5af7183fb0d4cf5f6a1b2c3d4e5f6071"
	shop := tracedShop{t, platform.addr, "00-" + traceID + "-00f067aa0ba902b7-01"}
	order := shop.post(ctx, "/v1/orders", `{"customer": {"email": "a@example.com"}, "currency": "EUR",
		"lines": [{"sku": "BENCH-1", "quantity": 2}], "payment": {"method": "sandbox:approved"},
		"ship_to": {"name": "A", "line1": "1 High Street", "city": "Leeds", "postal_code": "LS1", "country": "GB"}}`)
	shop.post(ctx, "/v1/orders/"+order+"/fulfilments", `{}`)
	eventually(ctx, t, time.Minute, func() error {
		jobs, err := warehouse.Jobs(ctx)
		if err != nil || len(jobs) != 1 {
			return fmt.Errorf("the warehouse has %d jobs, %w", len(jobs), err)
		}
		return nil
	})
	shop.post(ctx, "/v1/orders/"+order+"/shipments", `{}`)
	eventually(ctx, t, time.Minute, func() error {
		known, _, err := platform.api().Order(ctx, order) // a moment behind the payment, and what a refund is measured by
		if err != nil || len(known.Payments) != 1 || known.Payments[0].Captured.Amount == 0 {
			return fmt.Errorf("nothing is captured: %+v, %w", known.Payments, err)
		}
		return nil
	})
	shop.post(ctx, "/v1/orders/"+order+"/refunds", `{"reason": "goodwill"}`)
	below := map[string]string{"warehouse.submit": "task fulfil", "payment.capture": "task capture", "payment.refund": "task refund"}
	trace, err := jaeger.WaitFor(ctx, traceID, func(trace jaegertest.Trace) bool {
		for call, task := range below {
			if !slices.ContainsFunc(trace.Named(call), func(s jaegertest.Span) bool { p, _ := trace.Parent(s); return p.Name == task }) {
				return false
			}
		}
		return true
	})
	if err != nil {
		t.Fatalf("%v; spans: %s", err, names(trace))
	}
	for _, task := range below {
		span := trace.Named(task)[0]
		if opener, _ := trace.Parent(span); opener.Name != "streams.append" || span.Tags["order.id"] != order {
			t.Errorf("%q stands below %q and has the tags %v", task, opener.Name, span.Tags)
		}
	}
}

// tracedShop sends all requests in one trace.
type tracedShop struct {
	t           *testing.T
	addr        string
	traceparent string
}

func (s tracedShop) post(ctx context.Context, path, body string) (id string) {
	s.t.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.addr+path, bytes.NewReader([]byte(body)))
	if err != nil {
		s.t.Fatal(err)
	}
	for name, value := range map[string]string{
		"Content-Type": "application/json", "Authorization": "Bearer " + bench.AdminKey, "Traceparent": s.traceparent,
		"Idempotency-Key": path, "If-Match": "*",
	} {
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct {
		ID     string `json:"id"`
		Detail string `json:"detail"`
		Errors any    `json:"errors"`
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || response.StatusCode >= http.StatusMultipleChoices {
		s.t.Fatalf("POST %s: %d %+v, %v", path, response.StatusCode, answer, err)
	}
	return answer.ID
}
