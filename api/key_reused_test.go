package api_test

import (
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
			body: `{"callback": {"url": "https://shop.example/jobs", "secret": "` + secret + `"}}`,
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
			path: "/v1/exports", body: `{"format": "csv"}`, status: http.StatusAccepted,
			others: []string{`{"format": "ndjson"}`, `{"format": "csv", "filter": {"status": "placed"}}`, `{"format": "csv", "personal_data": true}`},
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
		if again := send(row.body).expect(row.status); again.header.Get("Location") != first.header.Get("Location") {
			t.Errorf("again at %s, at first at %s", again.header.Get("Location"), first.header.Get("Location"))
		}
	}
}
