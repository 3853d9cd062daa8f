package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/domain/apikey"
)

// An order says how it goes, what was taken off and what taxes are on it, and
// all of that is authorised.
func TestAnOrderWithShippingDiscountsAndTaxes(t *testing.T) {
	t.Parallel()
	p := shop(t, 10)
	place := func(key, body string) answer {
		t.Helper()
		return p.do(request{
			method: http.MethodPost, path: "/v1/orders", body: body, key: p.key(apikey.OrdersWrite), header: map[string]string{"Idempotency-Key": key},
		})
	}
	body := `{"customer": {"email": "a@example.com"}, "currency": "EUR", "channel": "web",
		"lines": [{"sku": "MUG-1", "quantity": 2, "unit_price": {"amount": 1250, "currency": "EUR"}, "tax": {"amount": 437, "currency": "EUR"}},
			{"sku": "MUG-1", "quantity": 1, "tax": {"amount": 218, "currency": "EUR"}}],
		"shipping": {"method": "express", "price": {"amount": 500, "currency": "EUR"}, "tax": {"amount": 95, "currency": "EUR"}},
		"discounts": [{"code": "SUMMER", "amount": {"amount": 301, "currency": "EUR"}}],
		"payment": {"method": "sandbox:approved"}}`
	placed := place("k1", body).expect(201)
	want := decoded(t, `{"channel": "web",
		"shipping": {"method": "express", "price": {"amount": 500, "currency": "EUR"}, "tax": {"amount": 95, "currency": "EUR"}},
		"discounts": [{"code": "SUMMER", "amount": {"amount": 301, "currency": "EUR"}}],
		"totals": {"subtotal": {"amount": 3750, "currency": "EUR"}, "discount": {"amount": 301, "currency": "EUR"},
			"shipping": {"amount": 500, "currency": "EUR"}, "tax": {"amount": 750, "currency": "EUR"}, "grand": {"amount": 4699, "currency": "EUR"}},
		"lines": [{"discount": {"amount": 201, "currency": "EUR"}, "tax": {"amount": 437, "currency": "EUR"}, "total": {"amount": 2736, "currency": "EUR"}},
			{"discount": {"amount": 100, "currency": "EUR"}, "tax": {"amount": 218, "currency": "EUR"}, "total": {"amount": 1368, "currency": "EUR"}}]}`)
	for _, shown := range []map[string]any{placed.json(), p.get("/v1/orders/" + placed.text("id")).expect(200).json()} {
		got := map[string]any{}
		for name := range want {
			got[name] = shown[name]
		}
		lines := []any{}
		for _, line := range got["lines"].([]any) {
			fields := line.(map[string]any)
			lines = append(lines, map[string]any{"discount": fields["discount"], "tax": fields["tax"], "total": fields["total"]})
		}
		got["lines"] = lines
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if held := shown["payment"].(map[string]any)["authorised"].(map[string]any)["amount"]; held != 4699.0 {
			t.Errorf("authorised %v", held)
		}
	}
	place("k1", body).expect(201)
	for name, c := range map[string]struct{ from, to, slug, mistakes string }{
		"a price the shopper did not see": {`"amount": 1250`, `"amount": 1249`, "price-changed", "/lines/0/unit_price price-changed"},
		"a sentence for a channel":        {`"web"`, `"our web shop"`, "cart-invalid", "/channel invalid-channel"},
		"taxes of another currency":       {`"amount": 95, "currency": "EUR"`, `"amount": 95, "currency": "GBP"`, "currency-mismatch", "/shipping/tax/currency currency-mismatch"},
		"more off than it costs":          {`"amount": 301`, `"amount": 3751`, "cart-invalid", "/discounts discount-too-large"},
	} {
		status := 422
		if c.slug == "price-changed" {
			status = 409
		}
		if got := place(name, strings.Replace(body, c.from, c.to, 1)).problem(status, c.slug).codes(); got != c.mistakes {
			t.Errorf("%s: %s", name, got)
		}
	}
	plain := place("k2", cart(1, "approved")).expect(201).json()
	for _, name := range []string{"channel", "shipping", "discounts"} {
		if said, there := plain[name]; there {
			t.Errorf("an order without says %s: %v", name, said)
		}
	}
}

func decoded(t *testing.T, text string) (value map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatal(err)
	}
	return value
}
