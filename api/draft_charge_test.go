package api_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A draft shows what it would cost with shipping, discounts and taxes, and the
// order that is made of it costs that.
func TestADraftWithShippingDiscountsAndTaxes(t *testing.T) {
	t.Parallel()
	p := startDrafts(t)
	charges := `"channel": "web",
		"shipping": {"method": "express", "price": {"amount": 500, "currency": "EUR"}, "tax": {"amount": 95, "currency": "EUR"}},
		"discounts": [{"code": "SUMMER", "amount": {"amount": 301, "currency": "EUR"}}]`
	opened := p.post("/v1/drafts", `{"currency": "EUR", "customer": {"email": "ada@example.com"}, "payment_method": "sandbox:approved",
		"lines": [{"sku": "MUG-1", "quantity": 1}], `+charges+`}`).expect(201)
	path := opened.header.Get("Location")
	p.send(http.MethodPut, path+"/lines/MUG-1", `{"quantity": 2, "tax": {"amount": 437, "currency": "GBP"}}`, "*").problem(422, "draft-invalid")
	p.send(http.MethodPut, path+"/lines/MUG-1", `{"quantity": 2, "tax": {"amount": 437, "currency": "EUR"}}`, "*").expect(200)
	p.send(http.MethodPut, path+"/details", `{"channel": "Ada Lovelace"}`, "*").problem(422, "draft-invalid")

	shown := p.get(path).expect(200).json()
	if diff := cmp.Diff(decoded(t, `{"sku": "MUG-1", "quantity": 2, "tax": {"amount": 437, "currency": "EUR"}}`), shown["lines"].([]any)[0]); diff != "" {
		t.Errorf("the line (-want +got):\n%s", diff)
	}
	for name, want := range decoded(t, `{`+charges+`}`) {
		if diff := cmp.Diff(want, shown[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	totals := shown["preview"].(map[string]any)["totals"]
	want := decoded(t, `{"subtotal": {"amount": 2500, "currency": "EUR"}, "discount": {"amount": 301, "currency": "EUR"},
		"shipping": {"amount": 500, "currency": "EUR"}, "tax": {"amount": 532, "currency": "EUR"}, "grand": {"amount": 3231, "currency": "EUR"}}`)
	if diff := cmp.Diff(any(want), totals); diff != "" {
		t.Errorf("it would cost (-want +got):\n%s", diff)
	}
	placed := p.place(path, "once", "approved").expect(201).json()
	for name, want := range decoded(t, `{`+charges+`}`) {
		if diff := cmp.Diff(want, placed[name]); diff != "" {
			t.Errorf("of the order, %s (-want +got):\n%s", name, diff)
		}
	}
	if diff := cmp.Diff(totals, placed["totals"]); diff != "" {
		t.Errorf("it costs (-draft +order):\n%s", diff)
	}

	p.send(http.MethodPut, path+"/details", `{}`, "*").problem(409, "draft-placed")
	other := p.post("/v1/drafts", anyDraft).expect(201).header.Get("Location")
	p.send(http.MethodPut, other+"/details", `{"discounts": [{"code": "SUMMER", "amount": {"amount": 2501, "currency": "EUR"}}]}`, "*").expect(200)
	if preview := p.get(other).json()["preview"].(map[string]any); preview["errors"] == nil {
		t.Errorf("more off than it costs: %v", preview)
	}
}
