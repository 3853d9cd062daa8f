package api_test

import (
	"net/http"
	"testing"

	"github.com/waybill-dev/waybill/api"
	"github.com/waybill-dev/waybill/webhooks"
)

func TestMessagesAreSentAgain(t *testing.T) {
	t.Parallel()
	p := startWith(t, func(a *api.API) { a.Endpoints.Bounds = webhooks.Bounds{Resends: 3} })
	h := newHook(t, func(n int) int { // the first is given up after two attempts; when it is sent again it fails once more
		if n <= 3 {
			return 500
		}
		return 200
	})
	id := p.post("/v1/endpoints", `{"url": "`+h.URL+`", "event_types": ["order.placed"], "waits": [0]}`).expect(201).text("id")
	path := "/v1/endpoints/" + id
	message := p.tests(id, 1)[0]
	h.next(t)
	h.next(t)
	eventually(t, "given up", func() bool { return p.get(path + "/status").json()["given_up"] == 1.0 })
	resend := func(key string) answer {
		t.Helper()
		return p.do(request{method: http.MethodPost, path: path + "/deliveries/" + message + "/resend", header: map[string]string{"Idempotency-Key": key}})
	}
	if again := resend("k1").expect(202); again.text("message_id") != message {
		t.Errorf("answer: %s", again.body)
	}
	for _, attempt := range []string{"1", "2"} {
		got := h.next(t)
		if got.header.Get("webhook-id") != message || got.header.Get("webhook-attempt") != attempt {
			t.Errorf("sent again: %v", got.header)
		}
	}
	eventually(t, "nothing is undelivered", func() bool { return len(p.items(path+"/undelivered")) == 0 })
	if replay := resend("k1").expect(202); replay.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("the same key again: %v", replay.header)
	}
	resend("k2").expect(202) // it was delivered
	if got := h.next(t); got.header.Get("webhook-id") != message {
		t.Errorf("sent once more: %v", got.header)
	}
	resend("k3").expect(202)
	h.next(t)
	resend("k4").problem(429, "too-many-requests")
	p.post(path+"/deliveries/none/resend", "").problem(404, "delivery-not-found")
	p.post("/v1/endpoints/none/deliveries/"+message+"/resend", "").problem(404, "endpoint-not-found")
	p.do(request{method: http.MethodPost, path: path + "/deliveries/" + message + "/resend", header: map[string]string{"If-Match": `"0"`}}).problem(412, "revision-mismatch")
	p.post(path+"/pause", "").expect(200)
	p.post(path+"/deliveries/"+message+"/resend", "").problem(409, "endpoint-paused")
	p.post(path+"/resume", "").expect(200)
	p.post(path+"/disable", "").expect(200)
	p.post(path+"/deliveries/"+message+"/resend", "").problem(409, "endpoint-disabled")
}

func TestABlockedLaneWaitsForADecision(t *testing.T) {
	t.Parallel()
	p := start(t)
	h := newHook(t, func(n int) int {
		if n <= 2 {
			return 500
		}
		return 200
	})
	id := p.post("/v1/endpoints", `{"url": "`+h.URL+`", "event_types": ["order.placed"], "on_exhausted": "block", "waits": [0]}`).expect(201).text("id")
	path := "/v1/endpoints/" + id
	ids := p.tests(id, 2)
	eventually(t, "blocked", func() bool {
		return p.get(path + "/status").json()["blocked"] == 1.0 && len(p.items(path+"/undelivered")) == 2
	})
	if state := p.items(path + "/undelivered")[0].(map[string]any)["state"]; state != "blocking" {
		t.Errorf("state %v", state)
	}
	h.next(t)
	h.next(t)
	p.post(path+"/deliveries/"+ids[0]+"/skip", "").expect(202)
	if got := h.next(t); got.header.Get("webhook-id") != ids[1] {
		t.Errorf("behind it came %v", got.header)
	}
	eventually(t, "given up", func() bool { return p.get(path + "/status").json()["given_up"] == 1.0 })
}
