package api_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/client"
)

func (p *platform) change(method, path, body string, match string) answer {
	p.t.Helper()
	r := request{method: method, path: path, body: body, header: map[string]string{}}
	if match != "" {
		r.header["If-Match"] = match
	}
	return p.do(r)
}

func TestAProductIsWithdrawnAndListedAgain(t *testing.T) {
	t.Parallel()
	p := shop(t, 10)
	first := p.ordered()
	withdraw := func(match string) answer {
		return p.change(http.MethodPost, "/v1/products/MUG-1/withdraw", "", match)
	}
	withdraw(`"7"`).problem(412, "revision-mismatch")
	gone := withdraw(`"0"`).expect(200)
	if gone.text("status") != "withdrawn" || gone.header.Get("ETag") != `"1"` || gone.header.Get("X-Write-Position") == "" {
		t.Errorf("%v %s", gone.header, gone.body)
	}
	if again := withdraw("").expect(200); again.header.Get("ETag") != `"1"` || again.header.Get("X-Write-Position") != "" {
		t.Errorf("a second time: %v", again.header)
	}
	if got := p.get("/v1/products/MUG-1").expect(200); got.text("status") != "withdrawn" {
		t.Errorf("shown as %s", got.body)
	}
	refused := p.place("k", cart(1, "approved")).problem(422, "cart-invalid")
	if codes := refused.codes(); codes != "/lines/0/sku sku-not-active" {
		t.Errorf("mistakes %s", codes)
	}
	edit := request{method: http.MethodPost, path: "/v1/orders/" + first.id + "/edits", body: `{"lines": [{"sku": "MUG-1", "quantity": 1}]}`, header: map[string]string{"Idempotency-Key": "e", "If-Match": "*"}}
	p.do(edit).problem(422, "cart-invalid")
	p.post("/v1/products", mug).expect(200)
	p.place("k2", cart(1, "approved")).problem(422, "cart-invalid") // to register it again does not list it
	p.do(request{
		method: http.MethodPost, path: "/v1/orders/" + first.id + "/shipments", body: `{"carrier": "dhl"}`, header: map[string]string{"Idempotency-Key": "s", "If-Match": "*"},
	}).expect(201)

	p.change(http.MethodPost, "/v1/products/MUG-1/relist", "", "").expect(200)
	p.place("k3", cart(1, "approved")).expect(201)
	p.place("k", cart(1, "approved")).problem(422, "cart-invalid") // the answer it had
	p.change(http.MethodPost, "/v1/products/NONE/withdraw", "", "").problem(404, "unknown-sku")
	p.change(http.MethodPost, "/v1/products/NONE/relist", "", "").problem(404, "unknown-sku")
}

// codes are the mistakes of a problem.
func (a answer) codes() string {
	var codes []string
	for _, e := range a.json()["errors"].([]any) {
		codes = append(codes, fmt.Sprint(e.(map[string]any)["pointer"], " ", e.(map[string]any)["code"]))
	}
	return strings.Join(codes, ", ")
}

func TestATitleIsChanged(t *testing.T) {
	t.Parallel()
	p := shop(t, 10)
	first := p.ordered()
	put := func(body, match string) answer {
		return p.change(http.MethodPut, "/v1/products/MUG-1/title", body, match)
	}
	if got := put(`{"title": "Big mug"}`, `"0"`).expect(200); got.text("title") != "Big mug" {
		t.Errorf("%s", got.body)
	}
	put(`{"title": "Bigger mug"}`, `"0"`).problem(412, "revision-mismatch")
	put(`{"title": ""}`, "").problem(422, "product-invalid")
	p.post("/v1/products", mug).expect(200)
	title := func(id string) any {
		return p.get("/v1/orders/" + id).expect(200).json()["lines"].([]any)[0].(map[string]any)["title"]
	}
	if was, is := title(first.id), title(p.place("k", cart(1, "approved")).expect(201).text("id")); was != "Mug" || is != "Big mug" {
		t.Errorf("orders of %v and %v", was, is)
	}
}

func TestTheShopperPaysThePriceThatWasSeenOrIsAsked(t *testing.T) {
	t.Parallel()
	p := shop(t, 10)
	seen := func(amount int) string {
		return strings.Replace(cart(1, "approved"), `"quantity": 1`, fmt.Sprintf(`"quantity": 1, "unit_price": {"amount": %d, "currency": "EUR"}`, amount), 1)
	}
	p.change(http.MethodPut, "/v1/products/MUG-1/price", `{"amount": 1350, "currency": "EUR"}`, "").expect(200)
	refused := p.place("k1", seen(1250)).problem(409, "price-changed")
	if codes := refused.codes(); codes != "/lines/0/unit_price price-changed" || !strings.Contains(string(refused.body), "13.50 EUR") {
		t.Errorf("%s", refused.body)
	}
	p.place("k2", seen(1350)).expect(201)
	if level := p.level(); level["committed"] != 1.0 || level["reserved"] != 0.0 {
		t.Errorf("the refused order left %v", level)
	}
}

func TestTheCountryOfTheOrderChoosesThePrice(t *testing.T) {
	t.Parallel()
	p := shop(t, 10)
	p.change(http.MethodPut, "/v1/products/MUG-1/price", `{"amount": 1100, "currency": "EUR", "region": "DE"}`, "").expect(200)
	to := func(country string) string {
		return strings.Replace(cart(1, "approved"), `"currency"`, fmt.Sprintf(`"ship_to": {"country": %q}, "currency"`, country), 1)
	}
	costs := func(a answer, want float64) {
		t.Helper()
		if got := a.expect(201).json()["totals"].(map[string]any)["grand"].(map[string]any)["amount"]; got != want {
			t.Errorf("it costs %v, want %v", got, want)
		}
	}
	german := p.place("k1", strings.Replace(to("DE"), `"quantity": 1`, `"quantity": 2`, 1))
	costs(german, 2200)
	costs(p.place("k2", to("FR")), 1250)
	costs(p.place("k3", cart(1, "approved")), 1250)
	edited := p.do(request{
		method: http.MethodPost, path: "/v1/orders/" + german.text("id") + "/edits", body: `{"lines": [{"line_id": "1", "quantity": 1}, {"sku": "MUG-1", "quantity": 1}]}`,
		header: map[string]string{"Idempotency-Key": "e", "If-Match": "*"},
	})
	costs(edited, 2200)
}

func TestTheCatalogueIsListed(t *testing.T) {
	t.Parallel()
	p := start(t)
	for _, sku := range []string{"C", "A", "B"} {
		p.post("/v1/products", fmt.Sprintf(`{"sku": %q, "title": "Mug", "prices": [{"amount": 1250, "currency": "EUR", "region": "DE"}]}`, sku)).expect(201)
	}
	gone := p.change(http.MethodPost, "/v1/products/B/withdraw", "", "").expect(200)
	list := func(query string) (skus []string, got answer) {
		t.Helper()
		got = p.get("/v1/products?min_position=" + gone.header.Get("X-Write-Position") + query).expect(200)
		for _, item := range got.json()["items"].([]any) {
			fields := item.(map[string]any)
			skus = append(skus, fmt.Sprint(fields["sku"], " ", fields["status"]))
			if price := fields["prices"].([]any)[0].(map[string]any); price["region"] != "DE" || price["amount"] != 1250.0 {
				t.Errorf("price %v", price)
			}
		}
		return skus, got
	}
	expect := func(want string, got []string) {
		t.Helper()
		if strings.Join(got, ", ") != want {
			t.Errorf("listed %v, want %s", got, want)
		}
	}
	all, _ := list("")
	expect("A active, B withdrawn, C active", all)
	withdrawn, _ := list("&status=withdrawn")
	expect("B withdrawn", withdrawn)
	first, page := list("&status=active&limit=1")
	expect("A active", first)
	if link := page.header.Get("Link"); !strings.Contains(link, "status=active") {
		t.Errorf("the link to the next page is %s", link)
	}
	second, _ := list("&status=active&limit=1&cursor=" + page.text("next_cursor"))
	expect("C active", second)
	p.get("/v1/products?cursor="+page.text("next_cursor")).problem(400, "bad-cursor") // of another status
	p.get("/v1/products?status=lost").problem(422, "invalid-request")
}

func TestClientKeepsTheCatalogue(t *testing.T) {
	t.Parallel()
	p := shop(t, 3)
	c := client.New(p.url, adminKey)
	t.Cleanup(c.Close)
	present, err := c.Product(t.Context(), "MUG-1")
	if err != nil || present.ETag != `"0"` {
		t.Fatalf("%+v, %v", present, err)
	}
	for i, change := range []func(ifMatch string) (client.ListedProduct, error){
		func(ifMatch string) (client.ListedProduct, error) {
			return c.ChangePrice(t.Context(), "MUG-1", ifMatch, client.Price{Money: client.Money{Amount: 1100, Currency: "EUR"}, Region: "DE"})
		},
		func(ifMatch string) (client.ListedProduct, error) {
			return c.ChangeTitle(t.Context(), "MUG-1", ifMatch, "Big mug")
		},
		func(ifMatch string) (client.ListedProduct, error) {
			return c.WithdrawProduct(t.Context(), "MUG-1", ifMatch)
		},
		func(ifMatch string) (client.ListedProduct, error) {
			return c.RelistProduct(t.Context(), "MUG-1", ifMatch)
		},
	} {
		if _, err := change(`"99"`); err == nil {
			t.Errorf("change %d is made at any revision", i)
		}
		if present, err = change(present.ETag); err != nil {
			t.Fatal(err)
		}
		if want := i == 2; (present.Status == "withdrawn") != want {
			t.Errorf("after change %d it is %s", i, present.Status)
		}
	}
	if present.Title != "Big mug" || len(present.Prices) != 2 || present.Prices[1].Region != "DE" || present.Prices[1].Amount != 1100 {
		t.Errorf("%+v", present)
	}
	eventually(t, "listed", func() bool {
		page, err := c.Products(t.Context(), url.Values{"status": {"active"}})
		return err == nil && len(page.Items) == 1 && page.Items[0].Title == "Big mug"
	})
	eventually(t, "stock listed", func() bool {
		page, err := c.StockItems(t.Context(), url.Values{"sku": {"MUG-1"}})
		return err == nil && len(page.Items) == 1 && page.Items[0].OnHand == 3 && page.Items[0].Policy == "deny"
	})
}
