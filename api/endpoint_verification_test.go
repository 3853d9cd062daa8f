package api_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/waybill-dev/waybill/api"
	"github.com/waybill-dev/waybill/client"
	"github.com/waybill-dev/waybill/webhooks"
)

// A partner's endpoint is asked to verify, says how that stands, and is asked
// again by its owner alone; the shop's own is not asked.
func TestPartnersEndpointsAreVerified(t *testing.T) {
	t.Parallel()
	p := startWith(t, func(a *api.API) { a.Endpoints.Verify = webhooks.VerifyPartners })
	ctx := t.Context()
	var secret atomic.Value
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		text, _ := secret.Load().(string)
		if verifier, err := standard.NewWebhook(text); err != nil || verifier.Verify(body, r.Header) != nil {
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	t.Cleanup(receiver.Close)
	admin := client.New(p.url, adminKey)
	t.Cleanup(admin.Close)
	partner := func(id string) *client.Client {
		must(admin.RegisterPartner(ctx, client.Partner{ID: id, Name: id, Channels: []string{"web"}}))(t)
		key := must(admin.IssueKey(ctx, client.NewKey{Name: id, Scopes: []string{"webhooks:read", "webhooks:write"}, PartnerID: id}))(t)
		c := client.New(p.url, key.Key)
		t.Cleanup(c.Close)
		return c
	}
	one, other := partner("one"), partner("other")
	created := must(one.CreateEndpoint(ctx, client.CreateEndpoint{URL: receiver.URL, EventTypes: []string{"*"}}))(t)
	if v := created.Verification; v == nil || v.Status != "pending" || v.Run != "verify_1" || !v.ExpiresAt.After(v.RequestedAt) {
		t.Fatalf("created: %+v", v)
	}
	path := "/v1/endpoints/" + created.ID
	p.do(request{method: http.MethodPost, path: path + "/test"}).problem(409, "endpoint-unverified")
	if _, err := other.VerifyEndpoint(ctx, created.ID, client.EndpointChange{}); err == nil {
		t.Error("somebody else asked it to verify")
	}
	secret.Store(created.Secret)
	eventually(t, "verified", func() bool {
		asked := must(one.VerifyEndpoint(ctx, created.ID, client.EndpointChange{}))(t) // harmless while a ping is under way
		return asked.Verification.Status == "verified" && asked.Verification.Run == "verify_1" && !asked.Verification.EndedAt.IsZero()
	})
	if _, err := one.TestEndpoint(ctx, created.ID, ""); err != nil {
		t.Errorf("a verified endpoint takes no tests: %v", err)
	}
	eventually(t, "the ping among the attempts", func() bool {
		attempts, _, err := one.Attempts(ctx, created.ID, client.AttemptQuery{Run: "verify_1", Limit: 10})
		return err == nil && len(attempts) > 0 && attempts[0].EventType == "endpoint.ping" && attempts[0].Result == "ok"
	})
	if own := must(admin.CreateEndpoint(ctx, client.CreateEndpoint{URL: receiver.URL, EventTypes: []string{"*"}}))(t); own.Verification != nil {
		t.Errorf("the shop's own: %+v", own.Verification)
	}
}
