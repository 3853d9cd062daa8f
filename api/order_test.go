package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/api"
	"github.com/waybill-dev/waybill/domain/apikey"
)

// cart is the smallest order, paid in a way.
func cart(quantity int, method string) string {
	return fmt.Sprintf(`{"customer": {"email": "a@example.com", "name": "A"}, "currency": "EUR",
		"lines": [{"sku": "MUG-1", "quantity": %d}], "payment": {"method": "sandbox:%s"}}`, quantity, method)
}

// shop is a platform that sells mugs.
func shop(t *testing.T, units int) *platform {
	t.Helper()
	return shopWith(t, units, func(*api.API) {})
}

func shopWith(t *testing.T, units int, change func(*api.API)) *platform {
	t.Helper()
	p := startWith(t, change)
	p.post("/v1/products", mug).expect(201)
	p.post("/v1/stock/main/MUG-1/receive", fmt.Sprintf(`{"quantity": %d}`, units)).expect(200)
	return p
}

func (p *platform) place(key, body string) answer {
	p.t.Helper()
	return p.do(request{method: http.MethodPost, path: "/v1/orders", body: body, header: map[string]string{"Idempotency-Key": key}})
}

func (p *platform) level() map[string]any {
	p.t.Helper()
	return p.get("/v1/stock/main/MUG-1").expect(200).json()
}

func TestPlacingAnOrder(t *testing.T) {
	t.Parallel()
	p := shop(t, 10)
	placed := p.place("k1", cart(2, "approved")).expect(201)
	id := placed.text("id")
	if placed.header.Get("Location") != "/v1/orders/"+id || placed.header.Get("ETag") != `"0"` || placed.header.Get("Idempotency-Replayed") != "" {
		t.Errorf("headers %v", placed.header)
	}
	body := placed.json()
	if diff := cmp.Diff(map[string]any{"amount": 2500.0, "currency": "EUR"}, body["totals"].(map[string]any)["grand"]); diff != "" {
		t.Errorf("total (-want +got):\n%s", diff)
	}
	if strings.Contains(string(placed.body), "a@example.com") {
		t.Error("the order shows the shopper's address")
	}
	if level := p.level(); level["committed"] != 2.0 || level["available"] != 8.0 {
		t.Errorf("stock after the order: %v", level)
	}
	shown := p.get("/v1/orders/" + id).expect(200)
	if diff := cmp.Diff(body, shown.json()); diff != "" {
		t.Errorf("the order as placed and as shown differ:\n%s", diff)
	}
	same := p.do(request{method: http.MethodGet, path: "/v1/orders/" + id, header: map[string]string{"If-None-Match": `W/"0"`}})
	if same.expect(304); len(same.body) > 0 {
		t.Errorf("304 with a body %s", same.body)
	}
	checkout := p.get("/v1/checkouts/" + placed.text("checkout_id")).expect(200)
	if checkout.text("status") != "completed" || checkout.text("order_id") != id {
		t.Errorf("checkout: %s", checkout.body)
	}
	eventually(t, "numbered", func() bool { return p.get("/v1/orders/by-number/"+placed.text("number")).status == 200 })
	eventually(t, "in the timeline", func() bool {
		answer := p.get("/v1/orders/" + id + "/timeline").expect(200)
		return strings.Contains(string(answer.body), `"type":"CheckoutPaymentAuthorised"`) && strings.Contains(string(answer.body), `"type":"OrderPlaced"`)
	})
	for path, slug := range map[string]string{
		"/v1/orders/none": "not-found", "/v1/orders/none/timeline": "not-found", "/v1/orders/by-number/1": "not-found", "/v1/checkouts/none": "checkout-not-found",
	} {
		p.get(path).problem(404, slug)
	}
}

func TestRepeatedOrders(t *testing.T) {
	t.Parallel()
	p := shop(t, 10)
	first := p.place("k1", cart(2, "approved")).expect(201)
	for name, body := range map[string]string{
		"the same bytes":          cart(2, "approved"),
		"another order of fields": `{"payment":{"method":"sandbox:approved"},"lines":[{"quantity":2,"sku":"MUG-1"}],"currency":"EUR","customer":{"name":"A","email":"a@example.com"}}`,
	} {
		again := p.place("k1", body).expect(201)
		if again.header.Get("Idempotency-Replayed") != "true" || string(again.body) != string(first.body) {
			t.Errorf("%s: %v\n%s\n%s", name, again.header, first.body, again.body)
		}
	}
	p.place("k1", cart(3, "approved")).problem(422, "idempotency-key-reused")
	p.place("", cart(2, "approved")).problem(400, "idempotency-key-missing")
	p.place(strings.Repeat("k", 256), cart(2, "approved")).problem(400, "idempotency-key-invalid")
	// The same key of somebody else is another key.
	other := p.do(request{
		method: http.MethodPost, path: "/v1/orders", body: cart(1, "approved"), key: p.key(apikey.OrdersWrite), header: map[string]string{"Idempotency-Key": "k1"},
	}).expect(201)
	if other.text("id") == first.text("id") {
		t.Error("two callers share a key")
	}
	if level := p.level(); level["committed"] != 3.0 {
		t.Errorf("stock: %v", level)
	}
}

func TestRefusedOrders(t *testing.T) {
	t.Parallel()
	p := shop(t, 10)
	for _, c := range []struct {
		name, body string
		status     int
		slug       string
	}{
		{"out of stock", cart(11, "approved"), 409, "out-of-stock"},
		{"an invalid cart", `{"customer": {"email": "nobody"}, "currency": "XXX", "lines": [{"sku": "NONE", "quantity": 0}, {"sku": "MUG-1", "quantity": 10000}],
			"payment": {"method": ""}, "ship_to": {"country": "Britain"}}`, 422, "cart-invalid"},
		{"an invalid cart of a known customer", `{"customer": {"email": "a@example.com"}, "currency": "EUR", "lines": [{"sku": "NONE", "quantity": 1}, {"sku": "MUG-1", "quantity": 0}],
			"payment": {"method": "sandbox:approved"}}`, 422, "cart-invalid"},
		{"a method of a megabyte", `{"customer": {"email": "a@example.com"}, "currency": "EUR", "lines": [{"sku": "MUG-1", "quantity": 1}],
			"payment": {"method": "` + strings.Repeat("x", 1<<20) + `"}}`, 422, "invalid-request"},
		{"a number that fits no integer", `{"customer": {"email": "a@example.com"}, "currency": "EUR", "lines": [{"sku": "MUG-1", "quantity": 99999999999999999999}],
			"payment": {"method": "sandbox:approved"}}`, 422, "invalid-request"},
		{"no customer", `{"currency": "EUR", "lines": [{"sku": "MUG-1", "quantity": 1}], "payment": {"method": "sandbox:approved"}}`, 422, "cart-invalid"},
		{"no lines", `{"customer": {"email": "a@example.com"}, "currency": "EUR", "lines": [], "payment": {"method": "sandbox:approved"}}`, 422, "cart-invalid"},
		{"members missing and unknown", `{"customer": {"mail": "a@example.com"}, "lines": [{"sku": "MUG-1", "qty": 1}]}`, 422, "invalid-request"},
		{"a price in another currency", `{"customer": {"email": "a@example.com"}, "currency": "GBP", "lines": [{"sku": "MUG-1", "quantity": 1}], "payment": {"method": "sandbox:approved"}}`, 422, "cart-invalid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			q := *p
			q.t = t
			key := "refused " + c.name
			first := q.place(key, c.body).problem(c.status, c.slug)
			first.golden("problems/order_" + strings.ReplaceAll(c.name, " ", "_"))
			if again := q.place(key, c.body).problem(c.status, c.slug); string(again.body) != string(first.body) {
				t.Errorf("the second answer differs:\n%s\n%s", first.body, again.body)
			}
		})
	}
}

func TestDeclinedPayments(t *testing.T) {
	t.Parallel()
	p := shop(t, 10)
	declined := p.place("k1", cart(2, "declined")).problem(402, "payment-declined")
	id := declined.text("checkout_id")
	if declined.text("retry_until") == "" || p.level()["reserved"] != 2.0 {
		t.Errorf("the goods are not kept: %s %v", declined.body, p.level())
	}
	if got := p.get("/v1/checkouts/" + id).text("status"); got != "payment_declined" {
		t.Errorf("status %q", got)
	}
	if again := p.place("k1", cart(2, "declined")).problem(402, "payment-declined"); again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("the second answer is not marked: %v", again.header)
	}
	pay := func(key, method string) answer {
		t.Helper()
		return p.do(request{
			method: http.MethodPost, path: "/v1/checkouts/" + id + "/payments", body: `{"method": "sandbox:` + method + `"}`,
			header: map[string]string{"Idempotency-Key": key},
		})
	}
	pay("", "approved").problem(400, "idempotency-key-missing")
	pay("p1", "declined").problem(402, "payment-declined")
	paid := pay("p2", "approved").expect(201)
	if again := pay("p2", "approved").expect(201); string(again.body) != string(paid.body) || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("the second answer differs: %v %s", again.header, again.body)
	}
	pay("p2", "declined").problem(422, "idempotency-key-reused")
	pay("p1", "approved").problem(422, "idempotency-key-reused")
	p.do(request{
		method: http.MethodPost, path: "/v1/checkouts/" + id + "/payments", header: map[string]string{"Idempotency-Key": "p2"},
		body: `{"method": "sandbox:approved", "return_url": "https://elsewhere.example"}`,
	}).problem(422, "idempotency-key-reused")
	pay("p3", "approved").problem(409, "invalid-transition")
	if p.place("k1", cart(2, "declined")).expect(201).text("id") != paid.text("id") {
		t.Error("the first request does not find the order")
	}
	if level := p.level(); level["committed"] != 2.0 || level["reserved"] != 0.0 {
		t.Errorf("stock: %v", level)
	}
	p.do(request{
		method: http.MethodPost, path: "/v1/checkouts/none/payments", body: `{"method": "sandbox:approved"}`, header: map[string]string{"Idempotency-Key": "p"},
	}).problem(404, "checkout-not-found")
}

func TestUnknownOutcome(t *testing.T) {
	t.Parallel()
	p := shop(t, 10)
	pending := p.place("k1", cart(2, "timeout")).expect(202)
	location := pending.header.Get("Location")
	if location != "/v1/checkouts/"+pending.text("id") || pending.text("status") != "payment_unknown" {
		t.Errorf("%v %s", pending.header, pending.body)
	}
	if got := p.get(location).expect(200).text("status"); got != "payment_unknown" {
		t.Errorf("status %q", got)
	}
}

func TestManyBuyersOfTheLastUnits(t *testing.T) {
	t.Parallel()
	const units, buyers = 5, 20
	p := shop(t, units)
	var wait sync.WaitGroup
	var mu sync.Mutex
	count := map[int]int{}
	for i := range buyers {
		wait.Go(func() {
			got := p.place(fmt.Sprint("k", i), cart(1, "approved"))
			mu.Lock()
			defer mu.Unlock()
			count[got.status]++
		})
	}
	wait.Wait()
	if diff := cmp.Diff(map[int]int{201: units, 409: buyers - units}, count); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
}

func TestImportedOrders(t *testing.T) {
	t.Parallel()
	p := shop(t, 10)
	order := `{"currency": "EUR", "lines": [{"sku": "MUG-1", "quantity": 2, "unit_price": {"amount": 255, "currency": "EUR"}}],
		"payment": {"method": "sandbox:approved"}, "ship_to": {"country": "GB"},
		"external": {"source": "old", "ref": "536365", "time": "2010-12-01T08:26:00Z"}, "customer": {"id": "old:17850"}}`
	send := func(key, body, credential string) answer {
		t.Helper()
		return p.do(request{method: http.MethodPost, path: "/v1/orders", body: body, key: credential, header: map[string]string{"Idempotency-Key": key}})
	}
	writer, importer := p.key(apikey.OrdersWrite), p.key(apikey.OrdersImport)
	send("k1", order, writer).problem(403, "forbidden").golden("problems/order_imported_without_the_scope")
	placed := send("k1", order, importer).expect(201).json()
	want := map[string]any{
		"customer_id": "old:17850", "ship_to": map[string]any{"country": "GB"},
		"external": map[string]any{"source": "old", "ref": "536365", "time": "2010-12-01T08:26:00Z"},
	}
	got := map[string]any{"customer_id": placed["customer_id"], "ship_to": placed["ship_to"], "external": placed["external"]}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	if grand := placed["totals"].(map[string]any)["grand"].(map[string]any)["amount"]; grand != 510.0 {
		t.Errorf("the agreed price was not taken: %v", grand)
	}
	guest := strings.Replace(order, `, "customer": {"id": "old:17850"}`, "", 1)
	if got := send("k2", guest, importer).expect(201).json()["customer_id"]; got != "" {
		t.Errorf("a guest is %v", got)
	}
	send("k3", `{"customer": {"email": "a@example.com"}, "currency": "EUR", "lines": [{"sku": "MUG-1", "quantity": 1}],
		"payment": {"method": "sandbox:approved"}, "external": {"source": "", "ref": "", "time": "2010-12-01T08:26:00Z"}}`, importer).problem(422, "cart-invalid")
}

func TestListingOrders(t *testing.T) {
	t.Parallel()
	p := shop(t, 100)
	want := map[string]bool{}
	for i := range 5 {
		want[p.place(fmt.Sprint("k", i), cart(1, "approved")).expect(201).text("id")] = true
	}
	list := func(path string) (ids []string, next, link string) {
		t.Helper()
		answer := p.get(path).expect(200)
		var page struct {
			Items []struct{ ID string }
			Next  string `json:"next_cursor"`
		}
		if err := json.Unmarshal(answer.body, &page); err != nil {
			t.Fatal(err)
		}
		for _, item := range page.Items {
			ids = append(ids, item.ID)
		}
		return ids, page.Next, answer.header.Get("Link")
	}
	eventually(t, "listed", func() bool { ids, _, _ := list("/v1/orders"); return len(ids) == 5 })
	seen := map[string]bool{}
	pages := 0
	for path := "/v1/orders?limit=2&sku=MUG-1"; path != ""; pages++ {
		ids, next, link := list(path)
		for _, id := range ids {
			seen[id] = true
		}
		if (next == "") != (link == "") {
			t.Errorf("next %q and link %q", next, link)
		}
		path = strings.TrimPrefix(strings.TrimSuffix(link, `>; rel="next"`), "<")
	}
	if diff := cmp.Diff(want, seen); diff != "" || pages != 3 {
		t.Errorf("%d pages (-want +got):\n%s", pages, diff)
	}
	_, cursor, _ := list("/v1/orders?limit=2")
	p.get("/v1/orders?limit=2&status=shipped&cursor="+cursor).problem(400, "bad-cursor")
	p.get("/v1/orders?cursor=nonsense").problem(400, "bad-cursor")
	p.get("/v1/orders?limit=3&cursor=" + cursor).expect(200) // the limit may change
	p.get("/v1/orders?limit=201").problem(422, "invalid-request")
	p.get("/v1/orders?placed_from=yesterday").problem(422, "invalid-request")
	for path, count := range map[string]int{
		"/v1/orders?status=shipped": 0, "/v1/orders?sku=NONE": 0, "/v1/orders?placed_to=2020-01-01T00:00:00Z": 0,
		"/v1/orders?status=placed&payment_status=authorised&placed_from=2020-01-01T00:00:00Z": 5,
		"/v1/orders?placed_to=0001-01-01T00:00:00Z":                                           0, "/v1/orders?placed_from=0001-01-01T00:00:00Z": 5,
		"/v1/payments?requested_to=0001-01-01T00:00:00Z": 0,
	} {
		if ids, _, _ := list(path); len(ids) != count {
			t.Errorf("%s: %d orders, want %d", path, len(ids), count)
		}
	}
	newest, _, _ := list("/v1/orders")
	oldest, _, _ := list("/v1/orders?sort=placed_at")
	if slices.Reverse(oldest); !slices.Equal(newest, oldest) {
		t.Errorf("the oldest first: %v, backwards", oldest)
	}
	_, cursor, _ = list("/v1/orders?limit=2&sort=placed_at")
	p.get("/v1/orders?limit=2&cursor="+cursor).problem(400, "bad-cursor")
	p.get("/v1/orders?sort=total").problem(422, "invalid-request")
	for path, want := range map[string]string{
		"/v1/orders?limit=2&count=estimate": `"count":{"orders":5,"exact":true}`, "/v1/orders?count=estimate&status=shipped": `"count":{"orders":0,"exact":true}`,
		"/v1/orders?count=estimate&q=mug-1": `"count":{"orders":5,"exact":true}`,
	} {
		eventually(t, path, func() bool { return strings.Contains(string(p.get(path).expect(200).body), want) })
	}
	if plain := string(p.get("/v1/orders").expect(200).body); strings.Contains(plain, `"count"`) {
		t.Errorf("counted unasked: %s", plain)
	}
	p.get("/v1/orders?count=exact").problem(422, "invalid-request")
	if before := p.get("/v1/orders").header.Get("X-Read-Position"); before == "" || before == "0" {
		t.Errorf("read position %q", before)
	}
	p.do(request{method: http.MethodPost, path: "/v1/orders/" + newest[3] + "/tags", body: `{"add":["gift"]}`, header: map[string]string{"If-Match": "*"}}).expect(200)
	eventually(t, "tagged", func() bool { ids, _, _ := list("/v1/orders?tag=gift"); return slices.Equal(ids, newest[3:4]) })
	p.do(request{method: http.MethodGet, path: "/v1/orders", key: p.key(apikey.OrdersWrite)}).problem(403, "forbidden")
}

func TestListingStock(t *testing.T) {
	t.Parallel()
	p := start(t)
	for _, sku := range []string{"A", "B", "C"} {
		p.post("/v1/stock/main/"+sku+"/receive", `{"quantity": 1}`).expect(200)
	}
	eventually(t, "listed", func() bool { return len(p.get("/v1/stock").json()["items"].([]any)) == 3 })
	first := p.get("/v1/stock?limit=2").expect(200)
	second := p.get("/v1/stock?cursor=" + first.text("next_cursor")).expect(200).json()
	if items := second["items"].([]any); len(items) != 1 || items[0].(map[string]any)["sku"] != "C" || second["next_cursor"] != nil {
		t.Errorf("second page: %v", second)
	}
	p.get("/v1/stock?cursor=x").problem(400, "bad-cursor")
}

func TestTheStoreGoesAwayUnderOrders(t *testing.T) {
	t.Parallel()
	p := shop(t, 10)
	p.node.Stop()
	p.place("k1", cart(2, "approved")).problem(503, "unavailable")
	p.node.Restart()
	eventually(t, "placed", func() bool { return p.place("k1", cart(2, "approved")).status == 201 })
	if level := p.level(); level["committed"] != 2.0 {
		t.Errorf("stock: %v", level)
	}
}

func TestPersonalDataIsInTheVaultOnly(t *testing.T) {
	t.Parallel()
	p := shop(t, 10)
	p.place("k1", cart(1, "approved")).expect(201)
	p.place("k2", strings.Replace(cart(1, "approved"), "MUG-1", "NONE", 1)).problem(422, "cart-invalid")
	for _, prefix := range []string{"checkout-", "order-", "payment-", "stock-"} {
		feed := p.store.Feed(feedOf(prefix))
		for live := false; !live; {
			page, err := feed.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range page.Events {
				if strings.Contains(string(r.Data)+string(r.RawMetadata), "example.com") {
					t.Errorf("%s holds the shopper's address: %s", r.Type, r.Data)
				}
			}
			live = page.Live
		}
		feed.Close()
	}
}
