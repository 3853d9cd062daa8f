package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
)

// placeAda places an order of ada's and returns it.
func (p *platform) placeAda(key string) answer {
	p.t.Helper()
	return p.do(request{
		method: http.MethodPost, path: "/v1/orders", header: map[string]string{"Idempotency-Key": key},
		body: `{"customer": {"email": "ada@example.com", "name": "Ada"}, "currency": "EUR", "lines": [{"sku": "MUG-1", "quantity": 1}], "payment": {"method": "sandbox:approved"}}`,
	})
}

// cancelled ends an order.
func (p *platform) cancelled(orderID string) {
	p.t.Helper()
	stream := order.Decider.Stream(orderID)
	news := eventstore.NewEvents(stream, eventstore.Metadata{CommandID: "cancel"}, []domain.Event{order.OrderCancelRequested{}, order.OrderCancelled{}}...)
	if _, err := p.store.Append(p.t.Context(), stream, eventstore.StreamExists, news...); err != nil {
		p.t.Fatal(err)
	}
}

// finish waits for a job.
func (p *platform) finish(started answer) answer {
	p.t.Helper()
	var last answer
	eventually(p.t, "finished", func() bool {
		last = p.get(started.header.Get("Location")).expect(http.StatusOK)
		return last.text("status") != "running"
	})
	return last
}

func TestACustomersLife(t *testing.T) {
	t.Parallel()
	p := start(t)
	p.post("/v1/products", mug).expect(http.StatusCreated)
	p.post("/v1/stock/main/MUG-1/receive", `{"quantity": 10}`).expect(http.StatusOK)
	placed := p.placeAda("first").expect(http.StatusCreated)
	id, orderID := placed.text("customer_id"), placed.text("id")
	path := "/v1/customers/" + id

	eventually(t, "known", func() bool {
		return p.get(path).status == http.StatusOK && strings.Contains(string(p.get(path).body), orderID)
	})
	shown := p.get(path).expect(http.StatusOK).json()
	if contact, _ := shown["contact"].(map[string]any); shown["status"] != "ordered" || contact["email"] != "ada@example.com" {
		t.Errorf("the customer is %v", shown)
	}
	reader := p.do(request{method: http.MethodGet, path: path, key: p.key(apikey.OrdersRead)}).expect(http.StatusOK)
	if body := string(reader.body); strings.Contains(body, "ada@") || strings.Contains(body, "Ada") { // an id may have "ada" in it
		t.Errorf("somebody who may read orders sees who it is: %s", reader.body)
	}
	registered := p.post("/v1/customers", `{"email": "Ada@example.com", "name": "Ada", "phone": "+44 1", "address": {"line1": "1 Street", "city": "London", "country": "GB"}}`).expect(http.StatusCreated)
	if registered.text("id") != id {
		t.Errorf("registered as %s, ordered as %s", registered.text("id"), id)
	}
	register := func(key, body string) answer {
		return p.do(request{method: http.MethodPost, path: "/v1/customers", body: body, header: map[string]string{"Idempotency-Key": key}})
	}
	register("k1", `{"email": "Ada@example.com", "name": "Miss Byron"}`).expect(http.StatusOK)
	register("k1", `{"email": "Ada@example.com", "name": "Lady Byron"}`).problem(http.StatusUnprocessableEntity, "idempotency-key-reused")
	register("k1", `{"email": "bob@example.com"}`).problem(http.StatusUnprocessableEntity, "idempotency-key-reused")
	register("k2", `{"email": "nothing"}`).problem(http.StatusUnprocessableEntity, "invalid-request")
	register("k2", `{"email": "bob@example.com"}`).expect(http.StatusCreated) // what was refused uses no key
	p.post("/v1/customers", `{"email": "Ada@example.com", "name": "Countess"}`).expect(http.StatusOK)
	if again := register("k1", `{"email": "Ada@example.com", "name": "Miss Byron"}`).expect(http.StatusOK); !strings.Contains(string(again.body), "Countess") {
		t.Errorf("a repeat undid what was said since: %s", again.body)
	}
	p.post("/v1/customers", `{"email": "nothing"}`).problem(http.StatusUnprocessableEntity, "invalid-request")

	export := p.finish(p.post(path+"/export", `{}`).expect(http.StatusAccepted)).json()
	exportID := export["result"].(map[string]any)["export_id"]
	fetched := p.get(fmt.Sprint(path, "/exports/", exportID)).expect(http.StatusOK)
	for _, part := range []string{"Countess", "1 Street", "+44 1", orderID} {
		if !strings.Contains(string(fetched.body), part) {
			t.Errorf("the export lacks %s: %s", part, fetched.body)
		}
	}

	refused := p.post(path+"/erase", `{}`).problem(http.StatusConflict, "open-orders")
	if ids := refused.json()["order_ids"].([]any); len(ids) != 1 || ids[0] != orderID {
		t.Errorf("open are %v", ids)
	}
	p.cancelled(orderID)
	eventually(t, "over", func() bool { return p.post(path+"/erase", ``).status == http.StatusAccepted })
	eventually(t, "erased", func() bool { return p.get(path).text("status") == "erased" })
	if gone := p.get(path).expect(http.StatusOK); strings.Contains(string(gone.body), "Countess") || !strings.Contains(string(gone.body), "[erased]") {
		t.Errorf("after the erasure: %s", gone.body)
	}
	p.get(fmt.Sprint(path, "/exports/", exportID)).problem(http.StatusConflict, "customer-erased")
	p.post(path+"/export", `{}`).problem(http.StatusConflict, "customer-erased")
	p.get("/v1/orders/" + orderID).expect(http.StatusOK)
	if again := p.placeAda("first").expect(http.StatusCreated); again.text("id") != orderID {
		t.Errorf("the same request is another order: %s", again.body)
	}
	if back := p.placeAda("second").expect(http.StatusCreated).text("customer_id"); back == id {
		t.Error("somebody who comes back is the one who was forgotten")
	}
	p.get("/v1/customers/nobody").problem(http.StatusNotFound, "customer-not-found")
	p.post("/v1/customers/nobody/erase", `{}`).problem(http.StatusNotFound, "customer-not-found")
}

func TestACallbackThatCannotBeCalledIsRefused(t *testing.T) {
	t.Parallel()
	p := start(t)
	id := p.post("/v1/customers", `{"email": "ada@example.com"}`).expect(http.StatusCreated).text("id")
	path := "/v1/customers/" + id + "/export"
	wrong := p.post(path, `{"callback": {"url": "http://127.0.0.1/", "secret": "short"}}`).problem(http.StatusUnprocessableEntity, "invalid-request")
	if n := len(wrong.json()["errors"].([]any)); n != 3 {
		t.Errorf("%d mistakes: %s", n, wrong.body)
	}
	started := p.post(path, `{"callback": {"url": "https://shop.example/jobs"}}`).expect(http.StatusAccepted)
	var body struct {
		Secret string `json:"callback_secret"`
	}
	if err := json.Unmarshal(started.body, &body); err != nil || !strings.HasPrefix(body.Secret, "whsec_") || started.header.Get("Retry-After") == "" {
		t.Errorf("started %s, %v", started.body, err)
	}
}
