package api_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
)

// TestAnOrderAsItWas travels in time, and refuses what was not there yet.
func TestAnOrderAsItWas(t *testing.T) {
	t.Parallel()
	p := shop(t, 10)
	o := p.ordered()
	o.step("tags", `{"add": ["a"]}`)
	o.step("tags", `{"add": ["b"]}`)
	var created []time.Time
	for r, err := range p.store.ReadStream(t.Context(), order.Decider.Stream(o.id), 0) {
		if err != nil {
			t.Fatal(err)
		}
		created = append(created, r.Created)
	}
	at := func(t time.Time) string { return url.QueryEscape(t.UTC().Format(time.RFC3339Nano)) }
	for name, c := range map[string]struct {
		query  string
		header map[string]string
		status int
		slug   string
		tags   string
	}{
		"now":                     {"", nil, 200, "", "[a b]"},
		"at the first revision":   {"?revision=0", nil, 200, "", "[]"},
		"at the second":           {"?revision=1", nil, 200, "", "[a]"},
		"at one to come":          {"?revision=3", nil, 404, "revision-unknown", ""},
		"at no revision":          {"?revision=-1", nil, 422, "invalid-request", ""},
		"when it was placed":      {"?as_of=" + at(created[0]), nil, 200, "", "[]"},
		"before that":             {"?as_of=" + at(created[0].Add(-time.Second)), nil, 404, "not-found", ""},
		"before everything":       {"?as_of=0001-01-01T00:00:00Z", nil, 404, "not-found", ""},
		"both, before everything": {"?revision=0&as_of=0001-01-01T00:00:00Z", nil, 422, "invalid-request", ""},
		"a year later":            {"?as_of=" + at(created[2].AddDate(1, 0, 0)), nil, 200, "", "[a b]"},
		"at no time":              {"?as_of=noon", nil, 422, "invalid-request", ""},
		"both":                    {"?revision=0&as_of=" + at(created[0]), nil, 422, "invalid-request", ""},
		"no older than the last":  {"", map[string]string{"Min-Revision": `"2"`}, 200, "", "[a b]"},
		"no older than before":    {"", map[string]string{"Min-Revision": "1"}, 200, "", "[a b]"},
		"no older than one to be": {"", map[string]string{"Min-Revision": "3"}, 409, "not-yet-visible", ""},
		"what is there":           {"", map[string]string{"If-None-Match": `"2"`}, 304, "", ""},
		"what was there":          {"?revision=1", map[string]string{"If-None-Match": `"1"`}, 304, "", ""},
	} {
		got := p.do(request{method: http.MethodGet, path: "/v1/orders/" + o.id + c.query, header: c.header}).expect(c.status)
		if c.slug != "" {
			got.problem(c.status, c.slug)
		}
		if c.status != 200 {
			continue
		}
		if tags := fmt.Sprint(got.json()["tags"]); tags != c.tags {
			t.Errorf("%s: tags %s, want %s", name, tags, c.tags)
		}
	}
	if got := p.get("/v1/orders/" + o.id + "?revision=3"); got.json()["revision"] != 2.0 {
		t.Errorf("a revision to come: %s", got.body)
	}
	p.get("/v1/orders/none?revision=0").problem(404, "not-found")
}

func TestEventsOfAnOrder(t *testing.T) {
	t.Parallel()
	p := shop(t, 10)
	o := p.ordered()
	for i := range 4 {
		o.step("tags", fmt.Sprintf(`{"add": ["t%d"]}`, i))
	}
	var types []string
	path := "/v1/orders/" + o.id + "/events?limit=2"
	for pages := 0; path != ""; pages++ {
		page := p.get(path).expect(200)
		for i, item := range page.json()["items"].([]any) {
			event := item.(map[string]any)
			types = append(types, event["type"].(string))
			if event["revision"] != float64(2*pages+i) || event["data"].(map[string]any)["order_id"] != o.id {
				t.Errorf("event %v", event)
			}
			if actor := event["metadata"].(map[string]any)["actor"]; fmt.Sprint(actor) != "map[id:admin type:api_key]" {
				t.Errorf("actor %v", actor)
			}
		}
		path, _, _ = strings.Cut(strings.TrimPrefix(page.header.Get("Link"), "<"), ">")
	}
	if want := "OrderPlaced OrderTagged OrderTagged OrderTagged OrderTagged"; strings.Join(types, " ") != want {
		t.Errorf("events %v", types)
	}
	other := p.ordered()
	cursor := p.get("/v1/orders/" + o.id + "/events?limit=2").text("next_cursor")
	p.get("/v1/orders/"+other.id+"/events?cursor="+cursor).problem(400, "bad-cursor")
	p.get("/v1/orders/none/events").problem(404, "not-found")
}

// TestCallersSeeWhatTheyWrote asks each list right after a change.
func TestCallersSeeWhatTheyWrote(t *testing.T) {
	t.Parallel()
	p := shop(t, 100)
	for range 5 {
		placed := p.place(time.Now().String(), cart(1, "approved")).expect(201)
		position := placed.header.Get("X-Write-Position")
		list := p.get("/v1/orders?limit=1&min_position=" + position).expect(200)
		if !strings.Contains(string(list.body), placed.text("id")) {
			t.Errorf("the list does not show order %s: %s", placed.text("id"), list.body)
		}
		p.get("/v1/orders/by-number/" + placed.text("number") + "?min_position=" + position).expect(200)
		o := ordered{p, placed.text("id")}
		tagged := o.step("tags", `{"add": ["a"]}`)
		timeline := p.get("/v1/orders/" + o.id + "/timeline?min_position=" + tagged.header.Get("X-Write-Position")).expect(200)
		if !strings.Contains(string(timeline.body), "OrderTagged") || timeline.header.Get("X-Read-Position") == "" {
			t.Errorf("timeline: %v %s", timeline.header, timeline.body)
		}
		captured := o.step("captures", `{"amount": {"amount": 100, "currency": "EUR"}}`)
		timeline = p.get("/v1/orders/" + o.id + "/timeline?min_position=" + captured.header.Get("X-Write-Position")).expect(200)
		if !strings.Contains(string(timeline.body), "PaymentCaptureRequested") {
			t.Errorf("timeline: %s", timeline.body)
		}
	}
	behind := p.get("/v1/orders?min_position=999999999999").problem(409, "not-yet-visible")
	if behind.header.Get("Retry-After") == "" || behind.text("position") == "" {
		t.Errorf("%v %s", behind.header, behind.body)
	}
	received := p.post("/v1/stock/main/CUP-1/receive", `{"quantity": 10}`).expect(200)
	if list := p.get("/v1/stock?min_position=" + received.header.Get("X-Write-Position")).expect(200); !strings.Contains(string(list.body), "CUP-1") {
		t.Errorf("stock: %s", list.body)
	}
	p.get("/v1/orders?min_position=now").problem(422, "invalid-request")
}

// TestEventsKeepNoText looks for what people wrote in everything that is stored
// about an order.
func TestEventsKeepNoText(t *testing.T) {
	t.Parallel()
	p := shop(t, 10)
	o := p.ordered()
	for _, step := range []string{
		`hold {"reason": "manual", "note": "SECRET"}`, `release {"note": "SECRET"}`, `notes {"text": "SECRET"}`,
		`address {"name": "SECRET", "line1": "SECRET", "city": "SECRET", "country": "GB", "phone": "SECRET"}`,
	} {
		path, body, _ := strings.Cut(step, " ")
		if answer := o.step(path, body); strings.Contains(string(answer.body), "SECRET") {
			t.Errorf("%s answers %s", path, answer.body)
		}
	}
	refs := 0
	state, _, err := eventstore.Load(t.Context(), p.store, order.Decider, o.id)
	if err != nil {
		t.Fatal(err)
	}
	for _, ref := range []string{state.PastHolds[0].NoteRef, state.Released.NoteRef, state.Notes[0].TextRef, state.ShipToRef} {
		var kept any
		if err := p.vault.Get(t.Context(), ref, &kept); err != nil || !strings.Contains(fmt.Sprint(kept), "SECRET") {
			t.Errorf("the vault has %v, %v", kept, err)
		}
		refs++
	}
	events := string(p.get("/v1/orders/" + o.id + "/events").expect(200).body)
	if refs != 4 || strings.Contains(events, "SECRET") || strings.Contains(p.log.String(), "SECRET") {
		t.Errorf("what was written shows in events or in the log:\n%s\n%s", events, p.log)
	}
}
