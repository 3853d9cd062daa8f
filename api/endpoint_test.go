package api_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

func TestEndpoints(t *testing.T) {
	t.Parallel()
	p := start(t)
	got := make(chan func(secret string) error, 16)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- func(secret string) error {
			verifier, err := standard.NewWebhook(secret)
			if err != nil {
				return err
			}
			return verifier.Verify(body, r.Header)
		}
	}))
	t.Cleanup(receiver.Close)
	create := func(body, key string) answer {
		t.Helper()
		r := request{method: http.MethodPost, path: "/v1/endpoints", body: body, header: map[string]string{}}
		if key != "" {
			r.header["Idempotency-Key"] = key
		}
		return p.do(r)
	}
	created := create(`{"url": "`+receiver.URL+`", "event_types": ["*"]}`, "k1").expect(201)
	id, secret := created.text("id"), created.text("secret")
	if created.header.Get("Location") != "/v1/endpoints/"+id {
		t.Errorf("Location %q", created.header.Get("Location"))
	}
	if again := create(`{"url": "`+receiver.URL+`", "event_types": ["*"]}`, "k1").expect(201); again.text("id") != id || again.text("secret") != secret {
		t.Errorf("the same key made another endpoint: %s", again.body)
	}
	create(`{"url": "https://elsewhere.example", "event_types": ["*"]}`, "k1").problem(422, "idempotency-key-reused")
	create(`{"url": "ftp://a", "event_types": ["order.flown", "*", "*"]}`, "").problem(422, "invalid-endpoint").golden("problems/an_endpoint_with_mistakes")
	if shown := p.get("/v1/endpoints/" + id).expect(200); shown.json()["secret"] != nil || shown.text("status") != "active" {
		t.Errorf("endpoint: %s", shown.body)
	}
	p.get("/v1/endpoints/none").problem(404, "endpoint-not-found")
	p.get("/v1/endpoints/none/attempts").problem(404, "endpoint-not-found")
	p.get("/v1/endpoints/none/status").problem(404, "endpoint-not-found")
	p.get("/v1/endpoints/"+id+"/attempts?limit=0").problem(422, "invalid-request")
	p.get("/v1/endpoints/" + id + "/status").expect(200)
	eventually(t, "listed", func() bool { return len(p.get("/v1/endpoints").json()["items"].([]any)) == 1 })

	sent := p.do(request{method: http.MethodPost, path: "/v1/endpoints/" + id + "/test"}).expect(202).text("message_id")
	select {
	case verify := <-got:
		if err := verify(secret); err != nil {
			t.Errorf("signature: %v", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("the test message did not arrive")
	}
	eventually(t, "recorded", func() bool {
		items := p.get("/v1/endpoints/" + id + "/attempts").json()["items"].([]any)
		return len(items) == 1 && items[0].(map[string]any)["message_id"] == sent && items[0].(map[string]any)["result"] == "ok"
	})
	eventually(t, "caught up", func() bool { return p.get("/v1/endpoints/" + id + "/status").json()["caught_up"] == true })

	remove := request{method: http.MethodDelete, path: "/v1/endpoints/" + id}
	p.do(remove).expect(204)
	p.do(remove).expect(204)
	p.get("/v1/endpoints/"+id).problem(404, "endpoint-not-found")
	p.do(request{method: http.MethodPost, path: "/v1/endpoints/" + id + "/test"}).problem(404, "endpoint-not-found")
}
