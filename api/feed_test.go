package api_test

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestFeed(t *testing.T) {
	t.Parallel()
	p := start(t)
	post := func(path, body string) answer {
		t.Helper()
		return p.do(request{method: http.MethodPost, path: path, body: body})
	}
	id := post("/v1/endpoints", `{"url": "http://127.0.0.1:1/", "event_types": ["*"]}`).expect(201).text("id")
	eventually(t, "the feed", func() bool { return p.get("/v1/feed").status == 200 })
	for range 3 {
		post("/v1/endpoints/"+id+"/test", "").expect(202)
	}
	own := "/v1/feed?endpoint=" + id
	var items []any
	eventually(t, "three messages", func() bool {
		a := p.get(own + "&wait=1")
		if a.status == http.StatusOK {
			items = a.json()["items"].([]any)
		}
		return len(items) == 3
	})
	first := items[0].(map[string]any)
	if first["type"] != "endpoint.test" || first["sequence"] != 1.0 {
		t.Errorf("the first message: %v", first)
	}
	cursor, _ := first["cursor"].(string)
	rest := p.get(own + "&limit=1&after=" + cursor).expect(200).json()
	if list := rest["items"].([]any); len(list) != 1 || list[0].(map[string]any)["id"] != items[1].(map[string]any)["id"] || rest["more"] != true {
		t.Errorf("after the first: %v", rest)
	}
	last, _ := p.get(own + "&after=now").expect(200).json()["next"].(string)
	if end := p.get(own + "&after=" + last).expect(200).json(); len(end["items"].([]any)) != 0 || end["next"] != last || end["more"] != false {
		t.Errorf("at the end: %v", end)
	}
	p.get("/v1/feed?after=c1.x").problem(400, "bad-cursor")
	p.get("/v1/feed?endpoint=none").problem(404, "endpoint-not-found")
	p.get("/v1/feed?filter=1%2B").problem(422, "invalid-request")
	p.get("/v1/feed?wait=26").problem(422, "invalid-request")
	for _, path := range []string{"/v1/feed", "/v1/feed/stream"} { // each would look like a feed in which nothing happens
		p.get(path+"?types=order.placed,order.eaten").problem(422, "invalid-request")
		p.get(path+"?endpoint="+id+"&types=order.placed").problem(422, "invalid-request")
		p.get(path+"?endpoint="+id+"&filter=true").problem(422, "invalid-request")
	}

	var ids []string
	resume := ""
	for len(ids) < 3 { // it disconnects after each message
		got, message := p.streamed(own[len("/v1/feed"):], resume)
		resume, ids = got, append(ids, message)
	}
	for i, item := range items {
		if !strings.Contains(ids[i], item.(map[string]any)["id"].(string)) {
			t.Errorf("the stream's message %d: %s", i, ids[i])
		}
	}
}

// streamed reads one message of the stream and goes away.
func (p *platform) streamed(query, resume string) (id, data string) {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.url+"/v1/feed/stream"+query, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+adminKey)
	r.Header.Set("Last-Event-Id", resume)
	response, err := (&http.Client{Timeout: time.Minute}).Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	if response.Header.Get("Content-Type") != "text/event-stream" {
		p.t.Fatalf("%s: %v", response.Status, response.Header)
	}
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "id":
			id = value
		case "data":
			return id, value
		}
	}
	p.t.Fatal("the stream ended")
	return "", ""
}

func TestPartnersPullAndReplayTheirOwnOnly(t *testing.T) {
	t.Parallel()
	p := start(t)
	p.post("/v1/partners", `{"id": "one", "name": "One", "channels": ["web"]}`).expect(201)
	p.post("/v1/partners", `{"id": "other", "name": "Other", "channels": []}`).expect(201)
	key := func(partner string) string {
		return p.post("/v1/api-keys", `{"name": "k", "scopes": ["webhooks:read", "webhooks:write"], "partner_id": "`+partner+`"}`).expect(201).text("key")
	}
	one, other := key("one"), key("other")
	p.record("o1", "web", 10, 1)
	p.record("o2", "shop", 10, 1)
	orders := func(key string) []string {
		a := p.do(request{method: http.MethodGet, path: "/v1/feed?types=order.placed", key: key})
		if a.status != http.StatusOK {
			return nil
		}
		ids := []string{}
		for _, item := range a.json()["items"].([]any) {
			ids = append(ids, item.(map[string]any)["aggregate"].(map[string]any)["id"].(string))
		}
		return ids
	}
	eventually(t, "the shop's feed", func() bool { return len(orders("")) == 2 })
	if diff := cmp.Diff([]string{"o1"}, orders(one)); diff != "" {
		t.Errorf("of the channel web (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{}, orders(other)); diff != "" {
		t.Errorf("of no channel (-want +got):\n%s", diff)
	}
	id := p.do(request{method: http.MethodPost, path: "/v1/endpoints", body: `{"url": "http://127.0.0.1:1/", "event_types": ["*"]}`, key: one}).expect(201).text("id")
	replays := "/v1/endpoints/" + id + "/replays"
	run := p.do(request{method: http.MethodPost, path: replays, body: `{"from": "beginning"}`, key: one}).expect(202).text("id")
	for _, r := range []request{
		{method: http.MethodPost, path: replays, body: `{"from": "beginning"}`},
		{method: http.MethodGet, path: replays},
		{method: http.MethodGet, path: replays + "/" + run},
		{method: http.MethodDelete, path: replays + "/" + run},
		{method: http.MethodGet, path: "/v1/feed?endpoint=" + id},
		{method: http.MethodGet, path: "/v1/feed/stream?endpoint=" + id},
	} {
		r.key = other
		p.do(r).problem(404, "endpoint-not-found")
	}
}
