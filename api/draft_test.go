package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/domain/apikey"
)

// drafted is a platform with a product in stock and what changes its drafts.
type drafted struct{ *platform }

func startDrafts(t *testing.T) drafted {
	t.Helper()
	p := drafted{start(t)}
	p.post("/v1/products", mug).expect(201)
	p.post("/v1/stock/main/MUG-1/receive", `{"quantity": 10}`).expect(200)
	return p
}

// send sends a request meant for a revision; "" names none.
func (p drafted) send(method, path, body, match string) answer {
	p.t.Helper()
	header := map[string]string{}
	if match != "" {
		header["If-Match"] = match
	}
	return p.do(request{method: method, path: path, body: body, header: header})
}

// place places a draft under a key.
func (p drafted) place(path, key, method string) answer {
	p.t.Helper()
	return p.do(request{
		method: http.MethodPost, path: path + "/place", body: fmt.Sprintf(`{"payment": {"method": "sandbox:%s"}}`, method),
		header: map[string]string{"Idempotency-Key": key, "If-Match": "*"},
	})
}

const anyDraft = `{"currency": "EUR", "lines": [{"sku": "MUG-1", "quantity": 2}], "customer": {"email": "ada@example.com", "name": "Ada Lovelace"}, "payment_method": "sandbox:approved"}`

func TestADraftIsPutTogetherAndPlaced(t *testing.T) {
	t.Parallel()
	p := startDrafts(t)
	path := p.post("/v1/drafts", `{"currency": "EUR"}`).expect(201).header.Get("Location")
	first := p.get(path).expect(200)
	if first.header.Get("ETag") != `"0"` || !strings.Contains(string(first.body), `"no-lines"`) {
		t.Errorf("an empty draft is %v %s", first.header, first.body)
	}
	p.send(http.MethodPut, path+"/lines/MUG-1", `{"quantity": 2}`, "").problem(428, "precondition-required")
	p.send(http.MethodPut, path+"/lines/MUG-1", `{"quantity": 2}`, `"0"`).expect(200)
	p.send(http.MethodPut, path+"/lines/MUG-1", `{"quantity": 3}`, `"0"`).problem(412, "revision-mismatch")
	p.send(http.MethodPut, path+"/lines/MUG-1", `{"quantity": 0}`, `*`).problem(422, "draft-invalid")
	p.send(http.MethodPut, path+"/lines/CUP", `{"quantity": 1}`, `"1"`).expect(200)
	if got := string(p.get(path).body); !strings.Contains(got, `"unknown-sku"`) {
		t.Errorf("the preview says nothing of an unknown SKU: %s", got)
	}
	p.send(http.MethodDelete, path+"/lines/CUP", "", `"2"`).expect(200)
	eventually(t, "in stock", func() bool { return strings.Contains(string(p.get(path).body), `"available":10`) })
	if got := string(p.get(path).body); !strings.Contains(got, `"grand":{"amount":2500,"currency":"EUR"}`) {
		t.Errorf("the preview is %s", got)
	}
	p.place(path, "too early", "approved").problem(422, "draft-invalid")
	p.send(http.MethodPut, path+"/details", `{"ship_to": {"line1": "1 High Street", "city": "Leeds", "country": "GB"}}`, "*").problem(422, "draft-invalid")
	p.send(http.MethodPut, path+"/details", `{"customer": {"email": "nobody"}}`, "*").problem(422, "draft-invalid")
	p.send(http.MethodPut, path+"/details", `{"payment_method": "4111111111111111"}`, "*").problem(422, "draft-invalid")
	p.send(http.MethodPut, path+"/details", `{"customer": {"email": "ada@example.com", "name": "Ada Lovelace"}, "ship_to": {"line1": "1 High Street", "city": "Leeds", "country": "GB"}}`, `"3"`).expect(200)
	whole, part := p.get(path), p.do(request{method: http.MethodGet, path: path, key: p.key(apikey.OrdersRead)})
	if !strings.Contains(string(whole.body), "Lovelace") || !strings.Contains(string(whole.body), "High Street") {
		t.Errorf("the customer is not shown: %s", whole.body)
	}
	if part.expect(200); strings.Contains(string(part.body), "Lovelace") || strings.Contains(string(part.body), "High Street") {
		t.Errorf("the customer is shown to everybody: %s", part.body)
	}

	placed := p.place(path, "once", "approved").expect(201)
	id := placed.text("id")
	if placed.header.Get("Location") != "/v1/orders/"+id || placed.header.Get("ETag") == "" {
		t.Errorf("placed with %v", placed.header)
	}
	for _, key := range []string{"once", "twice"} {
		if again := p.place(path, key, "approved").expect(201); again.text("id") != id || again.header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("placed again: %s %v", again.body, again.header)
		}
	}
	p.place(path, "once", "declined").problem(422, "idempotency-key-reused")
	p.send(http.MethodPut, path+"/lines/MUG-1", `{"quantity": 3}`, "*").problem(409, "draft-placed")
	p.send(http.MethodDelete, path, "", "*").problem(409, "draft-placed")
	if got := p.get(path); got.text("status") != "placed" || got.text("order_id") != id {
		t.Errorf("the draft is %s", got.body)
	}
	if got := p.get("/v1/orders/" + id).expect(200).text("customer_id"); got != whole.text("customer_id") {
		t.Errorf("the order is %s's", got)
	}
	if got := p.get("/v1/orders/" + id + "/address").expect(200); !strings.Contains(string(got.body), "High Street") {
		t.Errorf("the order goes to %s", got.body)
	}
}

func TestADraftAfterADeclinedPayment(t *testing.T) {
	t.Parallel()
	p := startDrafts(t)
	path := p.post("/v1/drafts", anyDraft).expect(201).header.Get("Location")
	declined := p.place(path, "first", "declined").problem(402, "payment-declined")
	p.place(path, "first", "declined").problem(402, "payment-declined")
	p.send(http.MethodDelete, path, "", "*").problem(409, "draft-placing")
	if got := p.get(path).text("checkout_id"); got != declined.text("checkout_id") {
		t.Errorf("the draft has checkout %s", got)
	}
	id := p.place(path, "second", "approved").expect(201).text("id")

	path = p.post("/v1/drafts", anyDraft).expect(201).header.Get("Location")
	checkout := p.place(path, "first", "declined").problem(402, "payment-declined").text("checkout_id")
	paid := p.do(request{
		method: http.MethodPost, path: "/v1/checkouts/" + checkout + "/payments", body: `{"method": "sandbox:approved"}`,
		header: map[string]string{"Idempotency-Key": "pay"},
	}).expect(201)
	if got := p.get(path); got.text("status") != "placed" || got.text("order_id") != paid.text("id") || paid.text("id") == id {
		t.Errorf("a draft whose checkout was paid is %s", got.body)
	}

	path = p.post("/v1/drafts", anyDraft).expect(201).header.Get("Location")
	p.send(http.MethodPut, path+"/lines/MUG-1", `{"quantity": 1000}`, "*").expect(200)
	p.place(path, "first", "approved").problem(409, "out-of-stock")
	p.send(http.MethodPut, path+"/lines/MUG-1", `{"quantity": 1}`, "*").expect(200)
	p.place(path, "second", "timeout").expect(202)
	if got := p.get(path).text("status"); got != "placing" {
		t.Errorf("while the outcome is unknown the draft is %s", got)
	}
}

func TestDraftsAreListedAndDiscarded(t *testing.T) {
	t.Parallel()
	p := startDrafts(t)
	var paths []string
	for i := range 3 {
		body := strings.Replace(anyDraft, "ada@", fmt.Sprintf("ada%d@", i%2), 1)
		paths = append(paths, p.do(request{method: http.MethodPost, path: "/v1/drafts", body: body, header: map[string]string{"Idempotency-Key": fmt.Sprint(i)}}).expect(201).header.Get("Location"))
		again := p.do(request{method: http.MethodPost, path: "/v1/drafts", body: body, header: map[string]string{"Idempotency-Key": fmt.Sprint(i)}}).expect(200)
		if again.header.Get("Location") != paths[i] {
			t.Error("the same request made another draft")
		}
	}
	p.do(request{method: http.MethodPost, path: "/v1/drafts", body: `{"currency": "EUR"}`, header: map[string]string{"Idempotency-Key": "1"}}).problem(422, "idempotency-key-reused")
	p.post("/v1/drafts", `{"currency": "mugs", "lines": [{"sku": "a b", "quantity": 0}]}`).problem(422, "draft-invalid")
	p.get("/v1/drafts/none").problem(404, "draft-not-found")
	p.send(http.MethodDelete, "/v1/drafts/none", "", "*").problem(404, "draft-not-found")
	p.place("/v1/drafts/none", "k", "approved").problem(404, "draft-not-found")
	eventually(t, "listed", func() bool { return len(items(t, p.get("/v1/drafts"))) == 3 })
	customer := p.get(paths[0]).text("customer_id")
	if n := len(items(t, p.get("/v1/drafts?customer_id="+customer))); n != 2 {
		t.Errorf("the customer has %d drafts", n)
	}
	page := p.get("/v1/drafts?limit=2").expect(200)
	rest := items(t, p.get("/v1/drafts?limit=2&cursor="+page.text("next_cursor")))
	if len(items(t, page)) != 2 || len(rest) != 1 || "/v1/drafts/"+rest[0].(map[string]any)["id"].(string) != paths[0] {
		t.Errorf("the pages are %s and %v", page.body, rest)
	}
	p.get("/v1/drafts?status=placed&cursor="+page.text("next_cursor")).problem(400, "bad-cursor")
	for range 2 {
		if got := p.send(http.MethodDelete, paths[0], "", "*").expect(200).text("status"); got != "discarded" {
			t.Errorf("the draft is %s", got)
		}
	}
	p.place(paths[0], "k", "approved").problem(409, "draft-discarded")
	eventually(t, "discarded", func() bool { return len(items(t, p.get("/v1/drafts?status=discarded"))) == 1 })

	p.post("/v1/customers/"+customer+"/erase", `{}`).expect(202)
	eventually(t, "erased", func() bool { return p.get("/v1/customers/"+customer).text("status") == "erased" })
	got := p.get(paths[2]).expect(200)
	if got.text("status") != "discarded" || strings.Contains(string(got.body), "Lovelace") {
		t.Errorf("a draft of somebody who was erased: %s", got.body)
	}
}
