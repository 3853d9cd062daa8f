package api_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/client"
)

// TestClientKeepsEndpoints leads an endpoint through its life with the client
// that partners and our own tools use.
func TestClientKeepsEndpoints(t *testing.T) {
	t.Parallel()
	p := start(t)
	h := newHook(t, func(n int) int {
		if n == 1 {
			return 500
		}
		return 200
	})
	admin := client.New(p.url, adminKey)
	t.Cleanup(admin.Close)
	ctx := t.Context()
	partner := must(admin.RegisterPartner(ctx, client.Partner{ID: "one", Name: "One", Channels: []string{"web"}}))(t)
	partner.Channels = append(partner.Channels, "shop")
	must(admin.ChangePartner(ctx, partner))(t)
	if list := must(admin.Partners(ctx))(t); len(list) != 1 || len(list[0].Channels) != 2 {
		t.Errorf("partners: %+v", list)
	}
	key := must(admin.IssueKey(ctx, client.NewKey{Name: "k", Scopes: []string{"webhooks:read", "webhooks:write"}, PartnerID: "one"}))(t)
	c := client.New(p.url, key.Key)
	t.Cleanup(c.Close)

	created := must(c.CreateEndpoint(ctx, client.CreateEndpoint{
		URL: h.URL, EventTypes: []string{"order.placed"}, Waits: []int{0}, IdempotencyKey: "k",
		Credentials: map[string]any{"headers": map[string]string{"X-Key": "hidden"}},
	}))(t)
	if created.TenantID != "one" || created.Secret == "" || created.ETag == "" || created.Credentials == nil {
		t.Errorf("created: %+v", created)
	}
	changed := must(c.ChangeEndpoint(ctx, created.ID, client.EndpointChange{IfMatch: created.ETag}, map[string]any{"description": "d", "waits": []int{0, 0}}))(t)
	if changed.Description != "d" || len(changed.Waits) != 2 {
		t.Errorf("changed: %+v", changed)
	}
	var problem *client.Problem
	if _, err := c.ChangeEndpoint(ctx, created.ID, client.EndpointChange{IfMatch: created.ETag}, map[string]any{"description": "e"}); !errors.As(err, &problem) || problem.Status != http.StatusPreconditionFailed || problem.ETag != changed.ETag {
		t.Errorf("a change of what it no longer is: %v", err)
	}
	message := must(c.TestEndpoint(ctx, created.ID, "t"))(t)
	if got := h.next(t); got.header.Get("X-Key") != "hidden" {
		t.Errorf("sent: %v", got.header)
	}
	h.next(t)
	eventually(t, "two attempts", func() bool {
		attempts, next, err := c.Attempts(ctx, created.ID, client.AttemptQuery{MessageID: message, Run: "live", From: time.Now().Add(-time.Hour), Limit: 10})
		return err == nil && len(attempts) == 2 && next == "" && attempts[0].Result == "ok" && attempts[1].Status == 500
	})
	if shown := must(c.Delivery(ctx, created.ID, message))(t); shown.EventType != "endpoint.test" || len(shown.Attempts) != 2 || len(shown.Request.Body) == 0 {
		t.Errorf("delivery: %+v", shown)
	}
	if again := must(c.Resend(ctx, created.ID, message, "r"))(t); again != message {
		t.Errorf("sent again: %s", again)
	}
	h.next(t)
	eventually(t, "nothing is undelivered", func() bool {
		rest, next, err := c.Undelivered(ctx, created.ID, client.UndeliveredQuery{})
		return err == nil && len(rest) == 0 && next == ""
	})
	if err := c.Skip(ctx, created.ID, "none", ""); !errors.As(err, &problem) || problem.Status != http.StatusNotFound {
		t.Errorf("skipped: %v", err)
	}
	if rotated := must(c.RotateSecret(ctx, created.ID, time.Hour, "o"))(t); rotated.Version != 2 || rotated.OldUntil.IsZero() {
		t.Errorf("rotated: %+v", rotated)
	}
	steps := []struct {
		do   func() (client.Endpoint, error)
		want string
	}{
		{func() (client.Endpoint, error) { return c.PauseEndpoint(ctx, created.ID, client.EndpointChange{}) }, "paused"},
		{func() (client.Endpoint, error) {
			return c.ResumeEndpoint(ctx, created.ID, "now", client.EndpointChange{})
		}, "active"},
		{func() (client.Endpoint, error) { return c.DisableEndpoint(ctx, created.ID, client.EndpointChange{}) }, "disabled"},
		{func() (client.Endpoint, error) { return c.EnableEndpoint(ctx, created.ID, client.EndpointChange{}) }, "active"},
		{func() (client.Endpoint, error) { return c.Endpoint(ctx, created.ID) }, "active"},
	}
	for i, step := range steps {
		if got := must(step.do())(t); got.Status != step.want {
			t.Errorf("step %d: %s instead of %s", i, got.Status, step.want)
		}
	}
	if status := must(c.EndpointStatus(ctx, created.ID))(t); status.Status != "active" || status.DeliveredThrough == "" {
		t.Errorf("status: %+v", status)
	}
	if statement := must(c.Statement(ctx, created.ID))(t); statement.Signature == "" || len(statement.Body) == 0 {
		t.Errorf("statement: %+v", statement)
	}
	if history := must(c.EndpointHistory(ctx, created.ID, 0))(t); len(history) < 7 || history[0].Type != "EndpointChanged" || history[0].Actor.ID != key.ID {
		t.Errorf("history: %+v", history)
	}
	if list := must(c.Endpoints(ctx))(t); len(list) != 1 {
		t.Errorf("list: %+v", list)
	}
	if err := c.DeleteEndpoint(ctx, created.ID); err != nil {
		t.Error(err)
	}
}
