package api_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/waybill-dev/waybill/api"
	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/vault"
	"github.com/waybill-dev/waybill/webhooks"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
)

const quiet = `{"url": "https://partner.example/hook", "event_types": ["order.placed"]}`

// tenants are a platform with endpoints of the shop and of two partners.
type tenants struct {
	*platform
	shop, one, other string // keys
}

func startTenants(t *testing.T) tenants {
	t.Helper()
	p := start(t)
	p.post("/v1/partners", `{"id": "one", "name": "One", "channels": ["web"]}`).expect(201)
	p.post("/v1/partners", `{"id": "other", "name": "Other", "channels": []}`).expect(201)
	key := func(partner string) string {
		return p.post("/v1/api-keys", `{"name": "k", "scopes": ["webhooks:read", "webhooks:write"], "partner_id": "`+partner+`"}`).expect(201).text("key")
	}
	return tenants{platform: p, shop: p.key(apikey.WebhooksRead, apikey.WebhooksWrite), one: key("one"), other: key("other")}
}

func (p tenants) create(key, body string) string {
	p.t.Helper()
	return p.do(request{method: http.MethodPost, path: "/v1/endpoints", body: body, key: key}).expect(201).text("id")
}

// routesOfEndpoints are all that name an endpoint, with a body that fits.
var routesOfEndpoints = []struct{ method, path, body string }{
	{"GET", "", ""},
	{"GET", "/history", ""},
	{"GET", "/status", ""},
	{"GET", "/attempts", ""},
	{"PATCH", "", `{"description": "x"}`},
	{"POST", "/pause", ""},
	{"POST", "/resume", `{"from": "now"}`},
	{"POST", "/disable", ""},
	{"POST", "/enable", ""},
	{"POST", "/verify", ""},
	{"POST", "/rotate-secret", ""},
	{"POST", "/test", ""},
	{"DELETE", "", ""},
	{"GET", "/undelivered", ""},
	{"GET", "/statement", ""},
	{"GET", "/deliveries/m", ""},
	{"POST", "/deliveries/m/resend", ""},
	{"POST", "/deliveries/m/skip", ""},
	{"POST", "/filter-preview", `{"filter": "true"}`},
	{"GET", "/replays", ""},
	{"POST", "/replays", `{"from": "beginning"}`},
	{"GET", "/replays/m", ""},
	{"DELETE", "/replays/m", ""},
}

func TestRoutesOfEndpointsAreAll(t *testing.T) {
	t.Parallel()
	p := start(t)
	var known []string
	for _, route := range routesOfEndpoints {
		known = append(known, route.method+" /v1/endpoints/{id}"+route.path)
	}
	var described []string
	for path, methods := range p.get("/openapi.json").expect(200).json()["paths"].(map[string]any) {
		for method := range methods.(map[string]any) {
			if strings.HasPrefix(path, "/v1/endpoints/{id}") {
				described = append(described, strings.ToUpper(method)+" "+strings.NewReplacer("{message_id}", "m", "{run}", "m").Replace(path))
			}
		}
	}
	slices.Sort(known)
	slices.Sort(described)
	if diff := cmp.Diff(described, known); diff != "" {
		t.Errorf("routes that name an endpoint, which strangers are tried at (-described +tried):\n%s", diff)
	}
}

func TestEndpointsOfOthersAreNotThere(t *testing.T) {
	t.Parallel()
	p := startTenants(t)
	owners := map[string]string{p.shop: p.create(p.shop, quiet), p.one: p.create(p.one, quiet), p.other: p.create(p.other, quiet)}
	for _, route := range routesOfEndpoints {
		for caller := range owners {
			for owner, id := range owners {
				if caller == owner {
					continue
				}
				asked := request{
					method: route.method, path: "/v1/endpoints/" + id + route.path, body: route.body, key: caller, header: map[string]string{"If-Match": "*"},
				}
				p.do(asked).problem(404, "endpoint-not-found")
			}
		}
	}
	for caller := range owners {
		for owner, id := range owners {
			if caller == owner {
				continue
			}
			for _, path := range []string{
				"/v1/feed?after=beginning&endpoint=", "/v1/feed/stream?endpoint=", "/v1/aggregates/o/events?type=order&endpoint_id=",
				"/v1/events/m?aggregate=o&endpoint_id=",
			} {
				p.do(request{method: http.MethodGet, path: path + id, key: caller}).problem(404, "endpoint-not-found")
			}
			test := p.do(request{method: http.MethodPost, path: "/v1/endpoints/" + id + "/test", key: owner}).expect(202).text("message_id")
			message := "/v1/events/" + test + "?type=endpoint&aggregate=" + id
			p.do(request{method: http.MethodGet, path: message, key: owner}).expect(200)
			p.do(request{method: http.MethodGet, path: message, key: caller}).problem(404, "message-not-found")
		}
	}
	listed := func(key, query string) (ids []string) {
		for _, item := range p.do(request{method: http.MethodGet, path: "/v1/endpoints" + query, key: key}).expect(200).json()["items"].([]any) {
			ids = append(ids, item.(map[string]any)["id"].(string))
		}
		slices.Sort(ids)
		return ids
	}
	all := []string{owners[p.shop], owners[p.one], owners[p.other]}
	slices.Sort(all)
	eventually(t, "everybody's endpoints are listed for the admin", func() bool { return slices.Equal(listed("", ""), all) })
	for key, id := range owners {
		if diff := cmp.Diff([]string{id}, listed(key, "")); diff != "" {
			t.Errorf("own list (-want +got):\n%s", diff)
		}
	}
	if diff := cmp.Diff([]string{owners[p.one]}, listed("", "?tenant=one")); diff != "" {
		t.Errorf("list of one partner (-want +got):\n%s", diff)
	}
	if got := p.get("/v1/endpoints/" + owners[p.one]).expect(200); got.text("tenant_id") != "one" {
		t.Errorf("for the admin: %s", got.body)
	}
	p.do(request{method: http.MethodPost, path: "/v1/endpoints", key: p.one, body: `{"url": "https://a.example", "event_types": ["*"], "personal_data": true}`}).problem(422, "invalid-endpoint")
}

func TestEndpointsThatAreNotThere(t *testing.T) {
	t.Parallel()
	p := start(t)
	gone := p.post("/v1/endpoints", quiet).expect(201).text("id")
	p.do(request{method: http.MethodDelete, path: "/v1/endpoints/" + gone}).expect(204)
	for _, route := range routesOfEndpoints {
		for _, id := range []string{"none", gone} {
			if id == gone && (route.path == "/history" || route.method == "DELETE") {
				continue // what is deleted has a history, and is deleted
			}
			asked := request{method: route.method, path: "/v1/endpoints/" + id + route.path, body: route.body, header: map[string]string{"If-Match": "*"}}
			p.do(asked).problem(404, "endpoint-not-found")
		}
	}
}

func TestEndpointSettings(t *testing.T) {
	t.Parallel()
	p := start(t)
	created := p.do(request{method: http.MethodPost, path: "/v1/endpoints", header: map[string]string{"Idempotency-Key": "of the golden file"}, body: `{
		"url": "https://partner.example/hook", "event_types": ["order.placed"], "order_mode": "aggregate",
		"on_exhausted": "block", "max_in_flight": 4, "rate_per_second": 9, "waits": [1, 2], "trace": false}`}).expect(201)
	id, tag := created.text("id"), created.header.Get("ETag")
	patch := func(body, match, key string) answer {
		t.Helper()
		r := request{method: http.MethodPatch, path: "/v1/endpoints/" + id, body: body, header: map[string]string{}}
		if match != "" {
			r.header["If-Match"] = match
		}
		if key != "" {
			r.header["Idempotency-Key"] = key
		}
		return p.do(r)
	}
	patch(`{"description": "x"}`, "", "").problem(428, "precondition-required")
	patch(`{"description": "x"}`, `"77"`, "").problem(412, "revision-mismatch")
	patch(`{"descriptions": "x"}`, "*", "").problem(422, "invalid-request")
	patch(`{"url": null}`, "*", "").problem(422, "invalid-endpoint")
	patch(`{"url": 1}`, "*", "").problem(422, "invalid-request")
	patch(`{"url": "ftp://a", "event_types": ["order.flown", "*", "*"], "order_mode": "fifo", "on_exhausted": "drop", "max_in_flight": 65, "rate_per_second": -1, "waits": [-1], "description": "`+strings.Repeat("x", 501)+`"}`, "*", "").
		problem(422, "invalid-endpoint").golden("problems/a_change_of_an_endpoint_with_mistakes")
	changed := patch(`{"waits": null, "trace": true, "on_exhausted": "skip", "description": "x"}`, tag, "k").expect(200)
	want := map[string]any{
		"url": "https://partner.example/hook", "event_types": []any{"order.placed"}, "max_in_flight": 4.0, "rate_per_second": 9.0, "description": "x",
	}
	got := changed.json()
	for _, name := range []string{"id", "status", "secrets", "created_at"} {
		if got[name] == nil {
			t.Errorf("%s is missing: %s", name, changed.body)
		}
		delete(got, name)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("changed (-want +got):\n%s", diff)
	}
	if changed.header.Get("ETag") == tag {
		t.Error("the tag did not change")
	}
	patch(`{"description": "y"}`, tag, "").problem(412, "revision-mismatch")
	patch(`{"description": "y"}`, changed.header.Get("ETag"), "").expect(200)
	again := patch(`{"waits": null, "trace": true, "on_exhausted": "skip", "description": "x"}`, tag, "k").expect(200)
	if again.header.Get("Idempotency-Replayed") != "true" || string(again.body) != string(changed.body) || again.header.Get("ETag") != changed.header.Get("ETag") {
		t.Errorf("the same key again: %v %s", again.header, again.body)
	}
	patch(`{"description": "z"}`, "*", "k").problem(422, "idempotency-key-reused")
	patch(`{"description": "z"}`, "*", strings.Repeat("k", 256)).problem(400, "idempotency-key-invalid")
	if same := patch(`{"description": "y"}`, "*", "").expect(200); same.header.Get("ETag") == "" {
		t.Errorf("no change: %v", same.header)
	}
}

// TestAKeyStandsForWhatChangedNothing takes a key for requests that find an
// endpoint as they want it: another one under the key is refused, and a repeat
// is answered with the endpoint as it was then.
func TestAKeyStandsForWhatChangedNothing(t *testing.T) {
	t.Parallel()
	p := start(t)
	id := p.post("/v1/endpoints", quiet).expect(201).text("id")
	for _, row := range []struct{ method, path, body, other string }{
		{http.MethodPatch, "", `{"rate_per_second": null}`, `{"rate_per_second": 7}`},
		{http.MethodPost, "/resume", "", `{"from": "now"}`},
	} {
		send := func(body string) answer {
			return p.do(request{method: row.method, path: "/v1/endpoints/" + id + row.path, body: body, header: map[string]string{"If-Match": "*", "Idempotency-Key": "k"}})
		}
		first := send(row.body).expect(200)
		if first.header.Get("X-Write-Position") != "" {
			t.Fatalf("%s %s changed something", row.method, row.path)
		}
		send(row.other).problem(422, "idempotency-key-reused")
		p.post("/v1/endpoints/"+id+"/pause", "").expect(200) // what happens later does not change the first answer
		again := send(row.body).expect(200)
		if string(again.body) != string(first.body) || again.header.Get("ETag") != first.header.Get("ETag") || again.header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("%s %s again: %v %s\nfirst: %v %s", row.method, row.path, again.header, again.body, first.header, first.body)
		}
		p.post("/v1/endpoints/"+id+"/resume", "").expect(200)
	}
}

func TestEndpointPauses(t *testing.T) {
	t.Parallel()
	p := start(t)
	id := p.post("/v1/endpoints", quiet).expect(201).text("id")
	do := func(path, body string) answer {
		t.Helper()
		return p.post("/v1/endpoints/"+id+path, body)
	}
	status := func(a answer, want string) {
		t.Helper()
		if got := a.expect(200).text("status"); got != want {
			t.Errorf("%s instead of %s: %s", got, want, a.body)
		}
	}
	status(do("/resume", ""), "active")
	do("/resume", `{"from": "now"}`).problem(409, "endpoint-active")
	status(do("/pause", ""), "paused")
	status(do("/pause", ""), "paused")
	do("/test", "").problem(409, "endpoint-paused")
	do("/enable", "").problem(409, "endpoint-paused")
	do("/resume", `{"from": "yesterday"}`).problem(422, "from-invalid")
	do("/resume", `{"from": "c1.AAAA"}`).problem(400, "bad-cursor")
	status(do("/resume", `{"from": "now"}`), "active")
	status(do("/disable", ""), "disabled")
	status(do("/disable", ""), "disabled")
	do("/pause", "").problem(409, "endpoint-disabled")
	do("/test", "").problem(409, "endpoint-disabled")
	status(do("/enable", ""), "active")
	do("/disable", "").expect(200)
	status(do("/resume", `{"from": "beginning"}`), "active")
	stale := request{method: http.MethodPost, path: "/v1/endpoints/" + id + "/pause", header: map[string]string{"If-Match": `"0"`}}
	p.do(stale).problem(412, "revision-mismatch")

	items := p.get("/v1/endpoints/" + id + "/history").expect(200).json()["items"].([]any)
	var types []string
	for _, item := range items {
		entry := item.(map[string]any)
		types = append(types, strings.TrimPrefix(entry["type"].(string), "Endpoint"))
		if actor := entry["actor"].(map[string]any); actor["type"] != "api_key" || actor["id"] != "admin" {
			t.Errorf("actor %v", actor)
		}
	}
	if diff := cmp.Diff([]string{"Created", "Paused", "Resumed", "Disabled", "Enabled", "Disabled", "Resumed"}, types); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	if text := p.get("/v1/endpoints/" + id + "/history").body; strings.Contains(string(text), "sealed") {
		t.Errorf("the history tells secrets: %s", text)
	}
	if rest := p.get("/v1/endpoints/" + id + "/history?after=4&limit=1").json()["items"].([]any); len(rest) != 1 || rest[0].(map[string]any)["revision"] != 5.0 {
		t.Errorf("a page of the history: %v", rest)
	}
}

// hook is a receiver that keeps what it got.
type hook struct {
	*httptest.Server
	got chan received
}

type received struct {
	header http.Header
	body   []byte
}

func (r received) text(name string) string {
	var document map[string]any
	_ = json.Unmarshal(r.body, &document)
	text, _ := document[name].(string)
	return text
}

func newHook(t *testing.T, status func(n int) int) *hook {
	t.Helper()
	h := &hook{got: make(chan received, 64)}
	n := 0
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		n++
		if status != nil {
			w.WriteHeader(status(n))
		}
		h.got <- received{header: r.Header, body: body}
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hook) next(t *testing.T) received {
	t.Helper()
	select {
	case got := <-h.got:
		return got
	case <-time.After(time.Minute):
		t.Fatal("nothing arrived")
		return received{}
	}
}

func (h *hook) endpoint(types string) string {
	return `{"url": "` + h.URL + `", "event_types": ` + types + `}`
}

func TestSecretsRotateWithoutGaps(t *testing.T) {
	t.Parallel()
	p := start(t)
	h := newHook(t, nil)
	created := p.post("/v1/endpoints", h.endpoint(`["order.placed"]`)).expect(201)
	id, first := created.text("id"), created.text("secret")
	rotate := func(body, key string) answer {
		t.Helper()
		return p.do(request{method: http.MethodPost, path: "/v1/endpoints/" + id + "/rotate-secret", body: body, header: map[string]string{"Idempotency-Key": key}})
	}
	rotated := rotate("", "k1").expect(200)
	if rotated.header.Get("Cache-Control") != "no-store" || rotated.json()["version"] != 2.0 || rotated.text("old_until") == "" {
		t.Errorf("rotated: %v %s", rotated.header, rotated.body)
	}
	if again := rotate("", "k1").expect(200); again.text("secret") != rotated.text("secret") || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("the same key again: %s", again.body)
	}
	rotate(`{"overlap_seconds": 1}`, "k1").problem(422, "idempotency-key-reused")
	rotate(`{"overlap_seconds": 604801}`, "k2").problem(422, "overlap-invalid")
	rotate(`{"overlap_seconds": -1}`, "k2").problem(422, "overlap-invalid")
	verifies := func(secrets ...string) {
		t.Helper()
		p.post("/v1/endpoints/"+id+"/test", "").expect(202)
		got := h.next(t)
		if n := len(strings.Fields(got.header.Get("webhook-signature"))); n != len(secrets) {
			t.Errorf("%d signatures instead of %d", n, len(secrets))
		}
		for _, secret := range secrets {
			verifier := must(standard.NewWebhook(secret))(t)
			if err := verifier.Verify(got.body, got.header); err != nil {
				t.Errorf("a secret that should sign: %v", err)
			}
		}
	}
	settled := func(version float64) {
		t.Helper()
		eventually(t, "the dispatcher knows the secret", func() bool {
			items := p.get("/v1/endpoints").json()["items"].([]any)
			return len(items) == 1 && items[0].(map[string]any)["secrets"].([]any)[0].(map[string]any)["version"] == version
		})
	}
	settled(2)
	verifies(rotated.text("secret"), first)
	for _, key := range []string{"k3", "k4", "k5"} {
		rotate("", key).expect(200)
	}
	rotate("", "k6").problem(409, "too-many-secrets")
	last := rotate(`{"overlap_seconds": 0}`, "k7").expect(200)
	if last.json()["old_until"] != nil {
		t.Errorf("an old secret signs on: %s", last.body)
	}
	settled(6)
	verifies(last.text("secret"))
}

func TestEndpointsAreBounded(t *testing.T) {
	t.Parallel()
	bounded := func(b webhooks.Bounds) *platform {
		return startWith(t, func(a *api.API) { a.Endpoints.Bounds = b })
	}
	t.Run("per tenant and host", func(t *testing.T) {
		t.Parallel()
		p := bounded(webhooks.Bounds{PerTenant: 3, PerHost: 2})
		count := func(n int) {
			eventually(t, "listed", func() bool { return len(p.get("/v1/endpoints").json()["items"].([]any)) == n })
		}
		p.post("/v1/endpoints", quiet).expect(201)
		p.post("/v1/endpoints", `{"url": "https://PARTNER.example/other", "event_types": ["*"]}`).expect(201)
		count(2)
		p.post("/v1/endpoints", quiet).problem(409, "too-many-endpoints-at-host")
		elsewhere := p.post("/v1/endpoints", `{"url": "https://b.example", "event_types": ["*"]}`).expect(201).text("id")
		count(3)
		move := request{method: http.MethodPatch, path: "/v1/endpoints/" + elsewhere, header: map[string]string{"If-Match": "*"}}
		for _, same := range []string{"https://partner.example/third", "https://partner.example./third"} {
			move.body = `{"url": "` + same + `"}`
			p.do(move).problem(409, "too-many-endpoints-at-host")
		}
		move.body = `{"url": "https://b.example/third"}`
		p.do(move).expect(200)
		p.post("/v1/endpoints", `{"url": "https://c.example", "event_types": ["*"]}`).problem(409, "too-many-endpoints")
	})
	t.Run("per minute", func(t *testing.T) {
		t.Parallel()
		p := bounded(webhooks.Bounds{Creates: 1, Tests: 1, Replays: 1})
		first := request{method: http.MethodPost, path: "/v1/endpoints", body: quiet, header: map[string]string{"Idempotency-Key": "k"}}
		id := p.do(first).expect(201).text("id")
		p.do(first).expect(201)
		if refused := p.post("/v1/endpoints", quiet).problem(429, "too-many-requests"); refused.header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		test := request{method: http.MethodPost, path: "/v1/endpoints/" + id + "/test", header: map[string]string{"Idempotency-Key": "k"}}
		p.do(test).expect(202)
		p.do(test).expect(202)
		p.post("/v1/endpoints/"+id+"/test", "").problem(429, "too-many-requests")
		replay := request{method: http.MethodPost, path: "/v1/endpoints/" + id + "/replays", body: `{"from": "beginning"}`, header: map[string]string{"Idempotency-Key": "k"}}
		p.do(replay).expect(202)
		p.do(replay).expect(202)
		p.post("/v1/endpoints/"+id+"/replays", `{"from": "beginning"}`).problem(429, "too-many-requests")
		p.do(request{
			method: http.MethodPatch, path: "/v1/endpoints/" + id, body: `{"url": "https://partner.example/again"}`, header: map[string]string{"If-Match": "*"},
		}).problem(429, "too-many-requests")
	})
}

// TestAContactIsInTheVaultAlone: events have a reference to it, which leads to
// nothing once it was replaced or the endpoint is gone.
func TestAContactIsInTheVaultAlone(t *testing.T) {
	t.Parallel()
	p := start(t)
	id := p.post("/v1/endpoints", `{"url": "https://partner.example/hook", "event_types": ["order.placed"], "contact_email": "ops@partner.example"}`).expect(201).text("id")
	path := "/v1/endpoints/" + id
	var refs []string // that the endpoint had
	shows := func(want string) {
		t.Helper()
		if got, _ := p.get(path).expect(200).json()["contact_email"].(string); got != want {
			t.Errorf("the endpoint shows %q, want %q", got, want)
		}
		state, _, err := eventstore.Load(t.Context(), p.store, endpoint.Decider, id)
		if err != nil {
			t.Fatal(err)
		}
		if state.ContactRef != "" && !slices.Contains(refs, state.ContactRef) {
			refs = append(refs, state.ContactRef)
		}
	}
	patch := func(body string) {
		t.Helper()
		p.do(request{method: http.MethodPatch, path: path, body: body, header: map[string]string{"If-Match": "*"}}).expect(200)
	}
	shows("ops@partner.example")
	patch(`{"description": "x"}`)
	patch(`{"contact_email": "ops@partner.example"}`)
	shows("ops@partner.example")
	if len(refs) != 1 {
		t.Errorf("the same address has the references %v", refs)
	}
	patch(`{"contact_email": "night@partner.example"}`)
	shows("night@partner.example")
	patch(`{"contact_email": null}`)
	shows("")
	patch(`{"contact_email": "day@partner.example"}`)
	shows("day@partner.example")
	eventually(t, "the list has the address", func() bool {
		item := p.items("/v1/endpoints")[0].(map[string]any)
		return item["contact_email"] == "day@partner.example"
	})
	p.do(request{method: http.MethodPatch, path: path, body: `{"contact_email": "nobody"}`, header: map[string]string{"If-Match": "*"}}).problem(422, "invalid-request")
	p.do(request{method: http.MethodDelete, path: path}).expect(204)
	for _, ref := range refs {
		if err := p.vault.Get(t.Context(), ref, new(vault.Contact)); !errors.Is(err, vault.ErrErased) {
			t.Errorf("%s is still kept: %v", ref, err)
		}
	}
	if len(refs) != 3 {
		t.Errorf("the references were %v", refs)
	}
	for r, err := range p.store.ReadStream(t.Context(), endpoint.Decider.Stream(id), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if event, err := r.Decode(); err != nil || strings.Contains(fmt.Sprintf("%+v", event), "@partner.example") {
			t.Errorf("event %d holds an address: %+v, %v", r.Revision, event, err)
		}
	}
}
