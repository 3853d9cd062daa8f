package api_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v85/webhook"

	"github.com/waybill-dev/waybill/api"
	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/domain/payment"
	"github.com/waybill-dev/waybill/eventstore"
	gateways "github.com/waybill-dev/waybill/gateways/payment"
	"github.com/waybill-dev/waybill/gateways/registry"
	"github.com/waybill-dev/waybill/gateways/sandbox"
	"github.com/waybill-dev/waybill/gateways/stripe"
	"github.com/waybill-dev/waybill/handlers"
	checkouts "github.com/waybill-dev/waybill/handlers/checkout"
)

// told posts a callback.
func (p *platform) told(gateway, body, header, signature string) answer {
	p.t.Helper()
	return p.do(request{
		method: http.MethodPost, path: "/v1/gateway-callbacks/" + gateway, body: body, key: "-", header: map[string]string{header: signature},
	})
}

func TestACallbackThatIsSignedAndCannotBeRead(t *testing.T) {
	t.Parallel()
	p := start(t)
	for _, body := range []string{"no JSON", `{"id": 1}`, `{}`} {
		signature := sandbox.Sign(callbackSecret, time.Now(), []byte(body))
		p.told("sandbox", body, sandbox.SignatureHeader, signature).problem(400, "callback-unreadable")
	}
}

// pay does something to a payment.
func (p *platform) pay(id string, commands ...payment.Command) {
	p.t.Helper()
	h := handlers.CommandHandler[payment.State, payment.Command, payment.Event]{Store: p.store, Decider: payment.Decider}
	for i, command := range commands {
		if _, err := h.Handle(p.t.Context(), id, eventstore.Metadata{CommandID: fmt.Sprint(id, i)}, command); err != nil {
			p.t.Fatal(err)
		}
	}
}

// Stripe's callbacks come by the same route, with Stripe's own signature.
func TestStripeTells(t *testing.T) {
	t.Parallel()
	const secret = "whsec_of_the_tests"
	p := startWith(t, func(a *api.API) {
		at := must(stripe.New(stripe.Config{Key: "sk_test_1", WebhookSecret: secret, URL: "http://127.0.0.1:1", Now: time.Now}))(t)
		t.Cleanup(at.Close)
		a.GatewayCallbacks.Gateways = registry.New(map[string]gateways.Provider{"stripe": at})
	})
	p.pay("pay-1",
		payment.Request{PaymentID: "pay-1", OrderID: "o-1", Amount: domain.Money{Amount: 2500, Currency: "EUR"}, Method: "stripe:pm_card_visa", Gateway: "stripe", Key: "pay-1", At: time.Now()},
		payment.LoseSight{Cause: "timeout"})
	body := `{"id": "evt_1", "object": "event", "type": "payment_intent.amount_capturable_updated", "data": {"object": {"id": "pi_1", "object": "payment_intent",
		"amount": 2500, "amount_capturable": 2500, "currency": "eur", "status": "requires_capture", "created": 1773489600, "metadata": {"payment_id": "pay-1"}}}}`
	tell := func(secret string) answer {
		signed := webhook.GenerateTestSignedPayload(&webhook.UnsignedPayload{Payload: []byte(body), Secret: secret, Timestamp: time.Now()})
		return p.told("stripe", body, "Stripe-Signature", signed.Header)
	}
	tell("whsec_of_somebody_else").problem(401, "callback-signature-invalid")
	tell(secret).expect(204)
	eventually(t, "recorded", func() bool {
		state, _, err := eventstore.Load(t.Context(), p.store, payment.Decider, "pay-1")
		return err == nil && state.Status == payment.StatusAuthorised && state.GatewayRef == "pi_1" && state.Authorised.Amount == 2500
	})
}

// What was given up because its outcome could not be found out is on a list.
func TestUnresolvedCheckoutsAreListed(t *testing.T) {
	t.Parallel()
	var service *checkouts.Service
	p := startWith(t, func(a *api.API) {
		service = a.Checkouts
		service.Config.PollFor = time.Nanosecond
		service.Config.GatewayTimeout = time.Hour // the gateway is never believed to know nothing
	})
	p.post("/v1/products", mug).expect(201)
	p.post("/v1/stock/main/MUG-1/receive", `{"quantity": 5}`).expect(200)
	id := p.place("k1", cart(2, "error")).expect(202).text("id")
	list := func(status string) []any {
		return p.get("/v1/checkouts?status=" + status).expect(200).json()["items"].([]any)
	}
	eventually(t, "looked for", func() bool { return len(list("payment_unknown")) == 1 })
	if got := list("unresolved"); len(got) != 0 {
		t.Errorf("given up before its time: %v", got)
	}
	o, err := service.Recover(t.Context(), id)
	if err != nil || o.Checkout.Step != checkout.Failed {
		t.Fatalf("step %s, %v", o.Checkout.Step, err)
	}
	eventually(t, "listed", func() bool { return len(list("unresolved")) == 1 })
	if item := list("unresolved")[0].(map[string]any); item["id"] != id || item["status"] != "unresolved" {
		t.Errorf("listed %v, want %s", item, id)
	}
	if got := list("payment_unknown"); len(got) != 0 {
		t.Errorf("still looked for: %v", got)
	}
}
