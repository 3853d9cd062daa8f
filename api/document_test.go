package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/waybill-dev/waybill/api"
	"github.com/waybill-dev/waybill/webhooks/message"
)

// description reads the description of the API as its readers would.
func description(t *testing.T) map[string]any {
	t.Helper()
	text, err := api.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	asJSON, err := yaml.YAMLToJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	var document map[string]any
	if err := json.Unmarshal(asJSON, &document); err != nil {
		t.Fatal(err)
	}
	return document
}

// TestDescriptionIsWhole looks at everything OpenAPI 3.1 asks of a description
// that a generator of clients depends on.
func TestDescriptionIsWhole(t *testing.T) {
	t.Parallel()
	document := description(t)
	if version, _ := document["openapi"].(string); !strings.HasPrefix(version, "3.1.") {
		t.Errorf("openapi %q", version)
	}
	ids := map[string]bool{}
	each := func(where string, operation map[string]any) {
		id, _ := operation["operationId"].(string)
		if id == "" || ids[id] {
			t.Errorf("%s: operationId %q", where, id)
		}
		ids[id] = true
		if operation["summary"] == "" || operation["summary"] == nil {
			t.Errorf("%s has no summary", where)
		}
		responses, _ := operation["responses"].(map[string]any)
		if !slices.ContainsFunc(keys(responses), func(status string) bool { return status[0] == '2' }) {
			t.Errorf("%s has no answer of success", where)
		}
		for status, response := range responses {
			fields, _ := response.(map[string]any)
			if fields["$ref"] == nil && fields["description"] == nil {
				t.Errorf("%s: %s has no description", where, status)
			}
		}
		checkParameters(t, where, operation)
	}
	for path, item := range document["paths"].(map[string]any) {
		for method, operation := range item.(map[string]any) {
			each(method+" "+path, operation.(map[string]any))
		}
	}
	for name, item := range document["webhooks"].(map[string]any) {
		each(name, item.(map[string]any)["post"].(map[string]any))
	}
	checkReferences(t, document, document, "")
}

func keys(m map[string]any) []string {
	var all []string
	for key := range m {
		all = append(all, key)
	}
	slices.Sort(all)
	return all
}

// checkParameters wants each part of the path described, and nothing else.
func checkParameters(t *testing.T, where string, operation map[string]any) {
	t.Helper()
	var want, got []string
	for _, match := range regexp.MustCompile(`\{(\w+)\}`).FindAllStringSubmatch(where, -1) {
		want = append(want, match[1])
	}
	parameters, _ := operation["parameters"].([]any)
	for _, parameter := range parameters {
		fields := parameter.(map[string]any)
		if fields["schema"] == nil {
			t.Errorf("%s: %v has no schema", where, fields["name"])
		}
		if fields["in"] == "path" {
			got = append(got, fields["name"].(string))
			if fields["required"] != true {
				t.Errorf("%s: %v is part of the path and not required", where, fields["name"])
			}
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(want, got) {
		t.Errorf("%s describes the parameters %v", where, got)
	}
}

// checkReferences wants every $ref to lead somewhere.
func checkReferences(t *testing.T, document map[string]any, node any, at string) {
	t.Helper()
	switch node := node.(type) {
	case map[string]any:
		if reference, ok := node["$ref"].(string); ok && lookUp(document, reference) == nil {
			t.Errorf("%s leads nowhere: %s", at, reference)
		}
		for key, child := range node {
			checkReferences(t, document, child, at+"/"+key)
		}
	case []any:
		for i, child := range node {
			checkReferences(t, document, child, fmt.Sprint(at, "/", i))
		}
	}
}

func lookUp(document map[string]any, reference string) any {
	var node any = document
	for part := range strings.SplitSeq(strings.TrimPrefix(reference, "#/"), "/") {
		fields, ok := node.(map[string]any)
		if !ok {
			return nil
		}
		node = fields[part]
	}
	return node
}

func TestDescriptionHasEveryRoute(t *testing.T) {
	t.Parallel()
	document := description(t)
	var got []string
	for path, item := range document["paths"].(map[string]any) {
		for _, method := range keys(item.(map[string]any)) {
			got = append(got, strings.ToUpper(method)+" "+path)
		}
	}
	want := []string{
		"GET /admin/dead-letters",
		"POST /admin/dead-letters/retry",
		"GET /admin/dead-letters/{handler}/{number}",
		"POST /admin/dead-letters/{handler}/{number}/discard",
		"POST /admin/dead-letters/{handler}/{number}/edit",
		"POST /admin/dead-letters/{handler}/{number}/retry",
		"GET /admin/projections",
		"GET /admin/projections/{name}",
		"POST /admin/projections/{name}/back",
		"GET /admin/projections/{name}/blocked",
		"POST /admin/projections/{name}/blocked/edit",
		"POST /admin/projections/{name}/blocked/retry",
		"POST /admin/projections/{name}/blocked/skip",
		"GET /admin/projections/{name}/rebuild",
		"POST /admin/projections/{name}/rebuild",
		"POST /admin/projections/{name}/rebuild/accept",
		"POST /admin/projections/{name}/rebuild/cancel",
		"POST /admin/projections/{name}/rebuild/pause",
		"POST /admin/projections/{name}/rebuild/resume",
		"GET /admin/projections/{name}/repairs",
		"GET /healthz",
		"GET /readyz",
		"GET /v1/aggregates/{id}/events",
		"GET /v1/analytics/sales",
		"GET /v1/api-keys",
		"POST /v1/api-keys",
		"DELETE /v1/api-keys/{id}",
		"GET /v1/checkouts",
		"GET /v1/checkouts/{id}",
		"POST /v1/checkouts/{id}/payments",
		"POST /v1/credit-notes",
		"POST /v1/customers",
		"GET /v1/customers/{id}",
		"POST /v1/customers/{id}/erase",
		"POST /v1/customers/{id}/export",
		"GET /v1/customers/{id}/exports/{export_id}",
		"GET /v1/drafts",
		"POST /v1/drafts",
		"DELETE /v1/drafts/{id}",
		"GET /v1/drafts/{id}",
		"PUT /v1/drafts/{id}/details",
		"DELETE /v1/drafts/{id}/lines/{sku}",
		"PUT /v1/drafts/{id}/lines/{sku}",
		"POST /v1/drafts/{id}/place",
		"GET /v1/egress-ips",
		"GET /v1/endpoints",
		"POST /v1/endpoints",
		"DELETE /v1/endpoints/{id}",
		"GET /v1/endpoints/{id}",
		"PATCH /v1/endpoints/{id}",
		"GET /v1/endpoints/{id}/attempts",
		"GET /v1/endpoints/{id}/deliveries/{message_id}",
		"POST /v1/endpoints/{id}/deliveries/{message_id}/resend",
		"POST /v1/endpoints/{id}/deliveries/{message_id}/skip",
		"POST /v1/endpoints/{id}/disable",
		"POST /v1/endpoints/{id}/enable",
		"POST /v1/endpoints/{id}/verify",
		"POST /v1/endpoints/{id}/filter-preview",
		"GET /v1/endpoints/{id}/history",
		"POST /v1/endpoints/{id}/pause",
		"GET /v1/endpoints/{id}/replays",
		"POST /v1/endpoints/{id}/replays",
		"DELETE /v1/endpoints/{id}/replays/{run}",
		"GET /v1/endpoints/{id}/replays/{run}",
		"POST /v1/endpoints/{id}/resume",
		"POST /v1/endpoints/{id}/rotate-secret",
		"GET /v1/endpoints/{id}/statement",
		"GET /v1/endpoints/{id}/status",
		"POST /v1/endpoints/{id}/test",
		"GET /v1/endpoints/{id}/undelivered",
		"GET /v1/event-types",
		"POST /v1/exports",
		"GET /v1/exports/{id}/file",
		"GET /v1/event-types/{type}",
		"GET /v1/events/{id}",
		"GET /v1/feed",
		"GET /v1/feed/stream",
		"GET /v1/gateway-callbacks",
		"POST /v1/gateway-callbacks/{gateway}",
		"GET /v1/jobs",
		"GET /v1/jobs/{id}",
		"POST /v1/jobs/{id}/cancel",
		"GET /v1/keys",
		"POST /v1/keys/rotate",
		"GET /v1/orders",
		"POST /v1/orders",
		"POST /v1/orders/bulk",
		"GET /v1/orders/by-number/{number}",
		"GET /v1/orders/{id}",
		"GET /v1/orders/{id}/address",
		"POST /v1/orders/{id}/address",
		"POST /v1/orders/{id}/cancel",
		"POST /v1/orders/{id}/captures",
		"GET /v1/orders/{id}/captures/{part}",
		"POST /v1/orders/{id}/payments",
		"GET /v1/orders/{id}/contact",
		"POST /v1/orders/{id}/edits",
		"GET /v1/orders/{id}/edits/{part}",
		"POST /v1/orders/{id}/erase-contact",
		"GET /v1/orders/{id}/events",
		"POST /v1/orders/{id}/fulfilments",
		"GET /v1/orders/{id}/fulfilments/{part}",
		"POST /v1/orders/{id}/hold",
		"GET /v1/orders/{id}/notes",
		"POST /v1/orders/{id}/notes",
		"GET /v1/orders/{id}/notes/{part}",
		"GET /v1/orders/{id}/packing-slip.pdf",
		"GET /v1/orders/{id}/payments",
		"GET /v1/orders/{id}/receipt.pdf",
		"POST /v1/orders/{id}/refunds",
		"GET /v1/orders/{id}/refunds/{part}",
		"POST /v1/orders/{id}/release",
		"POST /v1/orders/{id}/returns",
		"GET /v1/orders/{id}/returns/{part}",
		"POST /v1/orders/{id}/returns/{part}/receive",
		"POST /v1/orders/{id}/returns/{part}/reject",
		"POST /v1/orders/{id}/shipments",
		"GET /v1/orders/{id}/shipments/{part}",
		"POST /v1/orders/{id}/shipments/{part}/delivered",
		"POST /v1/orders/{id}/shipments/{part}/failed",
		"POST /v1/orders/{id}/tags",
		"GET /v1/orders/{id}/tasks",
		"POST /v1/orders/{id}/tasks/{task}/abandon",
		"POST /v1/orders/{id}/tasks/{task}/retry",
		"GET /v1/orders/{id}/timeline",
		"GET /v1/captures",
		"GET /v1/orders/changes",
		"GET /v1/orders/{id}/changes",
		"GET /v1/orders/{id}/diff",
		"GET /v1/payments",
		"GET /v1/refunds",
		"GET /v1/reservations",
		"GET /v1/returns",
		"GET /v1/shipments",
		"GET /v1/partners",
		"POST /v1/console-links",
		"POST /v1/partners",
		"PUT /v1/partners/{id}",
		"GET /v1/payments/{id}",
		"GET /v1/products",
		"POST /v1/products",
		"GET /v1/products/{sku}",
		"PUT /v1/products/{sku}/price",
		"POST /v1/products/{sku}/relist",
		"PUT /v1/products/{sku}/title",
		"POST /v1/products/{sku}/withdraw",
		"GET /v1/stock",
		"POST /v1/stock/{location}/receipts",
		"GET /v1/stock/{location}/{sku}",
		"PUT /v1/stock/{location}/{sku}",
		"POST /v1/stock/{location}/{sku}/adjust",
		"POST /v1/stock/{location}/{sku}/receive",
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(want, got) {
		t.Errorf("routes:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestEveryRouteAnswers asks each route of the description for anything: none
// may be unknown to the mux, and none may be an internal error.
func TestEveryRouteAnswers(t *testing.T) {
	t.Parallel()
	p := start(t)
	for path, item := range description(t)["paths"].(map[string]any) {
		for method, operation := range item.(map[string]any) {
			path := regexp.MustCompile(`\{\w+\}`).ReplaceAllString(path, "x")
			if path == "/v1/feed/stream" || strings.HasSuffix(path, "/changes") {
				path += "?after=x" // without a mistake its answer has no end
			}
			got := p.do(request{method: strings.ToUpper(method), path: path, body: `{}`})
			documented := keys(operation.(map[string]any)["responses"].(map[string]any))
			if got.status >= 500 || got.status == 405 || !slices.Contains(documented, fmt.Sprint(got.status)) {
				t.Errorf("%s %s: %d is not among %v: %s", method, path, got.status, documented, got.body)
			}
			secured, _ := operation.(map[string]any)["security"].([]any)
			if anonymous := p.do(request{method: strings.ToUpper(method), path: path, key: "-", body: `{}`}); (anonymous.status == 401) != (len(secured) > 0) {
				t.Errorf("%s %s without a key: %d", method, path, anonymous.status)
			}
		}
	}
}

func TestDescriptionHasEveryMessage(t *testing.T) {
	t.Parallel()
	document := description(t)
	for _, kind := range message.Kinds() {
		item, ok := document["webhooks"].(map[string]any)[kind.Public].(map[string]any)
		if !ok {
			t.Errorf("%s is not described", kind.Public)
			continue
		}
		content := item["post"].(map[string]any)["requestBody"].(map[string]any)["content"].(map[string]any)["application/json"].(map[string]any)
		if example := content["example"].(map[string]any); example["data"] == nil {
			t.Errorf("%s has no sample: add one to sampleMessages", kind.Public)
		}
	}
}

// TestSmallestBodies wants the examples of the description to work as they
// stand.
func TestSmallestBodies(t *testing.T) {
	t.Parallel()
	p := start(t)
	document := description(t)
	for _, c := range []struct {
		operation, path string
		status          int
	}{
		{"/v1/products", "/v1/products", 201},
		{"/v1/stock/{location}/{sku}/receive", "/v1/stock/main/MUG-1/receive", 200},
		{"/v1/stock/{location}/receipts", "/v1/stock/main/receipts", 200},
		{"/v1/orders", "/v1/orders", 201},
		{"/v1/credit-notes", "/v1/credit-notes", 201},
		{"/v1/endpoints", "/v1/endpoints", 201},
		{"/v1/api-keys", "/v1/api-keys", 201},
	} {
		post := document["paths"].(map[string]any)[c.operation].(map[string]any)["post"].(map[string]any)
		example, err := json.Marshal(post["requestBody"].(map[string]any)["content"].(map[string]any)["application/json"].(map[string]any)["example"])
		if err != nil {
			t.Fatal(err)
		}
		got := p.do(request{method: http.MethodPost, path: c.path, body: string(example), header: map[string]string{"Idempotency-Key": "k1"}})
		if got.status != c.status {
			t.Errorf("%s %s: %d %s", c.path, example, got.status, got.body)
		}
	}
}

func TestDescriptionIsServed(t *testing.T) {
	t.Parallel()
	p := start(t)
	var document map[string]any
	if err := json.Unmarshal(p.get("/openapi.json").expect(200).body, &document); err != nil || document["paths"] == nil {
		t.Errorf("openapi.json: %v", err)
	}
	if err := yaml.Unmarshal(p.get("/openapi.yaml").expect(200).body, &document); err != nil {
		t.Errorf("openapi.yaml: %v", err)
	}
}

// TestDocsNeedNobodyElse follows everything the page loads.
func TestDocsNeedNobodyElse(t *testing.T) {
	t.Parallel()
	p := start(t)
	for _, path := range []string{"/docs", "/docs/"} {
		page := string(p.get(path).expect(200).body)
		assets := regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(page, -1)
		if len(assets) < 3 {
			t.Errorf("%s loads %v", path, assets)
		}
		for _, asset := range assets {
			if strings.Contains(asset[1], "//") {
				t.Errorf("%s loads %s from elsewhere", path, asset[1])
				continue
			}
			p.get(asset[1]).expect(200)
		}
		if elsewhere := regexp.MustCompile(`https?://\w[^"]*`).FindString(page); elsewhere != "" {
			t.Errorf("%s mentions %s", path, elsewhere)
		}
	}
}

func TestDescriptionIsSteady(t *testing.T) {
	t.Parallel()
	first, err := api.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if again, err := api.OpenAPI(); err != nil || string(again) != string(first) {
			t.Fatalf("the description is another one each time: %v", err)
		}
	}
	const path = "../docs/openapi.yaml"
	if *update {
		if err := os.WriteFile(path, first, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if kept, err := os.ReadFile(path); err != nil || string(kept) != string(first) {
		t.Errorf("%s is not the description of these routes (%v): go test ./api -update writes it", path, err)
	}
}
