package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func (p *platform) items(path string) []any {
	p.t.Helper()
	return p.get(path).expect(200).json()["items"].([]any)
}

// tests asks for test messages and returns their ids.
func (p *platform) tests(endpoint string, n int) (ids []string) {
	p.t.Helper()
	for range n {
		ids = append(ids, p.post("/v1/endpoints/"+endpoint+"/test", "").expect(202).text("message_id"))
	}
	return ids
}

func TestAttemptsAreListedPageByPage(t *testing.T) {
	t.Parallel()
	p := start(t)
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`<script>alert("hello")</script>`))
	}))
	t.Cleanup(h.Close)
	id := p.post("/v1/endpoints", `{"url": "`+h.URL+`", "event_types": ["order.placed"]}`).expect(201).text("id")
	ids := p.tests(id, 5)
	path := "/v1/endpoints/" + id + "/attempts"
	eventually(t, "all are recorded", func() bool { return len(p.items(path)) == 5 })
	var pages []string
	for next := path + "?limit=2"; next != ""; {
		page := p.get(next).expect(200)
		for _, item := range page.json()["items"].([]any) {
			pages = append([]string{item.(map[string]any)["message_id"].(string)}, pages...)
		}
		link := page.header.Get("Link")
		if link == "" {
			break
		}
		next = link[1:strings.Index(link, ">")]
	}
	if diff := cmp.Diff(ids, pages); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
	for query, want := range map[string]int{
		"message_id=" + ids[2]: 1, "result=ok": 5, "result=timeout": 0, "order=o1": 0, "run=live": 5, "run=replay_1": 0,
		"from=2020-01-01T00:00:00Z": 5, "to=2020-01-01T00:00:00Z": 0, "from=2120-01-01T00:00:00Z": 0,
	} {
		if got := p.items(path + "?" + query); len(got) != want {
			t.Errorf("%s: %d attempts, want %d", query, len(got), want)
		}
	}
	first := p.get(path + "?limit=2").json()["next_cursor"].(string)
	p.get(path+"?limit=2&result=ok&cursor="+first).problem(400, "bad-cursor")
	p.get(path+"?limit=0").problem(422, "invalid-request")

	text := string(p.get(path + "?limit=1").body)
	if strings.Contains(text, "<script>") || !strings.Contains(text, `\u003cscript`) {
		t.Errorf("what a stranger wrote could run: %s", text)
	}
	shown := p.get("/v1/endpoints/" + id + "/deliveries/" + ids[0]).expect(200)
	request := shown.json()["request"].(map[string]any)
	body := request["body"].(map[string]any)
	if body["id"] != ids[0] || body["type"] != "endpoint.test" || len(shown.json()["attempts"].([]any)) != 1 {
		t.Errorf("delivery: %s", shown.body)
	}
	p.get("/v1/endpoints/"+id+"/deliveries/none").problem(404, "delivery-not-found")
	p.get("/v1/endpoints/none/deliveries/"+ids[0]).problem(404, "endpoint-not-found")
}

func TestAnswersAreShownToTheOwnerOnly(t *testing.T) {
	t.Parallel()
	p := startTenants(t)
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello")) }))
	t.Cleanup(h.Close)
	id := p.create(p.one, `{"url": "`+h.URL+`", "event_types": ["order.placed"]}`)
	message := p.do(request{method: http.MethodPost, path: "/v1/endpoints/" + id + "/test", key: p.one}).expect(202).text("message_id")
	seen := func(key, path string) string {
		return string(p.do(request{method: http.MethodGet, path: "/v1/endpoints/" + id + path, key: key}).expect(200).body)
	}
	for _, path := range []string{"/attempts", "/deliveries/" + message} {
		eventually(t, "the owner sees the answer", func() bool { return strings.Contains(seen(p.one, "/attempts"), `"response_body":"hello"`) })
		if text := seen(p.one, path); !strings.Contains(text, `"response_body":"hello"`) {
			t.Errorf("the owner does not see the answer: %s", text)
		}
		if text := seen("", path); strings.Contains(text, "hello") || !strings.Contains(text, message) {
			t.Errorf("for the admin: %s", text)
		}
	}
}

func TestUndeliveredMessagesAndStatus(t *testing.T) {
	t.Parallel()
	p := start(t)
	h := newHook(t, func(int) int { return 500 })
	id := p.post("/v1/endpoints", `{"url": "`+h.URL+`", "event_types": ["order.placed"], "waits": [3600]}`).expect(201).text("id")
	path := "/v1/endpoints/" + id
	ids := p.tests(id, 3)
	eventually(t, "all are parked", func() bool { return len(p.items(path+"/undelivered")) == 3 })
	var states []string
	for i, item := range p.items(path + "/undelivered") {
		row := item.(map[string]any)
		states = append(states, fmt.Sprint(row["state"], " ", row["attempts"]))
		lane := row["aggregate"].(map[string]any)
		if row["message_id"] != ids[i] || row["event_type"] != "endpoint.test" || lane["type"] != "endpoint" || lane["id"] != id || row["recorded_at"] == nil {
			t.Errorf("row %d: %v", i, row)
		}
	}
	if diff := cmp.Diff([]string{"due 1", "behind 0", "behind 0"}, states); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
	page := p.get(path + "/undelivered?limit=2").expect(200)
	rest := p.items(path + "/undelivered?limit=2&cursor=" + page.json()["next_cursor"].(string))
	if len(rest) != 1 || rest[0].(map[string]any)["message_id"] != ids[2] {
		t.Errorf("the next page: %v", rest)
	}
	p.get(path+"/undelivered?cursor=x").problem(400, "bad-cursor")
	p.get("/v1/endpoints/none/undelivered").problem(404, "endpoint-not-found")
	eventually(t, "caught up", func() bool { return p.get(path + "/status").json()["caught_up"] == true })
	status := p.get(path + "/status").expect(200).json()
	if status["parked"] != 3.0 || status["given_up"] != 0.0 || status["lag_events"] != 0.0 || status["next_try_at"] == nil || status["status"] != "active" ||
		!strings.HasPrefix(status["delivered_through"].(string), "c1.") || !strings.HasPrefix(status["head"].(string), "c1.") {
		t.Errorf("status: %v", status)
	}
}

func TestStatusCountsWhatIsBehind(t *testing.T) {
	t.Parallel()
	p := start(t)
	h := newHook(t, nil)
	id := p.post("/v1/endpoints", h.endpoint(`["product.registered"]`)).expect(201).text("id")
	path := "/v1/endpoints/" + id
	p.tests(id, 1)
	first := h.next(t)
	p.post(path+"/pause", "").expect(200)
	eventually(t, "paused", func() bool {
		items := p.items("/v1/endpoints")
		return len(items) == 1 && items[0].(map[string]any)["status"] == "paused"
	})
	for i := range 4 {
		p.post("/v1/products", strings.ReplaceAll(mug, "MUG-1", fmt.Sprint("MUG-", i))).expect(201)
	}
	eventually(t, "four are counted", func() bool { return p.get(path + "/status").expect(200).json()["lag_events"] == 4.0 })
	status := p.get(path + "/status").json()
	if status["caught_up"] != false || status["status"] != "paused" || status["delivered_through"] == status["head"] {
		t.Errorf("status: %v", status)
	}
	cursor := first.text("cursor")
	p.post(path+"/resume", string(must(json.Marshal(map[string]string{"from": cursor}))(t))).expect(200)
	for range 4 {
		if got := h.next(t); got.text("type") != "product.registered" {
			t.Errorf("after the cursor came %s", got.body)
		}
	}
	eventually(t, "caught up", func() bool { return p.get(path + "/status").json()["caught_up"] == true })
}
