package api_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/message"
)

// record writes an order as it might have gone.
func (p *platform) record(id, channel string, total int64, titles int) []string {
	p.t.Helper()
	placed := order.OrderPlaced{
		OrderID: id, Channel: channel, Currency: "EUR", Totals: order.Totals{Grand: domain.Money{Amount: total, Currency: "EUR"}},
	}
	for n := range titles {
		placed.Lines = append(placed.Lines, order.Line{LineID: fmt.Sprint(n), SKU: "MUG-1", Title: strings.Repeat("x", 100), Quantity: 1})
	}
	events := []domain.Event{placed, order.OrderNoteAdded{OrderID: id}, order.OrderHeld{OrderID: id, Reason: order.HoldFraud}, order.OrderShipped{OrderID: id}}
	var list []eventstore.NewEvent
	var ids []string
	for _, event := range events {
		event := eventstore.NewEvent{ID: uuid.New(), Event: event}
		list, ids = append(list, event), append(ids, event.ID.String())
	}
	if _, err := p.store.Append(p.t.Context(), "order-"+id, eventstore.NoStream, list...); err != nil {
		p.t.Fatal(err)
	}
	return ids
}

// seen returns type, sequence and previous of listed messages.
func (a answer) seen() string {
	var list struct {
		Items []struct {
			Type     string
			Sequence int
			Previous *int
		}
	}
	if err := json.Unmarshal(a.body, &list); err != nil {
		a.t.Fatalf("%v: %s", err, a.body)
	}
	var texts []string
	for _, m := range list.Items {
		previous := "null"
		if m.Previous != nil {
			previous = fmt.Sprint(*m.Previous)
		}
		texts = append(texts, fmt.Sprintf("%s %d<%s", m.Type, m.Sequence, previous))
	}
	return strings.Join(texts, ", ")
}

func TestMessagesAreReadFromTheLog(t *testing.T) {
	t.Parallel()
	p := start(t)
	ids := p.record("o1", "web", 2000, 1)
	p.record("o2", "shop", 10, 1)
	large := p.record("o3", "web", 10, 2500)
	p.post("/v1/partners", `{"id": "acme", "name": "Acme", "channels": ["web"]}`).expect(201)
	partner := p.post("/v1/api-keys", `{"name": "acme", "scopes": ["webhooks:read", "webhooks:write"], "partner_id": "acme"}`).expect(201).text("key")
	get := func(key, path string) answer { return p.do(request{method: "GET", path: path, key: key}) }

	const all = "order.placed 1<null, order.held 2<1, order.shipped 3<2"
	for _, key := range []string{"", partner} {
		if got := get(key, "/v1/aggregates/o1/events").expect(200).seen(); got != all {
			t.Errorf("messages %s", got)
		}
	}
	if got := p.get("/v1/aggregates/o1/events?type=order&after=1&limit=1").expect(200); got.seen() != "order.held 2<1" || got.json()["next_after"] != 2.0 {
		t.Errorf("a page: %s", got.body)
	}
	get(partner, "/v1/aggregates/o2/events").problem(404, "aggregate-not-found")
	p.get("/v1/aggregates/none/events").problem(404, "aggregate-not-found")

	some := p.post("/v1/endpoints", `{"url": "https://partner.example/", "event_types": ["order.placed", "order.shipped"]}`).expect(201).text("id")
	if got := p.get("/v1/aggregates/o1/events?endpoint_id=" + some).expect(200).seen(); got != "order.placed 1<null, order.shipped 3<1" {
		t.Errorf("as an endpoint has them: %s", got)
	}
	get(partner, "/v1/aggregates/o1/events?endpoint_id="+some).problem(404, "endpoint-not-found")

	where := "?type=order&aggregate=o1&sequence=2"
	if got := p.get("/v1/events/" + ids[2] + where).expect(200); got.text("type") != "order.held" || got.text("id") != ids[2] {
		t.Errorf("one message: %s", got.body)
	}
	p.get("/v1/events/"+ids[0]+where).problem(404, "message-not-found")
	last, of := "/v1/events/"+ids[3]+"?type=order&aggregate=o1&sequence=3", "&endpoint_id="+some
	previous := func(path string, want any) {
		t.Helper()
		if got := p.get(path).expect(200); got.json()["previous"] != want {
			t.Errorf("%s: previous is not %v: %s", path, want, got.body)
		}
	}
	previous(last, 2.0)
	previous(last+of, 1.0)
	get(partner, last+of).problem(404, "endpoint-not-found")
	p.get(last+"&endpoint_id=none").problem(404, "endpoint-not-found")
	get(partner, "/v1/events/"+ids[2]+"?type=order&aggregate=o2&sequence=2").problem(404, "message-not-found")

	var thin struct {
		Items []struct {
			Data struct {
				Thin bool
				Href string
			}
		}
	}
	if err := json.Unmarshal(p.get("/v1/aggregates/o3/events").expect(200).body, &thin); err != nil || !thin.Items[0].Data.Thin {
		t.Fatalf("%v: %+v", err, thin)
	}
	sent := p.get("/v1/aggregates/o3/events?endpoint_id=" + some).expect(200)
	if err := json.Unmarshal(sent.body, &thin); err != nil || !strings.Contains(thin.Items[0].Data.Href, "endpoint_id="+some) {
		t.Errorf("%v: the link of an endpoint's message is %+v", err, thin.Items[0])
	}
	p.do(request{method: "DELETE", path: "/v1/endpoints/" + some}).expect(204)
	previous(last+of, 1.0) // what was sent before is read by its link
	p.get("/v1/aggregates/o3/events"+"?endpoint_id="+some).problem(404, "endpoint-not-found")
	if got := p.get(thin.Items[0].Data.Href).expect(200); len(got.body) < message.MaxBody || got.text("id") != large[0] {
		t.Errorf("the whole message has %d bytes", len(got.body))
	}
}

// TestEveryMessageLeadsToItself: the link that a thin message has works for
// messages about whatever there is, and for a test message, which is nobody's
// but its endpoint's owner's.
func TestEveryMessageLeadsToItself(t *testing.T) {
	t.Parallel()
	p := start(t)
	p.post("/v1/partners", `{"id": "acme", "name": "Acme", "channels": ["web"]}`).expect(201)
	p.post("/v1/partners", `{"id": "other", "name": "Other", "channels": ["web"]}`).expect(201)
	key := func(partner string) string {
		return p.post("/v1/api-keys", `{"name": "k", "scopes": ["webhooks:read", "webhooks:write"], "partner_id": "`+partner+`"}`).expect(201).text("key")
	}
	acme, other := key("acme"), key("other")
	h := newHook(t, nil)
	id := p.do(request{method: "POST", path: "/v1/endpoints", key: acme, body: h.endpoint(`["order.placed", "product.registered"]`)}).expect(201).text("id")
	p.record("o1", "web", 2000, 1)
	p.post("/v1/products", `{"sku": "MUG-1", "title": "Mug", "prices": [{"amount": 1250, "currency": "EUR"}]}`)
	p.do(request{method: "POST", path: "/v1/endpoints/" + id + "/test", key: acme}).expect(202)
	for seen := false; !seen; {
		pushed := h.next(t)
		seen = pushed.text("type") == "endpoint.test"
		var m struct {
			ID, Type  string
			Sequence  int
			Aggregate struct{ Type, ID string }
		}
		if err := json.Unmarshal(pushed.body, &m); err != nil {
			t.Fatal(err)
		}
		get := func(key, query string) answer {
			return p.do(request{method: "GET", path: "/v1/events/" + m.ID + "?aggregate=" + m.Aggregate.ID + query, key: key})
		}
		for _, query := range []string{fmt.Sprintf("&type=%s&sequence=%d", m.Aggregate.Type, m.Sequence), ""} {
			if got := get(acme, query).expect(200).body; seen && strings.TrimSpace(string(got)) != string(pushed.body) || !strings.Contains(string(got), m.ID) {
				t.Errorf("%s with %q is\n%s\npushed was\n%s", m.Type, query, got, pushed.body)
			}
			if seen {
				get(other, query).problem(404, "message-not-found")
			}
		}
		get(acme, "&sequence=99").problem(404, "message-not-found")
	}
}

// TestTheWholeOfAThinMessageHasItsId, also where a replay named it anew: a
// receiver that is to process everything once more knows the whole for what it
// was sent.
func TestTheWholeOfAThinMessageHasItsId(t *testing.T) {
	t.Parallel()
	p := start(t)
	h := newHook(t, nil)
	id := p.post("/v1/endpoints", h.endpoint(`["order.placed", "order.shipped"]`)).expect(201).text("id")
	ids := p.record("o1", "web", 2000, 2500)
	member := func(body []byte, name string) any {
		t.Helper()
		var m map[string]any
		if err := json.Unmarshal(body, &m); err != nil {
			t.Fatalf("%v in %.200s", err, body)
		}
		return m[name]
	}
	pushed := func(want string) received {
		t.Helper()
		m := h.next(t)
		data, _ := member(m.body, "data").(map[string]any)
		href, _ := data["href"].(string)
		whole := p.get(href).expect(200).body
		for _, name := range []string{"id", "type", "sequence", "previous", "cursor", "aggregate"} {
			if diff := cmp.Diff(member(m.body, name), member(whole, name)); diff != "" {
				t.Errorf("%s of what %s leads to (-pushed +whole):\n%s", name, href, diff)
			}
		}
		if got := member(whole, "id"); got != want || len(whole) < 256<<10 || m.header.Get("Webhook-Id") != want {
			t.Errorf("%v with %d bytes under the webhook-id %s, want %s", got, len(whole), m.header.Get("Webhook-Id"), want)
		}
		return m
	}
	pushed(ids[0])
	h.next(t) // the second message is none that is thin
	replay := p.post("/v1/endpoints/"+id+"/replays", `{"from": "beginning", "dedupe": "new"}`).expect(202).text("id")
	again := ids[0] + ".r" + strings.TrimPrefix(replay, "replay_")
	pushed(again)
	shipped := h.next(t).header.Get("Webhook-Id")

	// Whoever asks about it may use either id.
	eventually(t, "both attempts", func() bool { return len(p.items("/v1/endpoints/"+id+"/attempts?message_id="+again)) == 2 })
	if got := p.get("/v1/endpoints/" + id + "/deliveries/" + again).expect(200).text("message_id"); got != ids[0] {
		t.Errorf("the delivery of %s is that of %s", again, got)
	}
	p.post("/v1/endpoints/"+id+"/deliveries/"+shipped+"/resend", "").expect(202)
	if got := h.next(t).header.Get("Webhook-Id"); got != ids[3] {
		t.Errorf("%s was sent again as %s, want %s", shipped, got, ids[3])
	}
	of := "?aggregate=o1&type=order&endpoint_id=" + id
	p.get("/v1/events/"+ids[0]+".r"+uuid.NewString()+of).problem(404, "message-not-found")
	live := p.post("/v1/endpoints/"+id+"/replays", `{"from": "beginning"}`).expect(202).text("id")
	p.get("/v1/events/"+ids[0]+".r"+strings.TrimPrefix(live, "replay_")+of).problem(404, "message-not-found")
}

func TestAFilterIsTriedOnHistory(t *testing.T) {
	t.Parallel()
	p := start(t)
	for n := range 30 {
		p.record(fmt.Sprint("o", n), []string{"web", "shop"}[n%2], int64(n*100), 1)
	}
	id := p.post("/v1/endpoints", `{"url": "https://partner.example/", "event_types": ["order.placed"]}`).expect(201).text("id")
	path := "/v1/endpoints/" + id + "/filter-preview"
	got := p.post(path, `{"filter": "channel == \"web\" && total >= 1000", "examples": 3}`).expect(200).json()
	if got["matched"] != 10.0 || got["of"] != 90.0 || got["complete"] != true || got["progress"] != 1.0 || len(got["examples"].([]any)) != 3 || got["failed"] != 0.0 {
		t.Errorf("preview %v", got)
	}
	if last := got["examples"].([]any)[2].(map[string]any); last["aggregate"].(map[string]any)["id"] != "o28" {
		t.Errorf("the last example is %v", last)
	}
	got = p.post(path, `{"event_types": ["order.placed", "order.shipped"], "filter": "100 / (total - 100) > 0 || total > 200"}`).expect(200).json()
	if got["failed"] != 2.0 || !strings.Contains(got["failure"].(string), "division by zero") {
		t.Errorf("preview %v", got)
	}
	if got = p.post(path, `{"since": "2099-01-01T00:00:00Z"}`).expect(200).json(); got["matched"] != 0.0 || got["of"] != 0.0 {
		t.Errorf("preview of the future %v", got)
	}
	time.Sleep(2 * time.Millisecond) // the log's clock
	since := time.Now()
	time.Sleep(2 * time.Millisecond)
	for n := range 4 {
		p.record(fmt.Sprint("later", n), "web", 100, 1)
	}
	got = p.post(path, `{"since": "`+since.UTC().Format(time.RFC3339Nano)+`"}`).expect(200).json()
	if got["matched"] != 4.0 || got["of"] != 12.0 || got["complete"] != true || got["progress"] != 1.0 {
		t.Errorf("preview of the last orders %v", got)
	}
	p.post(path, `{"filter": "chanel == 1", "event_types": ["order.eaten"]}`).problem(422, "invalid-preview")
	p.post("/v1/endpoints/none/filter-preview", `{}`).problem(404, "endpoint-not-found")
}
