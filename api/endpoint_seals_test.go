package api_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
)

// TestAHistoryShowsNothingSealed, nor where something is kept.
func TestAHistoryShowsNothingSealed(t *testing.T) {
	t.Parallel()
	p := start(t)
	id := p.post("/v1/endpoints", `{"url": "https://partner.example/hook", "event_types": ["order.placed"], "contact_email": "ops@partner.example",
		"credentials": {"headers": {"X-Key": "k"}, "basic": {"username": "u", "password": "p"}}}`).expect(201).text("id")
	path := "/v1/endpoints/" + id
	p.post(path+"/rotate-secret", "").expect(200)
	state, revision, err := eventstore.Load(t.Context(), p.store, endpoint.Decider, id)
	if err != nil {
		t.Fatal(err)
	}
	resealed := endpoint.SecretsResealed{EndpointID: id, Sealed: state.Sealed(), ResealedAt: time.Now()}
	if _, err := p.store.Append(t.Context(), endpoint.Decider.Stream(id), revision, eventstore.NewEvent{ID: eventstore.EventID(id, uuid.NewString(), 0), Event: resealed}); err != nil {
		t.Fatal(err)
	}
	history := p.get(path + "/history").expect(200)
	if !strings.Contains(string(history.body), "EndpointSecretsResealed") {
		t.Fatalf("the history is %s", history.body)
	}
	for _, name := range []string{`"sealed`, `"contact_ref"`, `"mark"`} {
		if strings.Contains(string(history.body), name) {
			t.Errorf("the history shows %s: %s", name, history.body)
		}
	}
}
