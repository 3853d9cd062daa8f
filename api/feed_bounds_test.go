package api_test

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/api"
	"github.com/waybill-dev/waybill/database"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/vault"
	"github.com/waybill-dev/waybill/webhooks"
	"github.com/waybill-dev/waybill/webhooks/cursor"
	"github.com/waybill-dev/waybill/webhooks/ledger"
)

// gate holds up those who read the log from its beginning while it is shut.
type gate struct {
	shut    atomic.Bool
	waiting atomic.Int32
	open    chan struct{} // closed to let everybody go on
}

func newGate() *gate { return &gate{open: make(chan struct{})} }

func (g *gate) before(feed func(eventstore.FeedConfig) webhooks.Feed) func(eventstore.FeedConfig) webhooks.Feed {
	return func(cfg eventstore.FeedConfig) webhooks.Feed {
		if cfg.From > 0 || !g.shut.Load() {
			return feed(cfg)
		}
		return &gated{Feed: feed(cfg), gate: g}
	}
}

type gated struct {
	webhooks.Feed
	gate *gate
}

func (f *gated) Next(ctx context.Context) (eventstore.Page, error) {
	f.gate.waiting.Add(1)
	defer f.gate.waiting.Add(-1)
	select {
	case <-f.gate.open:
		return f.Feed.Next(ctx)
	case <-ctx.Done():
		return eventstore.Page{}, ctx.Err()
	}
}

// TestPreviewsAreBounded counts those under way of each tenant.
func TestPreviewsAreBounded(t *testing.T) {
	t.Parallel()
	g := newGate()
	p := startWith(t, func(a *api.API) { a.Messages.Feed, a.Messages.MostPreviews = g.before(a.Messages.Feed), 1 })
	p.post("/v1/partners", `{"id": "one", "name": "One", "channels": ["web"]}`).expect(201)
	partner := p.post("/v1/api-keys", `{"name": "k", "scopes": ["webhooks:read", "webhooks:write"], "partner_id": "one"}`).expect(201).text("key")
	p.record("o1", "web", 10, 1)
	own := p.post("/v1/endpoints", quiet).expect(201).text("id")
	theirs := p.do(request{method: http.MethodPost, path: "/v1/endpoints", body: quiet, key: partner}).expect(201).text("id")
	preview := func(id, key string) request {
		return request{method: http.MethodPost, path: "/v1/endpoints/" + id + "/filter-preview", body: `{}`, key: key}
	}
	g.shut.Store(true)
	first := make(chan answer, 2)
	go func() { first <- p.do(preview(own, "")) }()
	eventually(t, "the first is at work", func() bool { return g.waiting.Load() == 1 })
	refused := p.do(preview(own, "")).problem(429, "too-many-at-once")
	if refused.header.Get("Retry-After") == "" || refused.json()["most"] != 1.0 {
		t.Errorf("refused: %v %s", refused.header, refused.body)
	}
	p.do(preview(theirs, "")).problem(429, "too-many-at-once") // who asks counts
	go func() { first <- p.do(preview(theirs, partner)) }()
	eventually(t, "the partner's is at work", func() bool { return g.waiting.Load() == 2 })
	close(g.open)
	for range 2 {
		(<-first).expect(200)
	}
	p.do(preview(own, "")).expect(200)
}

// TestReadersAreBounded counts those who read the past, and all together.
func TestReadersAreBounded(t *testing.T) {
	t.Parallel()
	g := newGate()
	p := startWith(t, func(a *api.API) {
		reads(t, a, func(d *webhooks.Dispatcher) {
			d.Config.Ring, d.Config.Readers, d.Config.PastReaders = 1, 3, 1
			d.Feed = g.before(d.Feed)
		})
	})
	for _, id := range []string{"o1", "o2", "o3"} {
		p.record(id, "web", 10, 1)
	}
	eventually(t, "the log to be read, and forgotten", func() bool {
		a := p.get("/v1/feed?types=order.placed")
		return a.status == http.StatusOK && strings.Count(string(a.body), `"order.placed"`) == 3
	})
	g.shut.Store(true)
	first := make(chan answer, 1)
	go func() { first <- p.get("/v1/feed?wait=25") }()
	eventually(t, "one reads the past", func() bool { return g.waiting.Load() == 1 })
	for _, path := range []string{"/v1/feed", "/v1/feed/stream"} {
		if refused := p.get(path).problem(429, "too-many-at-once"); refused.header.Get("Retry-After") == "" || refused.json()["most"] != 1.0 {
			t.Errorf("%s: %v %s", path, refused.header, refused.body)
		}
	}
	p.get("/v1/feed?after=now").expect(200)
	streams := []*openStream{p.openFeed("after=now", ""), p.openFeed("after=now", "")}
	p.get("/v1/feed?after=now").problem(429, "too-many-at-once")
	close(g.open)
	(<-first).expect(200)
	p.get("/v1/feed").expect(200)
	streams[0].close()
	eventually(t, "the place of a stream that was left", func() bool {
		another := p.get("/v1/feed?after=now")
		return another.status == http.StatusOK
	})
}

// openStream is a stream of the feed.
type openStream struct {
	lines *bufio.Scanner
	close func()
	last  string // id
}

// openFeed opens a stream, and returns when its first line came.
func (p *platform) openFeed(query, key string) *openStream {
	p.t.Helper()
	r := must(http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.url+"/v1/feed/stream?"+query, nil))(p.t)
	r.Header.Set("Authorization", "Bearer "+cmp.Or(key, adminKey))
	response := must(http.DefaultClient.Do(r))(p.t)
	p.t.Cleanup(func() { _ = response.Body.Close() })
	if response.StatusCode != http.StatusOK {
		p.t.Fatalf("stream: %s", response.Status)
	}
	s := &openStream{lines: bufio.NewScanner(response.Body), close: func() { _ = response.Body.Close() }}
	if !s.lines.Scan() {
		p.t.Fatalf("the stream ended at once: %v", s.lines.Err())
	}
	return s
}

// next returns type and aggregate of the next message, empty when the stream
// ended.
func (s *openStream) next() string {
	for s.lines.Scan() {
		name, value, _ := strings.Cut(s.lines.Text(), ": ")
		switch name {
		case "id":
			s.last = value
		case "data":
			var m struct {
				Type      string
				Aggregate struct{ ID string }
			}
			if json.Unmarshal([]byte(value), &m) == nil {
				return m.Type + " " + m.Aggregate.ID
			}
		}
	}
	return ""
}

// TestAStreamOfAnEndpointFollowsItsSettings: it ends when they are changed, and
// goes on by the new ones.
func TestAStreamOfAnEndpointFollowsItsSettings(t *testing.T) {
	t.Parallel()
	p := start(t)
	id := p.post("/v1/endpoints", `{"url": "http://127.0.0.1:1/", "event_types": ["order.placed"]}`).expect(201).text("id")
	own := "endpoint=" + id + "&after="
	eventually(t, "the endpoint is served", func() bool { return p.get("/v1/feed?"+own+"now").status == http.StatusOK })
	s := p.openFeed(own+"beginning", "")
	p.record("o1", "web", 10, 1)
	if got := s.next(); got != "order.placed o1" {
		t.Fatalf("the first message is %q", got)
	}
	change := request{method: http.MethodPatch, path: "/v1/endpoints/" + id, body: `{"event_types": ["order.shipped"]}`, header: map[string]string{"If-Match": "*"}}
	waiting := make(chan answer, 1)
	go func() { waiting <- p.get("/v1/feed?wait=25&" + own + "now") }()
	began := time.Now()
	p.do(change).expect(200)
	if got := s.next(); got != "" {
		t.Fatalf("the stream goes on with %q", got)
	}
	if early := (<-waiting).expect(200).json(); len(early["items"].([]any)) != 0 || early["more"] != true || time.Since(began) > 20*time.Second {
		t.Errorf("who waited got %v after %s", early, time.Since(began))
	}
	s = p.openFeed(own+s.last, "")
	p.record("o2", "web", 10, 1)
	for _, want := range []string{"order.shipped o1", "order.shipped o2"} {
		if got := s.next(); got != want {
			t.Errorf("by the new settings %q, want %q", got, want)
		}
	}
	p.do(request{method: http.MethodDelete, path: "/v1/endpoints/" + id}).expect(204)
	if got := s.next(); got != "" {
		t.Errorf("the stream of a deleted endpoint goes on with %q", got)
	}
}

// TestAStreamOfTheFeedIsNotForEver: a key that was revoked reads no longer than
// a stream may be.
func TestAStreamOfTheFeedIsNotForEver(t *testing.T) {
	t.Parallel()
	p := startWith(t, func(a *api.API) { a.Streams.Longest = 500 * time.Millisecond })
	made := p.post("/v1/api-keys", `{"name": "k", "scopes": ["webhooks:read"]}`).expect(201)
	eventually(t, "the feed", func() bool { return p.get("/v1/feed").status == http.StatusOK })
	s := p.openFeed("after=now", made.text("key"))
	p.do(request{method: http.MethodDelete, path: "/v1/api-keys/" + made.text("id")}).expect(204)
	if got := s.next(); got != "" {
		t.Errorf("the stream went on with %q", got)
	}
	eventually(t, "the key to be refused", func() bool {
		again := p.do(request{method: http.MethodGet, path: "/v1/feed/stream", key: made.text("key")})
		return again.status == http.StatusUnauthorized
	})
}

// TestAStreamThatWaitsSaysHowFarItIs, so that who goes on after it need not pass
// over the same once more.
func TestAStreamThatWaitsSaysHowFarItIs(t *testing.T) {
	t.Parallel()
	p := startWith(t, func(a *api.API) { a.Streams.Heartbeat = 50 * time.Millisecond })
	eventually(t, "the feed", func() bool { return p.get("/v1/feed").status == http.StatusOK })
	s := p.openFeed("types=order.cancelled&after=beginning", "")
	p.record("o1", "web", 10, 0)
	through := ""
	eventually(t, "the feed to be as far", func() bool {
		read := p.get("/v1/feed?after=beginning").expect(200)
		through = read.text("next")
		return len(read.json()["items"].([]any)) > 0
	})
	for s.last != through && s.lines.Scan() {
		name, value, _ := strings.Cut(s.lines.Text(), ": ")
		switch name {
		case "id":
			s.last = value
		case "data":
			t.Fatalf("it asked for nothing of this: %s", value)
		}
	}
	if s.last != through {
		t.Errorf("it ended at %q, want %q", s.last, through)
	}
}

// TestAnEndpointOfThisMomentIsNotServedYet: it is there, and what is asked of
// its deliveries is to be asked again.
func TestAnEndpointOfThisMomentIsNotServedYet(t *testing.T) {
	t.Parallel()
	p := startWith(t, func(a *api.API) {
		db := must(database.Open(t.Context(), database.Config{Path: filepath.Join(t.TempDir(), "webhooks.db"), Migrations: ledger.Migrations()}))(t)
		reads(t, a, func(d *webhooks.Dispatcher) { d.Ledger = &ledger.Ledger{Write: db.Write, Read: db.Read} })
		t.Cleanup(func() { _ = db.Close() })
	})
	id := p.post("/v1/endpoints", quiet).expect(201).text("id")
	eventually(t, "the feed", func() bool { return p.get("/v1/feed").status == http.StatusOK })
	for _, path := range []string{"/v1/endpoints/" + id + "/statement", "/v1/endpoints/" + id + "/deliveries/m1", "/v1/feed?endpoint=" + id} {
		if a := p.get(path).problem(503, "unavailable"); a.header.Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", path)
		}
	}
	p.get("/v1/endpoints/" + id + "/status").expect(200)
}

// TestACursorBeyondTheLogIsRefused, as one is that was told before the log came
// back from a backup: what is recorded up to it would be missed silently.
func TestACursorBeyondTheLogIsRefused(t *testing.T) {
	t.Parallel()
	p := start(t)
	id := p.post("/v1/endpoints", quiet).expect(201).text("id")
	p.post("/v1/endpoints/"+id+"/pause", "").expect(200)
	eventually(t, "the feed", func() bool { return p.get("/v1/feed").status == http.StatusOK })
	keyring := must(vault.OpenKeyring("", base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))))(t)
	end := must(p.store.End(t.Context()))(t)
	codec := must(cursor.New(keyring.Derive("cursors")))(t)
	there, beyond := codec.Encode(webhooks.CursorScope, end), codec.Encode(webhooks.CursorScope, end+1000)
	p.get("/v1/feed?after=" + there).expect(200)
	p.get("/v1/feed?after="+beyond).problem(400, "bad-cursor")
	p.get("/v1/feed/stream?after="+beyond).problem(400, "bad-cursor")
	resume := func(from string) answer { return p.post("/v1/endpoints/"+id+"/resume", `{"from": "`+from+`"}`) }
	resume(beyond).problem(400, "bad-cursor")
	resume(there).expect(200)
	replay := func(body string) answer { return p.post("/v1/endpoints/"+id+"/replays", body) }
	for body, want := range map[string]string{
		`{"from": "` + beyond + `"}`:                    "/from place-beyond-the-log",
		`{"from": "beginning", "to": "` + beyond + `"}`: "/to place-beyond-the-log",
	} {
		if got := replay(body).problem(422, "invalid-replay").codes(); got != want {
			t.Errorf("a replay %s: %s", body, got)
		}
	}
	replay(`{"from": "` + there + `"}`).expect(202)
}

// TestAnEndpointOfThisMomentIsWaitedFor, by whoever asks right after its answer.
func TestAnEndpointOfThisMomentIsWaitedFor(t *testing.T) {
	t.Parallel()
	p := start(t)
	eventually(t, "the feed", func() bool { return p.get("/v1/feed").status == http.StatusOK })
	for range 20 {
		id := p.post("/v1/endpoints", quiet).expect(201).text("id")
		p.get("/v1/endpoints/" + id + "/statement").expect(200)
		p.get("/v1/feed?endpoint=" + id).expect(200)
	}
}
