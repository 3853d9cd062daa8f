package api_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// A shopper confirms a payment at the gateway's own page; the gateway tells,
// and the order is placed.
func TestAShopperConfirmsAPayment(t *testing.T) {
	t.Parallel()
	p := shop(t, 10)
	p.gateway.TellAt(p.url + "/v1/gateway-callbacks/sandbox")
	body := strings.Replace(cart(2, "action"), `"sandbox:action"`, `"sandbox:action", "return_url": "https://shop.example/thanks"`, 1)
	pending := p.place("k1", body).expect(202)
	location := pending.header.Get("Location")
	payment, _ := pending.json()["payment"].(map[string]any)
	page, _ := payment["action_url"].(string)
	if location != "/v1/checkouts/"+pending.text("id") || pending.text("status") != "payment_action_required" || page == "" || payment["action_expires_at"] == "" {
		t.Fatalf("%v %s", pending.header, pending.body)
	}
	eventually(t, "listed", func() bool {
		return len(p.get("/v1/checkouts?status=payment_action_required").expect(200).json()["items"].([]any)) == 1
	})
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	shown, err := client.Get(page)
	if err != nil || shown.StatusCode != http.StatusOK {
		t.Fatal(shown, err)
	}
	_ = shown.Body.Close()
	confirmed, err := client.PostForm(page, url.Values{"outcome": {"approve"}})
	if err != nil {
		t.Fatal(err)
	}
	_ = confirmed.Body.Close()
	if got := confirmed.Header.Get("Location"); got != "https://shop.example/thanks" {
		t.Errorf("the shopper is sent to %q", got)
	}
	eventually(t, "completed", func() bool { return p.get(location).expect(200).text("status") == "completed" })
	placed := p.place("k1", body).expect(201)
	if placed.text("id") != p.get(location).text("order_id") || p.level()["committed"] != 2.0 {
		t.Errorf("order %s, stock %v", placed.body, p.level())
	}
	p.place("k2", strings.Replace(cart(1, "action"), `"sandbox:action"`, `"sandbox:action", "return_url": "shop.example"`, 1)).problem(422, "cart-invalid")
	p.place("k3", strings.Replace(cart(1, "x"), "sandbox:x", "4242 4242 4242 4242", 1)).problem(422, "cart-invalid")
}

func TestAnUnknownOutcomeIsTold(t *testing.T) {
	t.Parallel()
	p := shop(t, 10)
	p.gateway.TellAt(p.url + "/v1/gateway-callbacks/sandbox")
	// Whether the gateway tells before or after the checkout stops waiting for
	// its answer, there is an order.
	placed := p.place("k1", cart(2, "timeout"))
	eventually(t, "placed", func() bool {
		again := p.place("k1", cart(2, "timeout"))
		return again.status == http.StatusCreated
	})
	if placed.status != http.StatusCreated && placed.status != http.StatusAccepted {
		t.Errorf("answered with %d", placed.status)
	}
}

func TestCallbacksThatAreRefused(t *testing.T) {
	t.Parallel()
	p := shop(t, 1)
	callback := func(gateway, body, signature string) answer {
		return p.do(request{
			method: http.MethodPost, path: "/v1/gateway-callbacks/" + gateway, body: body, key: "-", header: map[string]string{"Sandbox-Signature": signature},
		})
	}
	callback("sandbox", `{"id": "cb_1"}`, "t=1,v1=00").problem(401, "callback-signature-invalid")
	callback("sandbox", `{"id": "cb_1"}`, "").problem(401, "callback-signature-invalid")
	callback("sandbox", `no JSON`, "").problem(401, "callback-signature-invalid")
	callback("paypal", `{}`, "").problem(404, "gateway-not-found")
	p.gateway.TellAt(p.url + "/v1/gateway-callbacks/sandbox")
	p.place("k1", cart(1, "approved")).expect(201)
	if got := p.get("/v1/gateway-callbacks?status=unclaimed").expect(200).json()["items"].([]any); len(got) != 0 {
		t.Errorf("unclaimed: %v", got)
	}
	p.do(request{method: http.MethodGet, path: "/v1/gateway-callbacks", key: "-"}).problem(401, "unauthorized")
	p.get("/v1/gateway-callbacks?cursor=x").problem(400, "bad-cursor")
	p.get("/v1/checkouts?status=unresolved&cursor=x").problem(400, "bad-cursor")
}

// The store is away: the gateway is told to come again, and does.
func TestACallbackWhileTheStoreIsAway(t *testing.T) {
	t.Parallel()
	p := shop(t, 1)
	p.gateway.TellAt("http://127.0.0.1:1/") // nobody is there
	pending := p.place("k1", cart(1, "timeout")).expect(202)
	p.node.Stop()
	statuses := make(chan int, 100)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		forward, _ := http.NewRequestWithContext(r.Context(), r.Method, p.url+"/v1/gateway-callbacks/sandbox", r.Body)
		forward.Header = r.Header
		answered, err := http.DefaultClient.Do(forward)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		_ = answered.Body.Close()
		w.WriteHeader(answered.StatusCode)
		statuses <- answered.StatusCode
	}))
	t.Cleanup(proxy.Close)
	p.gateway.TellAt(proxy.URL)
	if got := <-statuses; got != http.StatusServiceUnavailable {
		t.Errorf("answered with %d while the store is away", got)
	}
	p.node.Restart()
	eventually(t, "completed", func() bool {
		a := p.get(pending.header.Get("Location"))
		return a.status == http.StatusOK && a.text("status") == "completed"
	})
}
