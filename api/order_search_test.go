package api_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// search returns the numbers of the orders that are found, all pages together.
func (p *platform) search(query url.Values, position string) (numbers []string) {
	p.t.Helper()
	query.Set("min_position", position)
	query.Set("limit", "1")
	for path := "/v1/orders?" + query.Encode(); path != ""; {
		page := p.get(path).expect(200)
		for _, item := range page.json()["items"].([]any) {
			numbers = append(numbers, item.(map[string]any)["number"].(string))
		}
		path = ""
		if link := page.header.Get("Link"); link != "" {
			path = strings.Trim(strings.Split(link, ";")[0], "<>")
		}
	}
	return numbers
}

func TestOrdersAreSearched(t *testing.T) {
	t.Parallel()
	p := shop(t, 10)
	p.post("/v1/products", `{"sku": "POT-7", "title": "Théière émaillée", "prices": [{"amount": 100, "currency": "EUR"}]}`).expect(201)
	p.post("/v1/stock/main/POT-7/receive", `{"quantity": 5}`).expect(200)
	mugs := p.place("k1", cart(1, "approved")).expect(201)
	pots := p.place("k2", strings.ReplaceAll(cart(1, "approved"), "MUG-1", "POT-7")).expect(201)
	o := ordered{p, pots.text("id")}
	tagged := o.step("tags", `{"add": ["gift"]}`)
	at := tagged.header.Get("X-Write-Position")
	one := func(values ...string) url.Values {
		query := url.Values{}
		for i := 0; i < len(values); i += 2 {
			query.Set(values[i], values[i+1])
		}
		return query
	}
	both := pots.text("number") + " " + mugs.text("number")
	for name, row := range map[string]struct {
		query url.Values
		want  string
	}{
		"by SKU":                 {one("q", "pot-7"), pots.text("number")},
		"by number":              {one("q", mugs.text("number")), mugs.text("number")},
		"by title":               {one("q", "THEIERE émaillee"), pots.text("number")},
		"by tag":                 {one("q", "gift"), pots.text("number")},
		"without":                {one("q", "7 -gift"), ""},
		"with a filter":          {one("q", "gift", "sku", "POT-7", "tag", "gift", "status", "placed"), pots.text("number")},
		"with one that says no":  {one("q", "gift", "status", "cancelled"), ""},
		"until the last year":    {one("q", "pot-7", "placed_from", "0001-01-01T00:00:00Z", "placed_to", "9999-12-31T00:00:00Z"), pots.text("number")},
		"from the last year":     {one("q", "pot-7", "placed_from", "9999-12-31T00:00:00Z"), ""},
		"until the first year":   {one("q", "pot-7", "placed_to", "0001-01-01T00:00:00Z"), ""},
		"no filter, for compare": {one(), both},
	} {
		if got := strings.Join(p.search(row.query, at), " "); got != row.want {
			t.Errorf("%s: %q, want %q", name, got, row.want)
		}
	}
	o.step("hold", `{"reason": "manual"}`)
	held := o.step("notes", `{"text": "ask Ada Lovelace"}`).header.Get("X-Write-Position")
	if got := p.search(one("q", "gift", "status", "on_hold"), held); len(got) != 1 {
		t.Errorf("what is held: %v", got)
	}
	if got := p.search(one("q", "lovelace"), held); len(got) != 0 {
		t.Errorf("a note is searched: %v", got)
	}
	p.get("/v1/orders?q=ada%40example.com").problem(http.StatusUnprocessableEntity, "invalid-request")
	p.get("/v1/orders?q=-gift").problem(http.StatusUnprocessableEntity, "invalid-request")
	first := p.get("/v1/orders?limit=1&q=1")
	if next, ok := first.json()["next_cursor"].(string); ok {
		p.get("/v1/orders?limit=1&q=2&cursor="+next).problem(http.StatusBadRequest, "bad-cursor")
	}
}
