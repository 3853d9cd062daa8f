package api_test

import (
	"net/http"
	"testing"
)

const withContact = `{"url": "https://partner.example/hook", "event_types": ["order.placed"], "contact_email": "ops@partner.example"}`

// TestARepeatedCreationKnowsItsContact also after the endpoint got another one,
// when the first is erased.
func TestARepeatedCreationKnowsItsContact(t *testing.T) {
	t.Parallel()
	p := start(t)
	create := func(body string) answer {
		t.Helper()
		return p.do(request{method: http.MethodPost, path: "/v1/endpoints", body: body, header: map[string]string{"Idempotency-Key": "k"}})
	}
	first := create(withContact).expect(201)
	create(`{"url": "https://partner.example/hook", "event_types": ["order.placed"], "contact_email": "day@partner.example"}`).problem(422, "idempotency-key-reused")
	create(quiet).problem(422, "idempotency-key-reused")
	path := "/v1/endpoints/" + first.text("id")
	p.do(request{method: http.MethodPatch, path: path, body: `{"contact_email": "night@partner.example"}`, header: map[string]string{"If-Match": "*"}}).expect(200)
	if again := create(withContact).expect(201); again.text("id") != first.text("id") || again.text("secret") != first.text("secret") {
		t.Errorf("again %s, at first %s", again.body, first.body)
	}
}
