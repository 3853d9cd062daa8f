package api_test

import (
	"net/http"
	"testing"
)

func TestPartners(t *testing.T) {
	t.Parallel()
	p := start(t)
	register := `{"id": "warehouse", "name": "Warehouse", "channels": ["web"]}`
	p.post("/v1/partners", register).expect(201)
	p.post("/v1/partners", register).expect(201)
	p.post("/v1/partners", `{"id": "warehouse", "name": "Other", "channels": []}`).problem(409, "id-reused")
	p.post("/v1/partners", `{"id": "a b", "name": "", "channels": ["", "x", "x"]}`).problem(422, "partner-invalid").golden("problems/a_partner_with_mistakes")
	keyed := request{method: http.MethodPost, path: "/v1/partners", body: `{"name": "Shop", "channels": []}`, header: map[string]string{"Idempotency-Key": "k"}}
	if first, again := p.do(keyed).expect(201), p.do(keyed).expect(201); first.text("id") == "" || first.text("id") != again.text("id") {
		t.Errorf("the same key made another partner: %s, %s", first.body, again.body)
	}
	named := func(key, body string) request {
		return request{method: http.MethodPost, path: "/v1/partners", body: body, header: map[string]string{"Idempotency-Key": key}}
	}
	p.do(named("k", `{"name": "Shop", "channels": ["web"]}`)).problem(422, "idempotency-key-reused")
	p.do(named("k", `{"id": "second", "name": "Shop", "channels": []}`)).problem(422, "idempotency-key-reused")
	before := named("k2", register)
	found := p.do(before).expect(201) // it is there
	p.do(named("k2", `{"id": "third", "name": "Third", "channels": []}`)).problem(422, "idempotency-key-reused")
	p.do(named("k3", `{"id": "warehouse", "name": "Other", "channels": []}`)).problem(409, "id-reused")
	change := request{method: http.MethodPut, path: "/v1/partners/warehouse", body: `{"name": "Warehouse", "channels": ["web", "shop"]}`}
	if changed := p.do(change).expect(200); len(changed.json()["channels"].([]any)) != 2 {
		t.Errorf("changed: %s", changed.body)
	}
	if again := p.do(before).expect(201); string(again.body) != string(found.body) {
		t.Errorf("after it was changed the same request is answered %s and not %s", again.body, found.body)
	}
	p.do(named("k4", register)).problem(409, "id-reused")
	p.do(request{method: http.MethodPut, path: "/v1/partners/none", body: change.body}).problem(404, "partner-not-found")
	p.do(request{method: http.MethodPut, path: "/v1/partners/warehouse", body: `{"name": "", "channels": []}`}).problem(422, "partner-invalid")
	if list := p.get("/v1/partners").expect(200).json()["items"].([]any); len(list) != 2 {
		t.Errorf("list: %v", list)
	}

	issued := p.post("/v1/api-keys", `{"name": "warehouse", "scopes": ["webhooks:read", "webhooks:write"], "partner_id": "warehouse"}`).expect(201)
	if issued.text("partner_id") != "warehouse" {
		t.Errorf("issued: %s", issued.body)
	}
	p.post("/v1/api-keys", `{"name": "warehouse", "scopes": ["orders:read"], "partner_id": "warehouse"}`).problem(422, "api-key-invalid")
	p.post("/v1/api-keys", `{"name": "nobody", "scopes": ["webhooks:read"], "partner_id": "nobody"}`).problem(422, "api-key-invalid")
	p.do(request{method: http.MethodGet, path: "/v1/partners", key: issued.text("key")}).problem(403, "forbidden")

	for key, want := range map[string]string{issued.text("key"): "warehouse", "": ""} {
		made := p.do(request{method: http.MethodPost, path: "/v1/endpoints", body: `{"url": "https://partner.example/hooks", "event_types": ["order.placed"]}`, key: key}).expect(201)
		for recorded, err := range p.store.ReadStream(t.Context(), "endpoint-"+made.text("id"), 0) {
			if err != nil {
				t.Fatal(err)
			}
			if meta, err := recorded.Metadata(); err != nil || meta.Tenant != want {
				t.Errorf("%s names the tenant %q, %v; want %q", recorded.Type, meta.Tenant, err, want)
			}
			break // the first is what was asked for
		}
	}
}
