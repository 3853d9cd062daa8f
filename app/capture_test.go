package app_test

import (
	"net/http"
	"testing"
)

// Who captures by hand is told at once what the gateway said, where it is
// quick.
func TestMoneyThatIsTakenByHandIsTakenBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	p := startPrivate(t)
	p.must(http.MethodPost, "/v1/products", `{"sku": "MUG-1", "title": "Mug", "prices": [{"amount": 1250, "currency": "EUR"}]}`)
	p.must(http.MethodPost, "/v1/stock/main/MUG-1/receive", `{"quantity": 10}`)
	placed := p.must(http.MethodPost, "/v1/orders", `{"customer": {"email": "a@example.com"}, "currency": "EUR", "lines": [{"sku": "MUG-1", "quantity": 1}], "payment": {"method": "sandbox:approved"}}`)
	path := "/v1/orders/" + placed["id"].(string)
	status, captured, raw := p.ask(http.MethodPost, path+"/captures", `{"id": "by-hand", "amount": {"amount": 250, "currency": "EUR"}}`)
	if status != http.StatusAccepted || captured["status"] != "done" {
		t.Errorf("the answer is %d %s", status, raw)
	}
	p.eventually("known to the order", func() bool { return p.must(http.MethodGet, path, "")["payment_status"] == "partially_captured" })
	status, _, raw = p.ask(http.MethodPost, path+"/captures", `{"id": "too-much", "amount": {"amount": 1001, "currency": "EUR"}}`)
	if status != http.StatusUnprocessableEntity {
		t.Errorf("more than is left: %d %s", status, raw)
	}
}
