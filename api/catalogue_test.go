package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/domain/apikey"
)

const mug = `{"sku": "MUG-1", "title": "Mug", "prices": [{"amount": 1250, "currency": "EUR"}]}`

func TestProducts(t *testing.T) {
	t.Parallel()
	p := start(t)
	created := p.post("/v1/products", mug).expect(201)
	if created.header.Get("Location") != "/v1/products/MUG-1" || created.header.Get("ETag") != `"0"` {
		t.Errorf("headers %v", created.header)
	}
	want := map[string]any{"sku": "MUG-1", "title": "Mug", "status": "active", "prices": []any{map[string]any{"amount": 1250.0, "currency": "EUR"}}}
	if diff := cmp.Diff(want, created.json()); diff != "" {
		t.Errorf("product (-want +got):\n%s", diff)
	}
	p.post("/v1/products", mug).expect(200)
	p.post("/v1/products", `{"sku": "MUG-1", "title": "Cup", "prices": [{"amount": 1250, "currency": "EUR"}]}`).problem(409, "product-exists")
	p.post("/v1/products", `{"sku": "", "title": "", "prices": []}`).problem(422, "product-invalid")
	p.post("/v1/products", `{"sku": "A", "title": "A", "prices": [{"amount": 1.5, "currency": "EUR"}]}`).problem(422, "invalid-request")
	p.post("/v1/products", `{"sku": "A\u0001", "title": "A", "prices": [{"amount": 1, "currency": "EUR"}]}`).problem(422, "product-invalid")
	p.post("/v1/products", `{"sku": "..", "title": "A\u001b", "prices": [{"amount": 1, "currency": "EUR"}]}`).problem(422, "product-invalid")
	p.get("/v1/products/NONE").problem(404, "unknown-sku")
	p.get("/v1/products/%01").problem(404, "unknown-sku")
	got := p.get("/v1/products/MUG-1").expect(200)
	if diff := cmp.Diff(want, got.json()); diff != "" {
		t.Errorf("product (-want +got):\n%s", diff)
	}
	same := p.do(request{method: http.MethodGet, path: "/v1/products/MUG-1", header: map[string]string{"If-None-Match": got.header.Get("ETag")}})
	if same.expect(304); len(same.body) > 0 || same.header.Get("ETag") != `"0"` {
		t.Errorf("304 with %v %s", same.header, same.body)
	}
}

func TestPrices(t *testing.T) {
	t.Parallel()
	p := start(t)
	p.post("/v1/products", mug).expect(201)
	put := func(body, match string) answer {
		t.Helper()
		r := request{method: http.MethodPut, path: "/v1/products/MUG-1/price", body: body, header: map[string]string{}}
		if match != "" {
			r.header["If-Match"] = match
		}
		return p.do(r)
	}
	if got := put(`{"amount": 1350, "currency": "EUR"}`, "").expect(200).header.Get("ETag"); got != `"1"` {
		t.Errorf("ETag %s", got)
	}
	put(`{"amount": 1400, "currency": "EUR"}`, `"0"`).problem(412, "revision-mismatch")
	put(`{"amount": 1400, "currency": "EUR"}`, `nonsense`).problem(412, "revision-mismatch")
	put(`{"amount": 1400, "currency": "EUR"}`, `"1"`).expect(200)
	put(`{"amount": 1100, "currency": "EUR", "region": "north"}`, `*`).expect(200)
	put(`{"amount": -1, "currency": "EUR"}`, "").problem(422, "product-invalid")
	p.do(request{method: http.MethodPut, path: "/v1/products/NONE/price", body: `{"amount": 1, "currency": "EUR"}`}).problem(404, "unknown-sku")
}

func TestStock(t *testing.T) {
	t.Parallel()
	p := start(t)
	p.get("/v1/stock/main/MUG-1").problem(404, "not-found")
	receive := func(body, key string) answer {
		t.Helper()
		r := request{method: http.MethodPost, path: "/v1/stock/main/MUG-1/receive", body: body, header: map[string]string{}}
		if key != "" {
			r.header["Idempotency-Key"] = key
		}
		return p.do(r)
	}
	want := map[string]any{"sku": "MUG-1", "location": "main", "on_hand": 10.0, "reserved": 0.0, "committed": 0.0, "available": 10.0}
	if diff := cmp.Diff(want, receive(`{"quantity": 10}`, "").expect(200).json()); diff != "" {
		t.Errorf("level (-want +got):\n%s", diff)
	}
	receive(`{"quantity": 5}`, "k1").expect(200)
	receive(`{"quantity": 5}`, "k1").expect(200)
	receive(`{"quantity": 5, "ref": "k1"}`, "").expect(200)
	receive(`{"quantity": 6, "ref": "k1"}`, "").problem(409, "id-reused")
	receive(`{"quantity": 0}`, "").problem(422, "stock-invalid")
	receive(`{"quantity": "many"}`, "").problem(422, "invalid-request")
	receive(`{"quantity": 1}`, "ключ").problem(400, "idempotency-key-invalid")
	wrong := p.post("/v1/stock/ma.in/MUG-1/receive", `{"quantity": 1}`).problem(422, "stock-invalid")
	if wrong.json()["errors"].([]any)[0].(map[string]any)["parameter"] != "path.location" {
		t.Errorf("the mistake is not in the path: %s", wrong.body)
	}
	for range 2 { // the second time from what the first one left in memory
		if got := p.get("/v1/stock/main/MUG-1").expect(200).json()["on_hand"]; got != 15.0 {
			t.Errorf("on hand %v, want 15", got)
		}
	}
}

func TestDeliveriesOfSeveralSKUs(t *testing.T) {
	t.Parallel()
	p := start(t)
	path := "/v1/stock/main/receipts"
	delivery := `{"ref": "d1", "lines": [{"sku": "A", "quantity": 3}, {"sku": "B", "quantity": 4}]}`
	for range 2 {
		p.post(path, delivery).expect(200)
	}
	for sku, want := range map[string]float64{"A": 3, "B": 4} {
		if got := p.get("/v1/stock/main/" + sku).json()["on_hand"]; got != want {
			t.Errorf("%s: %v on hand, want %v", sku, got, want)
		}
	}
	p.post(path, `{"ref": "d2", "lines": [{"sku": "A", "quantity": 1}, {"sku": "A", "quantity": 0}, {"sku": "", "quantity": 1}]}`).
		problem(422, "stock-invalid").golden("problems/a_delivery_with_mistakes")
	p.post(path, `{"ref": "d2", "lines": []}`).problem(422, "invalid-request")
	if got := p.get("/v1/stock/main/A").json()["on_hand"]; got != 3.0 {
		t.Errorf("a delivery with mistakes was received in part: %v", got)
	}
}

func TestReceivingAtOnce(t *testing.T) {
	t.Parallel()
	p := start(t)
	var wait sync.WaitGroup
	for i := range 40 {
		wait.Go(func() {
			got := p.post("/v1/stock/main/MUG-1/receive", fmt.Sprintf(`{"quantity": 1, "ref": "r%d"}`, i/2))
			if got.status != 200 {
				t.Errorf("status %d: %s", got.status, got.body)
			}
		})
	}
	wait.Wait()
	if got := p.get("/v1/stock/main/MUG-1").json()["on_hand"]; got != 20.0 {
		t.Errorf("20 deliveries, each sent twice: %v on hand", got)
	}
}

func TestCreditNotes(t *testing.T) {
	t.Parallel()
	p := start(t)
	note := `{"currency": "GBP", "external": {"source": "old", "ref": "C1", "time": "2010-12-01T09:41:00Z"}, "customer": {"id": "old:17"},
		"lines": [{"sku": "MUG-1", "title": "Mug", "quantity": 3, "unit_price": {"amount": 255, "currency": "GBP"}}]}`
	send := func(body, key, credential string) answer {
		t.Helper()
		r := request{method: http.MethodPost, path: "/v1/credit-notes", body: body, key: credential, header: map[string]string{}}
		if key != "" {
			r.header["Idempotency-Key"] = key
		}
		return p.do(r)
	}
	importer := p.key(apikey.OrdersImport)
	first := send(note, "k1", importer).expect(201)
	if diff := cmp.Diff(map[string]any{"amount": 765.0, "currency": "GBP"}, first.json()["total"]); diff != "" {
		t.Errorf("total (-want +got):\n%s", diff)
	}
	again := send(note, "k1", importer).expect(201)
	if again.header.Get("Idempotency-Replayed") != "true" || string(again.body) != string(first.body) || first.header.Get("Idempotency-Replayed") != "" {
		t.Errorf("the second answer is %v %s", again.header, again.body)
	}
	other := strings.Replace(note, `"C1"`, `"C2"`, 1)
	send(other, "k1", importer).problem(422, "idempotency-key-reused")
	send(strings.Replace(note, `"quantity": 3`, `"quantity": 2`, 1), "k1", importer).problem(422, "idempotency-key-reused")
	send(strings.Replace(other, `"GBP"`, `"?"`, 1), "k5", importer).problem(422, "credit-note-invalid")
	send(other, "k5", importer).expect(201)                  // what was refused uses no key
	send(note, "k1", p.key(apikey.OrdersImport)).expect(201) // the key is its caller's
	send(note, "k6", importer).expect(201)                   // what records nothing uses the key all the same
	send(strings.Replace(note, `"C1"`, `"C6"`, 1), "k6", importer).problem(422, "idempotency-key-reused")
	send(note, "k6", importer).expect(201)
	send(note, "", importer).problem(400, "idempotency-key-missing")
	send(`{"currency": "GBP", "external": {"source": "old", "ref": "C1", "time": "2010-12-01T09:41:00Z"}, "lines":
		[{"sku": "MUG-1", "quantity": 1, "unit_price": {"amount": 255, "currency": "GBP"}}]}`, "k2", importer).problem(409, "id-reused")
	send(`{"currency": "?", "external": {"source": "", "ref": "", "time": "2010-12-01T09:41:00Z"}, "lines": []}`, "k3", importer).problem(422, "credit-note-invalid")
	send(note, "k4", p.key(apikey.OrdersWrite)).problem(403, "forbidden")
}
