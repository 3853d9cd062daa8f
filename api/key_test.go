package api_test

import (
	"net/http"
	"testing"

	"github.com/waybill-dev/waybill/domain/apikey"
)

func TestAPIKeys(t *testing.T) {
	t.Parallel()
	p := start(t)
	issued := p.post("/v1/api-keys", `{"name": "shop", "scopes": ["catalog:write"]}`).expect(201)
	if issued.header.Get("Cache-Control") != "no-store" {
		t.Error("an answer with a key may be cached")
	}
	key, id := issued.text("key"), issued.text("id")
	product := request{method: http.MethodPost, path: "/v1/products", body: mug, key: key}
	p.do(product).expect(201)
	p.do(request{method: http.MethodGet, path: "/v1/api-keys", key: key}).problem(403, "forbidden")
	list := p.get("/v1/api-keys").expect(200).json()["items"].([]any)
	if len(list) != 1 || list[0].(map[string]any)["key"] != nil {
		t.Errorf("list: %v", list)
	}
	revoke := request{method: http.MethodDelete, path: "/v1/api-keys/" + id}
	p.do(revoke).expect(204)
	p.do(revoke).expect(204)
	p.do(product).problem(401, "unauthorized")
	if p.get("/v1/api-keys").json()["items"].([]any)[0].(map[string]any)["revoked_at"] == nil {
		t.Error("a revoked key looks valid")
	}
}

func TestScopesOfRoutes(t *testing.T) {
	t.Parallel()
	p := start(t)
	only := map[apikey.Scope]string{}
	for _, scope := range apikey.Scopes() {
		only[scope] = p.key(scope)
	}
	for _, c := range []struct {
		method, path string
		may          []apikey.Scope
	}{
		{"POST", "/v1/products", []apikey.Scope{apikey.CatalogWrite}},
		{"PUT", "/v1/products/A/price", []apikey.Scope{apikey.CatalogWrite}},
		{"POST", "/v1/stock/main/A/receive", []apikey.Scope{apikey.StockWrite, apikey.OrdersImport}},
		{"GET", "/v1/endpoints", []apikey.Scope{apikey.WebhooksRead, apikey.WebhooksWrite}},
		{"POST", "/v1/endpoints", []apikey.Scope{apikey.WebhooksWrite}},
		{"DELETE", "/v1/endpoints/e", []apikey.Scope{apikey.WebhooksWrite}},
		{"POST", "/v1/credit-notes", []apikey.Scope{apikey.OrdersImport}},
		{"GET", "/v1/api-keys", nil},
	} {
		may := map[apikey.Scope]bool{apikey.Admin: true}
		for _, scope := range c.may {
			may[scope] = true
		}
		for scope, key := range only {
			got := p.do(request{method: c.method, path: c.path, key: key}).status
			if (got != http.StatusForbidden) != may[scope] {
				t.Errorf("%s %s with %s: %d", c.method, c.path, scope, got)
			}
		}
	}
}
