package app_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
	"github.com/stripe/stripe-go/v85/webhook"

	"github.com/waybill-dev/waybill/tracing"
	"github.com/waybill-dev/waybill/tracing/logtest"
)

// listener is a server that keeps what it is sent, and answers each time the
// same status, with what it was sent where it is an echo.
func listener(t *testing.T, into *logtest.Journal, status int, echo bool) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = into.Write(body)
		w.WriteHeader(status)
		if echo {
			_, _ = w.Write(body)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

const (
	person = `{"email": "zebediah.quux@privacy.example", "name": "Zebediah Quuxington", "phone": "+49-555-0199-777"}`
	home   = `{"name": "Zebediah", "line1": "Xylophone Alley 99", "city": "Oldenfjord", "country": "DE"}`
)

// send posts a body of another kind, and returns the answer.
func (p *private) send(path, body string, header map[string]string) (status int, raw string) {
	p.t.Helper()
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.url+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	for name, value := range header {
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return response.StatusCode, string(read)
}

// Personal data comes in many orders at once, in drafts, and with what a
// gateway tells; it could leave with spans, with what a failing warehouse
// answers, with the end of a job, and with what is kept of a stream that waits
// for a repair. Spans are exported by the process as a whole: this test is
// alone.
func TestPersonalDataDoesNotLeaveByTheWay(t *testing.T) {
	t.Cleanup(func() { _, _ = tracing.Setup(context.Background(), tracing.Config{}) })
	var spans, picked logtest.Journal
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", listener(t, &spans, http.StatusOK, false))
	t.Setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
	flush, err := tracing.Setup(t.Context(), tracing.Config{Service: "waybill", Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	p := startPrivate(t, "--warehouse", listener(t, &picked, http.StatusUnprocessableEntity, true), "--tasks-every", "50ms",
		"--gateways", "sandbox,stripe", "--stripe-key", "sk_test_1", "--stripe-webhook-secret", stripeSecret, "--stripe-url", listener(t, &picked, http.StatusInternalServerError, false),
		"--sandbox-callbacks", "all")
	partner := listener(t, &p.delivered, http.StatusOK, false)
	p.must(http.MethodPost, "/v1/endpoints", `{"url": "`+partner+`", "event_types": ["*"]}`)
	p.must(http.MethodPost, "/v1/products", `{"sku": "MUG-1", "title": "Mug", "prices": [{"amount": 1250, "currency": "EUR"}]}`)
	p.must(http.MethodPost, "/v1/stock/main/MUG-1/receive", `{"quantity": 20}`)
	id := p.bulk()
	drafted := p.draft()
	p.toldByStripe()
	p.wordsOnly(id)
	p.failingWarehouse(id)
	customerID := p.must(http.MethodGet, "/v1/orders/"+id, "")["customer_id"].(string)
	export := p.must(http.MethodPost, "/v1/customers/"+customerID+"/export", `{"callback": {"url": "`+partner+`/job"}}`)["id"].(string)
	p.eventually("called back", func() bool { return bytes.Contains(p.delivered.Bytes(), []byte(export)) })
	p.eventually("told", func() bool { return bytes.Contains(p.delivered.Bytes(), []byte(id)) })
	p.blocked(drafted)
	if err := flush(t.Context()); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"POST /v1/orders/bulk", "payment.authorise", "warehouse.submit", "task fulfil", "webhook.deliver"} {
		if !bytes.Contains(spans.Bytes(), []byte(name)) {
			t.Errorf("no span %q was exported", name)
		}
	}
	p.clean("spans", spans.Bytes())
	p.everywhere("in the end")
}

// bulk places one order of several lines of text, one of them wrong.
func (p *private) bulk() (orderID string) {
	p.t.Helper()
	order := `{"external": {"source": "old", "ref": "1", "time": "2026-01-02T03:04:05Z"}, "customer": ` + person + `, "ship_to": ` + home + `, "bill_to": ` + home + `, "currency": "EUR", "lines": [{"sku": "MUG-1", "quantity": 2}], "payment": {"method": "sandbox:approved"}}`
	wrong := `{"customer": {"email": "Zebediah"}, "ship_to": {"country": "Oldenfjord"}, "currency": "EUR", "lines": [{"sku": "Xylophone Alley 99", "quantity": 1}], "payment": {"method": "sandbox:approved"}}`
	status, raw := p.send("/v1/orders/bulk", strings.ReplaceAll(order, "\n", " ")+"\n"+wrong+"\n{\"Zebediah\n", map[string]string{
		"Authorization": "Bearer " + fuzzAdminKey, "Content-Type": "application/x-ndjson", "Idempotency-Key": "bulk",
	})
	p.clean("the answer to a bulk of orders", []byte(raw))
	_, rest, found := strings.Cut(raw, `"order_id":"`)
	if status != http.StatusOK || !found || strings.Count(raw, "\n") < 3 {
		p.t.Fatalf("bulk: %d %s", status, raw)
	}
	return rest[:strings.IndexByte(rest, '"')]
}

// draft places an order that was put together first.
func (p *private) draft() (orderID string) {
	p.t.Helper()
	draft := p.must(http.MethodPost, "/v1/drafts", `{"currency": "EUR", "lines": [{"sku": "MUG-1", "quantity": 1}]}`)["id"].(string)
	p.must(http.MethodPut, "/v1/drafts/"+draft+"/details", `{"customer": `+person+`, "ship_to": `+home+`, "payment_method": "sandbox:approved"}`)
	status, _, raw := p.ask(http.MethodPut, "/v1/drafts/"+draft+"/details", `{"customer": {"email": "Zebediah"}, "ship_to": {"line1": "Xylophone Alley 99", "country": "Oldenfjord"}}`)
	if p.clean("the answer to a wrong draft", []byte(raw)); status != http.StatusUnprocessableEntity {
		p.t.Errorf("a wrong draft: %d %s", status, raw)
	}
	return p.must(http.MethodPost, "/v1/drafts/"+draft+"/place", `{}`)["id"].(string)
}

const stripeSecret = "whsec_privacy"

// toldByStripe receives what Stripe tells with a payment: who pays, where they
// live, and what they wrote. It is of no payment here, and is kept all the same.
func (p *private) toldByStripe() {
	p.t.Helper()
	key := uuid.NewString()
	who := `{"name": "Zebediah Quuxington", "email": "zebediah.quux@privacy.example", "phone": "+49-555-0199-777", "address": {"line1": "Xylophone Alley 99", "city": "Oldenfjord"}}`
	body := `{"id": "evt_privacy", "object": "event", "api_version": "2020-08-27", "type": "payment_intent.succeeded", "data": {"object": {
		"id": "pi_privacy", "object": "payment_intent", "amount": 2500, "amount_received": 2500, "currency": "eur", "status": "succeeded", "capture_method": "manual",
		"metadata": {"waybill_payment": "` + key + `", "gift_note": "left it with the zebra"}, "receipt_email": "zebediah.quux@privacy.example", "description": "for Zebediah",
		"shipping": ` + who + `, "latest_charge": {"id": "ch_privacy", "object": "charge", "billing_details": ` + who + `}}}}`
	signed := webhook.GenerateTestSignedPayload(&webhook.UnsignedPayload{Payload: []byte(body), Secret: stripeSecret, Timestamp: time.Now()})
	status, raw := p.send("/v1/gateway-callbacks/stripe", body, map[string]string{"Content-Type": "application/json", "Stripe-Signature": signed.Header})
	if p.clean("the answer to Stripe", []byte(raw)); status != http.StatusNoContent {
		p.t.Fatalf("Stripe's callback: %d %s", status, raw)
	}
	if status, raw = p.send("/v1/gateway-callbacks/stripe", body, map[string]string{"Content-Type": "application/json", "Stripe-Signature": "t=1,v1=00"}); status < 400 {
		p.t.Errorf("a callback that nobody signed: %d %s", status, raw)
	}
}

// wordsOnly tries to write about people where that would stand for ever.
func (p *private) wordsOnly(orderID string) {
	p.t.Helper()
	p.must(http.MethodPost, "/v1/orders/"+orderID+"/tags", `{"add": ["gift"]}`)
	for i, wrong := range []string{"left it with the zebra", "zebediah.quux@privacy.example", "+49-555-0199-777", "Zebediah", "Xylophone Alley 99"} {
		requests := map[string]string{
			"/v1/orders/" + orderID + "/cancel":      `{"reason": %q}`,
			"/v1/orders/" + orderID + "/refunds":     `{"reason": %q}`,
			"/v1/orders/" + orderID + "/returns":     `{"lines": [{"line_id": "1", "quantity": 1, "reason": %q}]}`,
			"/v1/stock/main/MUG-1/adjust":            `{"delta": 1, "reason": %q}`,
			"/v1/orders/" + orderID + "/hold":        `{"reason": %q}`,
			"/v1/orders/" + orderID + "/fulfilments": `{"location": %q}`,
		}
		if wrong != "Zebediah" { // tags may have capitals, and carriers names
			requests["/v1/orders/"+orderID+"/tags"] = `{"add": [%q]}`
		}
		if i == 1 {
			requests["/v1/orders/"+orderID+"/shipments"] = `{"id": %q}`
			requests["/v1/orders/"+orderID+"/edits"] = `{"id": %q, "lines": [{"line_id": "1", "quantity": 1}]}`
		}
		for path, body := range requests {
			status, raw := p.send(path, fmt.Sprintf(body, wrong), map[string]string{
				"Authorization": "Bearer " + fuzzAdminKey, "Content-Type": "application/json", "Idempotency-Key": path + url.QueryEscape(wrong[:4]), "If-Match": "*",
			})
			if p.clean("the answer to "+path, []byte(raw)); status != http.StatusUnprocessableEntity {
				p.t.Errorf("POST %s with %q: %d %s", path, wrong, status, raw)
			}
		}
	}
}

// failingWarehouse hands a job to a system that answers with an error and all
// it was told.
func (p *private) failingWarehouse(orderID string) {
	p.t.Helper()
	p.must(http.MethodPost, "/v1/orders/"+orderID+"/fulfilments", `{}`)
	p.eventually("failed", func() bool {
		_, _, raw := p.ask(http.MethodGet, "/v1/orders/"+orderID+"/tasks", "")
		p.clean("the tasks of an order", []byte(raw))
		return strings.Contains(raw, "422")
	})
	_, _, raw := p.ask(http.MethodGet, "/v1/orders/"+orderID+"/timeline", "")
	p.clean("the timeline of an order", []byte(raw))
}

// blocked puts an event into an order's stream that nobody knows: what follows
// waits for a repair, and is kept apart.
func (p *private) blocked(orderID string) {
	p.t.Helper()
	config, err := esdb.ParseConnectionString(p.app.EventStore())
	if err != nil {
		p.t.Fatal(err)
	}
	store, err := esdb.NewClient(config)
	if err != nil {
		p.t.Fatal(err)
	}
	defer store.Close()
	unknown := esdb.EventData{EventType: "OrderTeleported", ContentType: esdb.ContentTypeJson, Data: []byte(`{}`)}
	if _, err := store.AppendToStream(p.t.Context(), "order-"+orderID, esdb.AppendToStreamOptions{}, unknown); err != nil {
		p.t.Fatal(err)
	}
	p.eventually("blocked", func() bool {
		_, _, metrics := p.ask(http.MethodGet, "/metrics", "")
		for line := range strings.Lines(metrics) {
			if strings.HasPrefix(line, "waybill_projection_blocked_streams") && !strings.HasSuffix(strings.TrimSpace(line), " 0") {
				return true
			}
		}
		return false
	})
}
