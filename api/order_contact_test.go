package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/domain/apikey"
)

// addressed is an order that says where everything goes.
const addressed = `{"customer": {"email": "ada@example.com", "name": "Ada", "phone": "+44 1"}, "currency": "EUR",
	"lines": [{"sku": "MUG-1", "quantity": 1}], "payment": {"method": "sandbox:approved"},
	"ship_to": {"name": "Bob", "company": "Co", "line1": "1 High Street", "line2": "Flat 2", "city": "Leeds", "region": "Yorkshire", "postal_code": "LS1 1UR", "country": "GB", "phone": "+44 2"},
	"bill_to": {"line1": "1 Rue Haute", "city": "Lyon", "country": "FR"}}`

func TestAnOrderSaysWhereEverythingGoes(t *testing.T) {
	t.Parallel()
	p := shop(t, 10)
	placed := p.place("k", addressed).expect(http.StatusCreated)
	id := placed.text("id")
	path := "/v1/orders/" + id
	shown := func(part string) any {
		t.Helper()
		a := p.do(request{method: http.MethodGet, path: path + "/" + part, key: p.key(apikey.CustomersRead)}).expect(http.StatusOK)
		if a.header.Get("Cache-Control") != "no-store" || a.header.Get("ETag") == "" {
			t.Errorf("%s: header %v", part, a.header)
		}
		return a.json()
	}
	same := func(what string, want, got any) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	billTo := map[string]any{"line1": "1 Rue Haute", "city": "Lyon", "country": "FR"}
	same("who ordered", map[string]any{"customer_id": placed.text("customer_id"), "email": "ada@example.com", "name": "Ada", "phone": "+44 1"}, shown("contact"))
	same("where it goes", map[string]any{"bill_to": billTo, "ship_to": map[string]any{
		"name": "Bob", "company": "Co", "line1": "1 High Street", "line2": "Flat 2", "city": "Leeds", "region": "Yorkshire", "postal_code": "LS1 1UR", "country": "GB", "phone": "+44 2",
	}}, shown("address"))
	for _, part := range []string{"/contact", "/address"} {
		p.do(request{method: http.MethodGet, path: path + part, key: p.key(apikey.OrdersRead, apikey.OrdersWrite)}).problem(http.StatusForbidden, "forbidden")
		p.get("/v1/orders/nothing"+part).problem(http.StatusNotFound, "not-found")
	}
	for _, open := range []string{path, path + "/events", path + "/timeline", "/v1/orders"} {
		if a := p.get(open).expect(http.StatusOK); strings.Contains(string(a.body), "High Street") || strings.Contains(string(a.body), "ada@") {
			t.Errorf("%s tells where somebody lives: %s", open, a.body)
		}
	}
	if again := p.place("k", addressed).expect(http.StatusCreated); again.header.Get("Idempotency-Replayed") != "true" || again.text("id") != id {
		t.Errorf("repeated: %v %s", again.header, again.body)
	}
	p.place("k", strings.Replace(addressed, "1 High", "2 High", 1)).problem(http.StatusUnprocessableEntity, "idempotency-key-reused")

	moved := map[string]any{"line1": "3 Low Street", "city": "York", "country": "GB"}
	o := ordered{p, id}
	o.step("address", `{"line1": "3 Low Street", "city": "York", "country": "GB"}`)
	same("after the change", map[string]any{"bill_to": billTo, "ship_to": moved}, shown("address"))

	p.cancelled(id)
	customer := "/v1/customers/" + placed.text("customer_id")
	eventually(t, "over", func() bool { return p.post(customer+"/erase", ``).status == http.StatusAccepted })
	eventually(t, "erased", func() bool { return p.get(customer).text("status") == "erased" })
	same("who ordered, erased", map[string]any{"customer_id": placed.text("customer_id"), "email": "[erased]", "name": "[erased]"}, shown("contact"))
	gone := func(country string) any {
		return map[string]any{"name": "[erased]", "line1": "[erased]", "city": "[erased]", "country": country}
	}
	same("where it went, erased", map[string]any{"ship_to": gone("GB"), "bill_to": gone("[erased]")}, shown("address"))
}

func TestAnAddressThatNothingArrivesAtIsRefused(t *testing.T) {
	t.Parallel()
	p := shop(t, 10)
	for name, row := range map[string]struct {
		addresses string
		mistakes  []string
	}{
		"no street":         {`"ship_to": {"city": "Leeds", "country": "GB"}`, []string{"/ship_to/line1 required"}},
		"no city":           {`"ship_to": {"line1": "1", "country": "GB"}`, []string{"/ship_to/city required"}},
		"no such country":   {`"ship_to": {"line1": "1", "city": "Leeds", "country": "UK."}`, []string{"/ship_to/country invalid-country"}},
		"a bill to nowhere": {`"bill_to": {"country": "Britain"}`, []string{"/bill_to/line1 required", "/bill_to/city required", "/bill_to/country invalid-country"}},
		"both, and no one":  {`"customer": {}, "ship_to": {"name": "A", "city": "Leeds", "country": "GB"}`, []string{"/customer/email required", "/ship_to/line1 required"}},
	} {
		body := `{"customer": {"email": "a@example.com"}, `
		if strings.HasPrefix(row.addresses, `"customer"`) {
			body = `{`
		}
		a := p.place(name, body+row.addresses+`, "currency": "EUR", "lines": [{"sku": "MUG-1", "quantity": 1}], "payment": {"method": "sandbox:approved"}}`).
			problem(http.StatusUnprocessableEntity, "cart-invalid")
		var got []string
		for _, m := range a.json()["errors"].([]any) {
			m := m.(map[string]any)
			got = append(got, m["pointer"].(string)+" "+m["code"].(string))
		}
		if diff := cmp.Diff(row.mistakes, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	id := p.place("country", `{"customer": {"email": "a@example.com"}, "ship_to": {"country": "DE"}, "currency": "EUR", "lines": [{"sku": "MUG-1", "quantity": 1}], "payment": {"method": "sandbox:approved"}}`).
		expect(http.StatusCreated).text("id")
	want := map[string]any{"ship_to": map[string]any{"country": "DE"}}
	if diff := cmp.Diff(want, any(p.get("/v1/orders/"+id+"/address").expect(http.StatusOK).json())); diff != "" {
		t.Errorf("a country alone (-want +got):\n%s", diff)
	}
	p.post("/v1/customers", `{"email": "a@example.com", "address": {"country": "GB"}}`).problem(http.StatusUnprocessableEntity, "invalid-request")
}

func TestAGuestsOrderIsErasedByItself(t *testing.T) {
	t.Parallel()
	p := shop(t, 10)
	guest := func(key, customer string) ordered {
		t.Helper()
		return ordered{p, p.place(key, `{`+customer+`"external": {"source": "old-shop", "ref": "`+key+`", "time": "2010-12-01T08:26:00Z"}, "currency": "EUR",
			"ship_to": {"name": "Bob", "line1": "1 High Street", "city": "Leeds", "country": "GB"},
			"lines": [{"sku": "MUG-1", "quantity": 1}], "payment": {"method": "sandbox:approved"}}`).expect(http.StatusCreated).text("id")}
	}
	o, other := guest("a", `"customer": {"name": "Bobby", "phone": "+44 2"}, `), guest("b", "")
	o.step("notes", `{"text": "Bob rang."}`)
	path := "/v1/orders/" + o.id
	parts := []string{path + "/contact", path + "/address", path + "/notes"}
	for _, part := range parts {
		if a := p.get(part).expect(http.StatusOK); !strings.Contains(string(a.body), "Bob") {
			t.Errorf("%s: %s", part, a.body)
		}
	}
	refused := p.post(path+"/erase-contact", ``).problem(http.StatusConflict, "open-orders")
	if ids := refused.json()["order_ids"].([]any); len(ids) != 1 || ids[0] != o.id {
		t.Errorf("open are %v", ids)
	}
	p.do(request{method: http.MethodPost, path: path + "/erase-contact", key: p.key(apikey.OrdersWrite)}).problem(http.StatusForbidden, "forbidden")
	p.cancelled(o.id)
	if done := p.finish(p.post(path+"/erase-contact", ``).expect(http.StatusAccepted)); done.text("status") != "succeeded" {
		t.Fatalf("the job: %s", done.body)
	}
	for _, part := range parts {
		if a := p.get(part).expect(http.StatusOK); strings.Contains(string(a.body), "Bob") || !strings.Contains(string(a.body), "[erased]") {
			t.Errorf("%s after the erasure: %s", part, a.body)
		}
	}
	if a := p.get("/v1/customers/order:" + o.id).expect(http.StatusOK); a.text("status") != "erased" || !strings.Contains(string(a.body), o.id) {
		t.Errorf("the guest: %s", a.body)
	}
	if a := p.get("/v1/orders/" + other.id + "/address").expect(http.StatusOK); !strings.Contains(string(a.body), "High Street") {
		t.Errorf("another guest: %s", a.body)
	}
	o.change("notes", `{"text": "Bob again."}`, map[string]string{"If-Match": "*"}).problem(http.StatusConflict, "customer-erased")
	customers := p.place("k", addressed).expect(http.StatusCreated)
	of := p.post("/v1/orders/"+customers.text("id")+"/erase-contact", ``).problem(http.StatusConflict, "order-of-customer")
	if of.text("customer_id") != customers.text("customer_id") {
		t.Errorf("it is the order of %s", of.body)
	}
	p.post("/v1/orders/nothing/erase-contact", ``).problem(http.StatusNotFound, "not-found")
}
