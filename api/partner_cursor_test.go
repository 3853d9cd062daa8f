package api_test

import (
	"net/http"
	"net/url"
	"testing"
)

// A partner's cursors are one kind, wherever they come from and wherever they
// go, and of no use to anybody else.
func TestAPartnersCursorsAreItsOwn(t *testing.T) {
	t.Parallel()
	p := startTenants(t)
	h := newHook(t, nil)
	id, others, shops := p.create(p.one, h.endpoint(`["*"]`)), p.create(p.other, quiet), p.create(p.shop, quiet)
	as := func(key, method, path, body string) answer {
		t.Helper()
		return p.do(request{method: method, path: path, body: body, key: key})
	}
	push := func() received {
		t.Helper()
		as(p.one, "POST", "/v1/endpoints/"+id+"/test", "").expect(202)
		return h.next(t)
	}
	first, second := push(), push()
	after := first.text("cursor")
	feed := "/v1/feed?endpoint=" + id + "&after="

	// It goes on by pulling, with its own key as with the shop's.
	var next string
	for name, key := range map[string]string{"partner": p.one, "admin": ""} {
		pulled := as(key, "GET", feed+after, "").expect(200)
		items := pulled.json()["items"].([]any)
		if len(items) != 1 || items[0].(map[string]any)["id"] != second.text("id") || items[0].(map[string]any)["cursor"] != second.text("cursor") {
			t.Fatalf("%s pulled %s", name, pulled.body)
		}
		next = pulled.text("next")
	}
	stream := must(http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+"/v1/feed/stream?endpoint="+id, http.NoBody))(t)
	stream.Header.Set("Authorization", "Bearer "+p.one)
	stream.Header.Set("Last-Event-ID", after)
	streamed := must(http.DefaultClient.Do(stream))(t)
	if streamed.Body.Close(); streamed.StatusCode != http.StatusOK {
		t.Errorf("the stream after a cursor of a message: %d", streamed.StatusCode)
	}

	// It goes back to being pushed to: by a replay, and by resuming.
	replay := as(p.one, "POST", "/v1/endpoints/"+id+"/replays", `{"from": "`+after+`", "to": "`+next+`"}`).expect(202)
	if m := h.next(t); m.text("id") != second.text("id") || m.header.Get("Webhook-Run") != replay.text("id") || replay.text("from") != after {
		t.Errorf("replayed %s by %s", m.body, replay.body)
	}
	as(p.one, "POST", "/v1/endpoints/"+id+"/pause", "").expect(200)
	as(p.one, "POST", "/v1/endpoints/"+id+"/resume", `{"from": "`+after+`"}`).expect(200)
	if m := h.next(t); m.text("id") != second.text("id") || m.header.Get("Webhook-Run") != "live" {
		t.Errorf("after resuming %v %s", m.header, m.body)
	}

	preview := as(p.one, "POST", "/v1/endpoints/"+id+"/filter-preview", `{}`).expect(200).text("cursor")
	events := as(p.one, "GET", "/v1/aggregates/"+id+"/events?type=endpoint&endpoint_id="+id, "").expect(200).json()["items"].([]any)
	cursors := map[string]string{
		"a message": after, "the feed": next, "the status": as(p.one, "GET", "/v1/endpoints/"+id+"/status", "").expect(200).text("delivered_through"),
		"a preview": preview, "a replay": replay.text("to"),
	}
	if of, ok := events[0].(map[string]any)["cursor"].(string); ok && of != "" && of != after {
		t.Errorf("the message has cursor %s, listed it has %s", after, of)
	}
	for from, cursor := range cursors {
		cursor = url.QueryEscape(cursor)
		as(p.one, "GET", "/v1/feed?after="+cursor, "").expect(200)
		for key, own := range map[string]string{p.other: others, p.shop: shops} {
			as(key, "GET", "/v1/feed?after="+cursor, "").problem(400, "bad-cursor")
			as(key, "GET", "/v1/feed/stream?after="+cursor, "").problem(400, "bad-cursor")
			as(key, "POST", "/v1/endpoints/"+own+"/replays", `{"from": "`+cursor+`"}`).problem(422, "invalid-replay")
			as(key, "POST", "/v1/endpoints/"+own+"/pause", "").expect(200)
			as(key, "POST", "/v1/endpoints/"+own+"/resume", `{"from": "`+cursor+`"}`).problem(400, "bad-cursor")
		}
		if t.Failed() {
			t.Fatalf("that was the cursor of %s", from)
		}
	}
	shops = as(p.shop, "GET", "/v1/feed?after=now", "").expect(200).text("next")
	as(p.one, "GET", "/v1/feed?after="+shops, "").problem(400, "bad-cursor")
}
