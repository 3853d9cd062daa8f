package api_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

func TestReplays(t *testing.T) {
	t.Parallel()
	p := start(t)
	type got struct{ id, run, cursor string }
	messages := make(chan got, 16)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var m struct {
			Cursor string `json:"cursor"`
		}
		_ = json.Unmarshal(body, &m)
		messages <- got{r.Header.Get("Webhook-Id"), r.Header.Get("Webhook-Run"), m.Cursor}
	}))
	t.Cleanup(receiver.Close)
	next := func() got {
		t.Helper()
		select {
		case m := <-messages:
			return m
		case <-time.After(time.Minute):
			t.Fatal("no message came")
			return got{}
		}
	}
	post := func(path, body, key string) answer {
		t.Helper()
		r := request{method: http.MethodPost, path: path, body: body, header: map[string]string{}}
		if key != "" {
			r.header["Idempotency-Key"] = key
		}
		return p.do(r)
	}
	id := post("/v1/endpoints", `{"url": "`+receiver.URL+`", "event_types": ["*"]}`, "").expect(201).text("id")
	replays := "/v1/endpoints/" + id + "/replays"
	for range 2 {
		post("/v1/endpoints/"+id+"/test", "", "").expect(202)
	}
	first, second := next(), next()

	whole := post(replays, `{"from": "beginning", "rate": 50}`, "k1").expect(202)
	run := whole.text("id")
	if whole.header.Get("Location") != replays+"/"+run || whole.text("from") != "beginning" || whole.text("only") != "all" || whole.text("dedupe") != "same" {
		t.Errorf("Location %q of %s", whole.header.Get("Location"), whole.body)
	}
	for _, want := range []got{first, second} {
		if m := next(); m.id != want.id || m.run != run || m.cursor != want.cursor {
			t.Errorf("replayed %+v, want %+v", m, want)
		}
	}
	if again := post(replays, `{"from": "beginning", "rate": 50}`, "k1").expect(202); again.text("id") != run {
		t.Errorf("the same key began another replay: %s", again.body)
	}
	post(replays, `{"from": "beginning", "rate": 51}`, "k1").problem(422, "idempotency-key-reused")
	eventually(t, "completed", func() bool {
		r := p.get(replays + "/" + run).expect(200).json()
		return r["state"] == "completed" && r["delivered"] == 2.0 && r["progress"] == 1.0 && r["ended_at"] != nil &&
			r["through"] != nil && r["to"] == r["through"]
	})
	rest := post(replays, `{"from": "`+first.cursor+`", "only": "all", "dedupe": "new"}`, "").expect(202).text("id")
	if m := next(); m.run != rest || m.id == second.id || m.cursor != second.cursor {
		t.Errorf("the rest %+v after %+v", m, second)
	}
	items := p.get(replays).expect(200).json()["items"].([]any)
	if len(items) != 2 || items[0].(map[string]any)["id"] != rest {
		t.Errorf("replays %v", items)
	}

	p.do(request{method: http.MethodDelete, path: replays + "/" + run}).expect(204)
	p.do(request{method: http.MethodDelete, path: replays + "/none"}).problem(404, "replay-not-found")
	p.get(replays+"/none").problem(404, "replay-not-found")
	p.get("/v1/endpoints/none/replays").problem(404, "endpoint-not-found")
	undelivered := "/v1/endpoints/" + id + "/undelivered?run="
	p.get(undelivered+"none").problem(404, "replay-not-found")
	p.get(undelivered+"verify_1").problem(404, "replay-not-found")
	p.get(undelivered + run).expect(200)
	p.get(undelivered + "live").expect(200)
	post(replays, `{"from": "tomorrow", "types": ["order.eaten"]}`, "").problem(422, "invalid-replay")
	post(replays, `{"from": "beginning", "types": ["order.eaten"]}`, "").problem(422, "invalid-replay")
	post(replays, `{"from": "beginning", "only": "some"}`, "").problem(422, "invalid-request")
	post("/v1/endpoints/none/replays", `{"from": "beginning"}`, "").problem(404, "endpoint-not-found")
}

// TestACancelledReplaySaysHowFarItCame, and how far it was to go.
func TestACancelledReplaySaysHowFarItCame(t *testing.T) {
	t.Parallel()
	p := start(t)
	h := newHook(t, nil)
	id := p.post("/v1/endpoints", h.endpoint(`["product.registered"]`)).expect(201).text("id")
	path := "/v1/endpoints/" + id
	p.tests(id, 1)
	h.next(t)
	p.post(path+"/pause", "").expect(200)
	run := path + "/replays/" + p.post(path+"/replays", `{"from": "beginning"}`).expect(202).text("id")
	var before map[string]any
	eventually(t, "it waits with its endpoint", func() bool {
		before = p.get(run).expect(200).json()
		return before["state"] == "paused" && before["to"] != nil
	})
	p.do(request{method: http.MethodDelete, path: run}).expect(204)
	after := p.get(run).expect(200).json()
	if after["state"] != "cancelled" || after["to"] != before["to"] || after["through"] != before["through"] {
		t.Errorf("it is %v, and was %v", after, before)
	}
}

// TestWhatAReplayGaveUpIsListed while the live run, which delivered it, lists
// nothing.
func TestWhatAReplayGaveUpIsListed(t *testing.T) {
	t.Parallel()
	p := start(t)
	var refused atomic.Value
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Webhook-Run") != "live" && r.Header.Get("Webhook-Id") == refused.Load() {
			w.Header().Set("Webhook-Delivery", "abort-message")
			w.WriteHeader(http.StatusUnprocessableEntity)
		}
	}))
	t.Cleanup(receiver.Close)
	id := p.post("/v1/endpoints", `{"url": "`+receiver.URL+`", "event_types": ["order.placed"]}`).expect(201).text("id")
	path := "/v1/endpoints/" + id
	ids := p.tests(id, 3)
	refused.Store(ids[1])
	eventually(t, "all were delivered", func() bool { return len(p.items(path+"/attempts?result=ok")) == 3 })
	run := p.post(path+"/replays", `{"from": "beginning"}`).expect(202).text("id")
	eventually(t, "completed", func() bool {
		r := p.get(path + "/replays/" + run).expect(200).json()
		return r["state"] == "completed" && r["delivered"] == 2.0 && r["given_up"] == 1.0
	})
	list := p.items(path + "/undelivered?run=" + run)
	if len(list) != 1 || list[0].(map[string]any)["message_id"] != ids[1] || list[0].(map[string]any)["state"] != "given_up" {
		t.Errorf("the replay did not deliver %v, want %s", list, ids[1])
	}
	p.get(path+"/undelivered?run=replay_none").problem(404, "replay-not-found")
	for _, other := range []string{"", "?run=live"} {
		if list := p.items(path + "/undelivered" + other); len(list) != 0 {
			t.Errorf("%q lists %v", other, list)
		}
	}
}
