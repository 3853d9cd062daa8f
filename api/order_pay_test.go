package api_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/client"
	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/domain/payment"
)

// lapsed is an order whose authorisation ran out.
func lapsed(t *testing.T) ordered {
	t.Helper()
	o := shop(t, 10).ordered()
	o.pay(payment.Expire{})
	return o
}

func (o ordered) payBy(key, method string) answer {
	o.t.Helper()
	return o.do(request{
		method: http.MethodPost, path: "/v1/orders/" + o.id + "/payments", header: map[string]string{"Idempotency-Key": key, "If-Match": "*"},
		body: `{"method": "sandbox:` + method + `", "return_url": "https://shop.example/thanks"}`,
	})
}

func TestAnOrderIsPaidByHand(t *testing.T) {
	t.Parallel()
	o := lapsed(t)
	refused := o.payBy("declined", "declined").problem(http.StatusPaymentRequired, "payment-declined")
	if refused.text("decline_code") != "card-declined" || refused.text("payment_id") == "" || refused.header.Get("Idempotency-Replayed") != "" {
		t.Errorf("%v %s", refused.header, refused.body)
	}
	if again := o.payBy("declined", "declined").problem(http.StatusPaymentRequired, "payment-declined"); again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("the same request again: %v", again.header)
	}
	paid := o.payBy("k", "approved").expect(http.StatusCreated)
	if paid.text("status") != "authorised" || paid.header.Get("Location") != "/v1/payments/"+paid.text("id") || paid.header.Get("X-Write-Position") == "" {
		t.Errorf("%v %s", paid.header, paid.body)
	}
	if now := o.get("/v1/orders/" + o.id); now.header.Get("ETag") != paid.header.Get("ETag") {
		t.Errorf("the order is at %s, the answer says %s", now.header.Get("ETag"), paid.header.Get("ETag"))
	}
	if again := o.payBy("k", "approved").expect(http.StatusCreated); again.text("id") != paid.text("id") || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("the same request again: %v %s", again.header, again.body)
	}
	o.payBy("k", "declined").problem(http.StatusUnprocessableEntity, "idempotency-key-reused")
	o.payBy("other", "approved").problem(http.StatusConflict, "nothing-to-pay")
	all, err := client.New(o.url, adminKey).OrderPayments(t.Context(), o.id)
	if err != nil || len(all) != 3 || all[1].Status != "declined" || all[2].ID != paid.text("id") {
		t.Errorf("payments of the order: %+v, %v", all, err)
	}
}

func TestAShopperConfirmsThePaymentOfAnOrder(t *testing.T) {
	t.Parallel()
	o := lapsed(t)
	o.gateway.TellAt(o.url + "/v1/gateway-callbacks/sandbox")
	pending := o.payBy("k", "action").expect(http.StatusAccepted)
	action, _ := pending.json()["action"].(map[string]any)
	page, _ := action["url"].(string)
	if pending.text("status") != "action_required" || page == "" || action["expires_at"] == nil {
		t.Fatalf("%s", pending.body)
	}
	o.payBy("other", "approved").problem(http.StatusConflict, "payment-pending")
	confirmed, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).PostForm(page, url.Values{"outcome": {"approve"}})
	if err != nil {
		t.Fatal(err)
	}
	_ = confirmed.Body.Close()
	location := pending.header.Get("Location")
	eventually(t, "told by the gateway", func() bool { return o.get(location).expect(http.StatusOK).text("status") == "authorised" })
	o.payBy("k", "action").expect(http.StatusCreated)
	eventually(t, "claimed", func() bool {
		return len(o.get("/v1/gateway-callbacks?status=waiting").expect(http.StatusOK).json()["items"].([]any)) == 0
	})
	if left := o.get("/v1/gateway-callbacks?status=unclaimed").expect(http.StatusOK).json()["items"].([]any); len(left) > 0 {
		t.Errorf("nobody claims %v", left)
	}
}

// The gateway answers too late: it is looked for, and found.
func TestThePaymentOfAnOrderIsNotKnownYet(t *testing.T) {
	t.Parallel()
	o := lapsed(t)
	pending := o.payBy("k", "timeout").expect(http.StatusAccepted)
	if pending.text("status") != "unknown" {
		t.Errorf("%s", pending.body)
	}
	o.payBy("other", "approved").problem(http.StatusConflict, "payment-pending")
	o.payBy("k", "timeout").expect(http.StatusCreated)
}

func TestPaymentsOfOrdersThatAreNotPossible(t *testing.T) {
	t.Parallel()
	o := lapsed(t)
	path := "/v1/orders/" + o.id + "/payments"
	send := func(key, body string, header map[string]string) answer {
		return o.do(request{method: http.MethodPost, path: path, key: key, body: body, header: header})
	}
	both := map[string]string{"Idempotency-Key": "k", "If-Match": "*"}
	send("", `{"method": "sandbox:approved"}`, map[string]string{"If-Match": "*"}).problem(http.StatusBadRequest, "idempotency-key-missing")
	send("", `{"method": "sandbox:approved"}`, map[string]string{"Idempotency-Key": "k"}).problem(http.StatusPreconditionRequired, "precondition-required")
	send("", `{"method": "sandbox:approved"}`, map[string]string{"Idempotency-Key": "k", "If-Match": `"99"`}).problem(http.StatusPreconditionFailed, "revision-mismatch")
	send("", `{}`, both).problem(http.StatusUnprocessableEntity, "invalid-request")
	send("", `{"method": "barter:goat"}`, both).problem(http.StatusPaymentRequired, "payment-declined")
	send(o.key(apikey.OrdersWrite), `{"method": "sandbox:approved"}`, both).problem(http.StatusForbidden, "forbidden")
	wrong := send("", `{"method": "4242 4242 4242 4242", "return_url": "shop.example"}`, both).problem(http.StatusUnprocessableEntity, "order-invalid")
	for _, pointer := range []string{`"/method"`, `"/return_url"`} {
		if !strings.Contains(string(wrong.body), pointer) {
			t.Errorf("%s is not named: %s", pointer, wrong.body)
		}
	}
	o.post("/v1/orders/none/payments", `{"method": "sandbox:approved"}`).problem(http.StatusPreconditionRequired, "precondition-required")
	o.do(request{method: http.MethodPost, path: "/v1/orders/none/payments", body: `{"method": "sandbox:approved"}`, header: both}).problem(http.StatusNotFound, "not-found")
	c := client.New(o.url, adminKey)
	paid, err := c.PayOrder(t.Context(), o.id, client.Change{Key: "by client"}, client.Payment{Method: "sandbox:approved"})
	if err != nil || paid.ID == "" || paid.Accepted || paid.Position == 0 {
		t.Errorf("%+v, %v", paid, err)
	}
	if p, _, err := c.Payment(t.Context(), paid.ID); err != nil || p.Status != "authorised" || p.ExpiresAt.Before(time.Now()) {
		t.Errorf("%+v, %v", p, err)
	}
}
