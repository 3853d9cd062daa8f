package api_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/webhooks/signing"
)

// verified checks a statement as a receiver does, with nothing but the public
// keys.
func (p *platform) verified(statement answer) bool {
	p.t.Helper()
	return p.verifiedBy(statement, "/v1/keys")
}

func (p *platform) verifiedBy(statement answer, keys string) bool {
	p.t.Helper()
	signed := statement.header.Get("webhook-id") + "." + statement.header.Get("webhook-timestamp") + "." + string(statement.body)
	for _, key := range p.get(keys).expect(200).json()["keys"].([]any) {
		public := must(signing.ParsePublic(key.(map[string]any)["public_key"].(string)))(p.t)
		for one := range strings.FieldsSeq(statement.header.Get("webhook-signature")) {
			signature := must(base64.StdEncoding.DecodeString(strings.TrimPrefix(one, "v1a,")))(p.t)
			if ed25519.Verify(public, []byte(signed), signature) {
				return true
			}
		}
	}
	return false
}

// TestAnAdministratorVerifiesAPartnersStatement, which is signed with the
// partner's keys. Nobody else gets to see those of others.
func TestAnAdministratorVerifiesAPartnersStatement(t *testing.T) {
	t.Parallel()
	p := startTenants(t)
	path := "/v1/endpoints/" + p.create(p.one, quiet) + "/statement"
	statement := p.get(path).expect(200)
	if p.verified(statement) || p.verifiedBy(statement, "/v1/keys?tenant=other") || !p.verifiedBy(statement, "/v1/keys?tenant=one&retired=true") {
		t.Errorf("verified otherwise than by the partner's keys: %s", statement.body)
	}
	keys := func(key, query string) answer {
		return p.do(request{method: http.MethodGet, path: "/v1/keys" + query, key: key})
	}
	if own, named := keys(p.one, "").expect(200), keys(p.one, "?tenant=one").expect(200); string(own.body) != string(named.body) {
		t.Errorf("the partner's own keys are %s and, by its name, %s", own.body, named.body)
	}
	for _, key := range []string{p.other, p.shop} {
		keys(key, "?tenant=one").problem(403, "forbidden")
	}
	keys("", "?tenant=nobody").problem(404, "partner-not-found")
}

func TestStatementsOfDelivery(t *testing.T) {
	t.Parallel()
	p := start(t)
	h := newHook(t, func(n int) int {
		if n <= 2 {
			return 200
		}
		return 500
	})
	id := p.post("/v1/endpoints", `{"url": "`+h.URL+`", "event_types": ["order.placed"], "waits": [3600]}`).expect(201).text("id")
	path := "/v1/endpoints/" + id
	ids := p.tests(id, 4)
	eventually(t, "two are parked, two delivered", func() bool {
		status := p.get(path + "/status").json()
		return status["caught_up"] == true && status["parked"] == 2.0 && len(p.items(path+"/undelivered")) == 2
	})
	statement := p.get(path + "/statement").expect(200)
	if !p.verified(statement) {
		t.Errorf("the signature is not that of a public key: %v", statement.header)
	}
	var body struct {
		Type, From, Through string
		EndpointID          string `json:"endpoint_id"`
		Undelivered         []struct {
			MessageID string `json:"message_id"`
			Attempts  int
		}
	}
	if err := json.Unmarshal(statement.body, &body); err != nil {
		t.Fatal(err)
	}
	if body.Type != "delivery.statement" || body.EndpointID != id || !strings.HasPrefix(body.From, "c1.") || body.Through != p.get(path+"/status").text("delivered_through") {
		t.Errorf("statement: %s", statement.body)
	}
	if len(body.Undelivered) != 2 || body.Undelivered[0].MessageID != ids[2] || body.Undelivered[0].Attempts != 1 || body.Undelivered[1].MessageID != ids[3] {
		t.Errorf("undelivered: %s", statement.body)
	}
	forged := statement
	forged.body = []byte(strings.Replace(string(statement.body), ids[2], ids[0], 1))
	if p.verified(forged) {
		t.Error("another statement is signed, too")
	}
	for _, key := range []string{"r1", "r2"} { // the second ends what the first one began
		p.do(request{method: http.MethodPost, path: "/v1/keys/rotate", body: `{"overlap_seconds": 0}`, header: map[string]string{"Idempotency-Key": key}}).expect(200)
	}
	if p.verified(statement) || !p.verifiedBy(statement, "/v1/keys?retired=true") || p.verifiedBy(forged, "/v1/keys?retired=true") {
		t.Error("a statement of before the rotations is to be verified by the keys of then, and by them alone")
	}
	p.get("/v1/endpoints/none/statement").problem(404, "endpoint-not-found")
}

func TestCredentialsOfEndpoints(t *testing.T) {
	t.Parallel()
	p := start(t)
	h := newHook(t, nil)
	with := func(credentials string) string {
		return `{"url": "` + h.URL + `", "event_types": ["order.placed"], "credentials": ` + credentials + `}`
	}
	first := `{"headers": {"X-Key": "hidden-1"}, "basic": {"username": "u", "password": "hidden-2"}}`
	created := p.do(request{
		method: http.MethodPost, path: "/v1/endpoints", body: with(first), header: map[string]string{"Idempotency-Key": "of the golden file, too"},
	}).expect(201)
	id := created.text("id")
	if shown := created.json()["credentials"].(map[string]any); shown["basic"] != "u" || strings.Contains(string(created.body), "hidden") {
		t.Errorf("created: %s", created.body)
	}
	arrives := func() http.Header {
		t.Helper()
		p.tests(id, 1)
		return h.next(t).header
	}
	if got := arrives(); got.Get("X-Key") != "hidden-1" || !strings.HasPrefix(got.Get("Authorization"), "Basic ") {
		t.Errorf("sent: %v", got)
	}
	patch := func(body string) answer {
		t.Helper()
		return p.do(request{method: http.MethodPatch, path: "/v1/endpoints/" + id, body: body, header: map[string]string{"If-Match": "*"}})
	}
	patch(`{"url": "ftp://a", "credentials": {"headers": {"Host": "h"}}, "signatures": ["v2"]}`).problem(422, "invalid-endpoint").golden("problems/credentials_with_mistakes")
	if kept := patch(`{"description": "x"}`).expect(200); kept.json()["credentials"] == nil {
		t.Errorf("a change of something else took the credentials away: %s", kept.body)
	}
	if gone := patch(`{"credentials": {}}`).expect(200); gone.json()["credentials"] != nil {
		t.Errorf("they are left: %s", gone.body)
	}
	if text := string(p.get("/v1/endpoints/" + id + "/history").expect(200).body); strings.Contains(text, "sealed") || strings.Contains(text, "mark") {
		t.Errorf("history: %s", text)
	}
}
