package api_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// unrecordable are times that Go reads and no event can have, and others that
// are no better.
var unrecordable = []string{
	"1970-01-01T00:00:00+24:00",
	"1970-01-01T00:00:00-24:00",
	"0000-06-01T00:00:00Z",
	"0001-01-01T00:00:00+00:01",
	"9999-12-31T23:59:59-00:01",
	`1970-01-01\u005400:00:00+24:00`,
}

// A time of which no event can be made is refused wherever a body has one, at
// its place.
func TestTimesThatCannotBeRecordedAreRefused(t *testing.T) {
	t.Parallel()
	o := shop(t, 10).ordered()
	o.step("shipments", `{"id": "s1", "lines": [{"line_id": "1", "quantity": 1}]}`)
	o.step("shipments", `{"id": "s2", "lines": [{"line_id": "1", "quantity": 1}]}`)
	endpoint := o.post("/v1/endpoints", `{"url": "https://partner.example/hook", "event_types": ["*"]}`).expect(201).text("id")
	const good = "2010-12-01T09:41:00+23:59"
	below := "/v1/orders/" + o.id + "/"
	for _, row := range []struct {
		path, body, pointer string
		status              int
	}{
		{below + "shipments/s2/delivered", `{"at": "%s"}`, "/at", 200},
		{below + "shipments", `{"id": "s3", "lines": [{"line_id": "1", "quantity": 1}], "shipped_at": "%s"}`, "/shipped_at", 201},
		{below + "returns", `{"id": "r1", "lines": [{"line_id": "1", "quantity": 1, "reason": "late"}], "external": {"source": "o", "ref": "r", "time": "%s"}}`, "/external/time", 201},
		{"/v1/credit-notes", `{"currency": "EUR", "external": {"source": "o", "ref": "a", "time": "%s"}, "lines": [{"sku": "MUG-1", "title": "Mug", "quantity": 3, "unit_price": {"amount": 255, "currency": "EUR"}}]}`, "/external/time", 201},
		{"/v1/orders", strings.Replace(imported("1", 1), "2010-12-01T08:26:00Z", "%s", 1), "/external/time", 201},
		{"/v1/exports", `{"filter": {"placed_from": "%s"}}`, "/filter/placed_from", 202},
		{"/v1/exports", `{"filter": {"placed_to": "%s"}}`, "/filter/placed_to", 202},
		{"/v1/endpoints/" + endpoint + "/replays", `{"from": "%s"}`, "/from", 202},
		{"/v1/orders/" + o.platform.ordered().id + "/hold", `{"reason": "manual", "until": "%s"}`, "/until", 200},
	} {
		send := func(time string) answer {
			return o.do(request{
				method: http.MethodPost, path: row.path, body: strings.Replace(row.body, "%s", time, 1),
				header: map[string]string{"If-Match": "*", "Idempotency-Key": uuid.NewString()},
			})
		}
		for _, time := range unrecordable {
			got := send(time)
			if got.status != 422 || !strings.Contains(string(got.body), fmt.Sprintf(`"pointer":%q`, row.pointer)) {
				t.Errorf("%s at %s: %d %s", row.path, time, got.status, got.body)
			}
		}
		if got := send(good); got.status != row.status {
			t.Errorf("%s at %s: %d, want %d: %s", row.path, good, got.status, row.status, got.body)
		}
	}
}

// A line of many is refused by itself.
func TestALineWhoseTimeCannotBeRecordedIsRefused(t *testing.T) {
	t.Parallel()
	p := shop(t, 10)
	var body strings.Builder
	want := []string{}
	for i, time := range append([]string{"2010-12-01T09:41:00+23:59"}, unrecordable...) {
		body.WriteString(strings.Replace(imported(fmt.Sprint(i), 1), "2010-12-01T08:26:00Z", time, 1) + "\n")
		want = append(want, fmt.Sprint(i+1, " 422 invalid-request"))
	}
	want[0] = "1 201"
	got := p.bulk("", body.String())
	if fmt.Sprint(got.summaries()) != fmt.Sprint(want) || !strings.Contains(string(got.body), `"pointer":"/external/time"`) {
		t.Errorf("%s, want %v: %s", got.summaries(), want, got.body)
	}
}

// In a query they are refused as well.
func TestTimesOfAQueryThatCannotBeRecordedAreRefused(t *testing.T) {
	t.Parallel()
	o := shop(t, 10).ordered()
	for _, row := range []struct{ path, name string }{
		{"/v1/orders/" + o.id, "as_of"}, {"/v1/orders", "placed_from"}, {"/v1/orders", "placed_to"}, {"/v1/payments", "requested_from"},
	} {
		for _, time := range unrecordable[:5] {
			got := o.get(row.path+"?"+url.Values{row.name: {time}}.Encode()).problem(422, "invalid-request")
			if !strings.Contains(string(got.body), `"parameter":"query.`+row.name+`"`) {
				t.Errorf("%s", got.body)
			}
		}
	}
	o.get("/v1/orders?" + url.Values{"placed_from": {"9999-12-31T23:59:59Z"}, "placed_to": {"0001-01-01T00:00:00Z"}}.Encode()).expect(200)
}

// What only looks like a time is nobody's business.
func TestTextThatLooksLikeATimeIsText(t *testing.T) {
	t.Parallel()
	p := start(t)
	p.post("/v1/products", `{"sku": "S-1", "title": "`+unrecordable[0]+`", "prices": [{"amount": 1250, "currency": "EUR"}]}`).expect(201)
}
