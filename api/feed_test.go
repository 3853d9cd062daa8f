package api_test

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
	"time"
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
	response, err := (&http.Client{Timeout: 20 * time.Second}).Do(r)
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
