package api_test

import (
	"cmp"
	"net/http"
	"testing"
)

// TestAKeyIsForOneBody of requests that make something of their own: a repeat is
// answered alike, before and after another body was refused.
func TestAKeyIsForOneBody(t *testing.T) {
	t.Parallel()
	p := shop(t, 10)
	customer := p.post("/v1/customers", `{"email": "ada@example.com"}`).expect(http.StatusCreated).text("id")
	const secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
	const another = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDI="
	for name, row := range map[string]struct {
		path, body string
		status     int
		alike      string // the same, in other words
		others     []string
	}{
		"an endpoint": {
			path: "/v1/endpoints", body: `{"url": "https://partner.example/", "event_types": ["*"]}`, status: http.StatusCreated,
			others: []string{
				`{"url": "https://elsewhere.example/", "event_types": ["*"]}`,
				`{"url": "https://partner.example/", "event_types": ["order.placed"]}`,
				`{"url": "https://partner.example/", "event_types": ["*"], "credentials": {"headers": {"X-Tenant": "a"}}}`,
			},
		},
		"a job": {
			path: "/v1/customers/" + customer + "/export", status: http.StatusAccepted,
			body:  `{"callback": {"url": "https://shop.example/jobs", "secret": "` + secret + `"}}`,
			alike: `{ "callback": {"secret": "` + secret + `", "url": "https://shop.example\u002fjobs"} }`,
			others: []string{
				``, `{}`,
				`{"callback": {"url": "https://shop.example/other", "secret": "` + secret + `"}}`,
				`{"callback": {"url": "https://shop.example/jobs", "secret": "` + another + `"}}`,
				`{"callback": {"url": "https://shop.example/jobs"}}`,
			},
		},
		"a job without a body": {
			path: "/v1/customers/" + customer + "/export", status: http.StatusAccepted,
			others: []string{`{"callback": {"url": "https://shop.example/jobs"}}`},
		},
		"an export": {
			path: "/v1/exports", body: `{"format": "csv", "filter": {"status": "placed"}}`, status: http.StatusAccepted,
			alike:  "{\n  \"filter\" : {\"status\" :\"placed\"},\t\"format\": \"csv\"}",
			others: []string{`{"format": "ndjson", "filter": {"status": "placed"}}`, `{"format": "csv"}`, `{"format": "csv", "filter": {"status": "placed"}, "personal_data": true}`},
		},
		"stock of one SKU": {
			path: "/v1/stock/main/MUG-1/receive", body: `{"quantity": 2}`, status: http.StatusOK, alike: `{ "quantity" : 2 }`,
			others: []string{`{"quantity": 3}`, `{"quantity": 2, "ref": "another"}`},
		},
		"stock under a ref": {
			path: "/v1/stock/main/MUG-1/receive", body: `{"quantity": 2, "ref": "delivery-1"}`, status: http.StatusOK, alike: `{"ref": "delivery-1", "quantity": 2}`,
			others: []string{`{"quantity": 2, "ref": "delivery-2"}`, `{"quantity": 2}`, `{"quantity": 3, "ref": "delivery-1"}`},
		},
		"a delivery": {
			path: "/v1/stock/main/receipts", body: `{"lines": [{"sku": "MUG-1", "quantity": 2}]}`, status: http.StatusOK,
			others: []string{
				`{"lines": [{"sku": "MUG-1", "quantity": 3}]}`, `{"lines": [{"sku": "MUG-2", "quantity": 2}]}`,
				`{"lines": [{"sku": "MUG-1", "quantity": 2}], "ref": "another"}`,
			},
		},
		"a correction of stock": {
			path: "/v1/stock/main/MUG-1/adjust", body: `{"delta": -1, "reason": "damaged"}`, status: http.StatusOK,
			others: []string{`{"delta": 1, "reason": "damaged"}`, `{"delta": -1, "reason": "lost"}`, `{"delta": -1, "reason": "damaged", "ref": "count-1"}`},
		},
		"a rebuild": {
			path: "/admin/projections/orders/rebuild", body: `{"verify": true, "rate": 100000}`, status: http.StatusAccepted, alike: `{"rate": 100000, "verify": true}`,
			others: []string{``, `{}`, `{"rate": 100000}`, `{"verify": true, "rate": 99999}`, `{"verify": true, "rate": 100000, "accept_differences": true}`},
		},
		"a signing key": {
			path: "/v1/keys/rotate", body: `{"overlap_seconds": 60}`, status: http.StatusOK,
			others: []string{`{"overlap_seconds": 61}`, `{}`, `{"overlap_seconds": -1}`, `{"overlap_seconds": 9223372036854775807}`},
		},
	} {
		send := func(body string) answer {
			t.Helper()
			t.Logf("%s: %s", name, body)
			return p.do(request{method: http.MethodPost, path: row.path, body: body, header: map[string]string{"Idempotency-Key": "of " + name}})
		}
		first := send(row.body).expect(row.status)
		for _, other := range row.others {
			send(other).problem(http.StatusUnprocessableEntity, "idempotency-key-reused")
		}
		for _, body := range []string{row.body, cmp.Or(row.alike, row.body)} {
			if again := send(body).expect(row.status); again.header.Get("Location") != first.header.Get("Location") {
				t.Errorf("again at %s, at first at %s", again.header.Get("Location"), first.header.Get("Location"))
			}
		}
	}
}
