package api_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/api"
	"github.com/waybill-dev/waybill/domain/apikey"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares an answer's body with testdata/<name>.json.
func (a answer) golden(name string) {
	a.t.Helper()
	var got bytes.Buffer
	if err := json.Indent(&got, a.body, "", "  "); err != nil {
		a.t.Fatalf("%v: %s", err, a.body)
	}
	path := filepath.Join("testdata", name+".json")
	if *update {
		if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
			a.t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		a.t.Fatalf("%v (go test -update writes it)", err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		a.t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	p := startWith(t, func(a *api.API) { a.Config.MaxBodyBytes = 300 })
	reader := p.key(apikey.OrdersRead)
	issue := func(body string) request {
		return request{method: http.MethodPost, path: "/v1/api-keys", body: body}
	}
	with := func(r request, name, value string) request {
		r.header = map[string]string{name: value}
		return r
	}
	for _, c := range []struct {
		name   string
		send   request
		status int
		slug   string
	}{
		{"no key", request{method: http.MethodGet, path: "/v1/api-keys", key: "-"}, 401, "unauthorized"},
		{"a wrong key", request{method: http.MethodGet, path: "/v1/api-keys", key: "wrong"}, 401, "unauthorized"},
		{"another scheme", with(request{method: http.MethodGet, path: "/v1/api-keys", key: "-"}, "Authorization", "Basic YTpi"), 401, "unauthorized"},
		{"a scope is missing", request{method: http.MethodGet, path: "/v1/api-keys", key: reader}, 403, "forbidden"},
		{"an unknown address", request{method: http.MethodGet, path: "/v1/nothing"}, 404, "not-found"},
		{"a wrong method", request{method: http.MethodPatch, path: "/v1/api-keys"}, 405, "method-not-allowed"},
		{"no body", issue(""), 400, "malformed-request"},
		{"half a body", issue(`{"name": "shop", `), 400, "malformed-request"},
		{"more than a body", issue(`{"name": "shop", "scopes": ["admin"]} {}`), 400, "malformed-request"},
		{"another media type", with(issue(`name=shop`), "Content-Type", "application/x-www-form-urlencoded"), 415, "unsupported-media-type"},
		{"a compressed body", with(issue(`{}`), "Content-Encoding", "gzip"), 415, "unsupported-media-type"},
		{"a large body", issue(`{"name": "` + strings.Repeat("n", 300) + `"}`), 413, "body-too-large"},
		{"wrong types, missing and unknown members", issue(`{"name": 1, "colour": "red"}`), 422, "invalid-request"},
		{"an unknown parameter", request{method: http.MethodGet, path: "/v1/api-keys?colour=red"}, 422, "invalid-request"},
		{"an unknown parameter beside known ones", request{method: http.MethodGet, path: "/v1/orders?colour=red&limit=1"}, 422, "invalid-request"},
		{"a rule refuses, with every mistake", issue(`{"name": "", "scopes": ["orders:fly", "admin", "admin"]}`), 422, "api-key-invalid"},
		{"a rule refuses, with particulars", request{method: http.MethodDelete, path: "/v1/api-keys/nobody"}, 404, "api-key-not-found"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			q := *p
			q.t = t
			q.do(c.send).problem(c.status, c.slug).golden("problems/" + strings.NewReplacer(" ", "_", ",", "").Replace(c.name))
		})
	}
}

func TestChallenges(t *testing.T) {
	t.Parallel()
	p := start(t)
	for key, want := range map[string]string{
		"-":                        `Bearer realm="waybill"`,
		"wrong":                    `Bearer realm="waybill", error="invalid_token"`,
		p.key(apikey.CatalogWrite): `Bearer realm="waybill", error="insufficient_scope"`,
	} {
		got := p.do(request{method: http.MethodGet, path: "/v1/api-keys", key: key}).header.Get("WWW-Authenticate")
		if got != want {
			t.Errorf("WWW-Authenticate %q, want %q", got, want)
		}
	}
	if allow := p.do(request{method: http.MethodPatch, path: "/v1/api-keys"}).header.Get("Allow"); allow != "GET, HEAD, POST" {
		t.Errorf("Allow %q", allow)
	}
}

func TestTheStoreIsAway(t *testing.T) {
	t.Parallel()
	p := start(t)
	p.node.Stop()
	p.get("/v1/api-keys").problem(503, "unavailable")
	p.get("/healthz").expect(200)
	ready := p.do(request{method: http.MethodGet, path: "/readyz", key: "-"}).expect(503)
	if ready.header.Get("Retry-After") == "" || !strings.Contains(string(ready.body), `"event store":"unavailable"`) {
		t.Errorf("readyz: %v %s", ready.header, ready.body)
	}
	p.node.Restart()
	eventually(t, "ready", func() bool { return p.get("/readyz").status == 200 })
	p.get("/v1/api-keys").expect(200)
}

func TestProblemPages(t *testing.T) {
	t.Parallel()
	p := start(t)
	page := p.do(request{method: http.MethodGet, path: "/problems/out-of-stock", key: "-"}).expect(200)
	if !strings.Contains(string(page.body), "<h1>Out of stock</h1>") || !strings.HasPrefix(page.header.Get("Content-Type"), "text/html") {
		t.Errorf("page: %s", page.body)
	}
	p.do(request{method: http.MethodGet, path: "/problems/", key: "-"}).expect(200)
	p.do(request{method: http.MethodGet, path: "/problems/none", key: "-"}).problem(404, "not-found")
}

func TestSecurityHeaders(t *testing.T) {
	t.Parallel()
	p := start(t)
	for _, path := range []string{"/healthz", "/v1/nothing", "/docs", "/problems/conflict"} {
		header := p.get(path).header
		for _, name := range []string{"X-Content-Type-Options", "X-Frame-Options", "Referrer-Policy", "Content-Security-Policy"} {
			if header.Get(name) == "" {
				t.Errorf("%s has no %s", path, name)
			}
		}
	}
}
