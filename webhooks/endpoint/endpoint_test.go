package endpoint_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/decidertest"
	"github.com/waybill-dev/waybill/webhooks/address"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
)

var (
	noon     = time.Date(2026, 8, 21, 12, 0, 0, 0, time.UTC)
	created  = endpoint.Created{EndpointID: "e1", URL: "https://partner.example/", EventTypes: []string{"order.placed"}, SealedSecret: []byte("sealed"), SecretVersion: 1, CreatedAt: noon}
	deleted  = endpoint.Deleted{EndpointID: "e1", DeletedAt: noon}
	disabled = endpoint.Disabled{EndpointID: "e1", Reason: endpoint.ReasonGone, DisabledAt: noon}
	enabled  = endpoint.Enabled{EndpointID: "e1", EnabledAt: noon}
	tested   = endpoint.Tested{EndpointID: "e1", TestID: "t1", TestedAt: noon}
)

func create(change func(*endpoint.Create)) endpoint.Create {
	c := endpoint.Create{
		EndpointID: "e1", URL: "https://partner.example/", EventTypes: []string{"order.placed"},
		SealedSecret: []byte("sealed"), SecretVersion: 1, At: noon, KnownTypes: []string{"order.cancelled", "order.placed"},
	}
	if change != nil {
		change(&c)
	}
	return c
}

func mistake(pointer, code, detail string) domain.Mistake {
	return domain.Mistake{Pointer: pointer, Code: code, Detail: detail}
}

func TestEndpoint(t *testing.T) {
	t.Parallel()
	decidertest.Run(t, endpoint.Decider, []decidertest.Case[endpoint.Command, endpoint.Event]{
		{Name: "an endpoint is created", When: create(nil), Then: []endpoint.Event{created}},
		{
			Name: "an endpoint may want everything",
			When: create(func(c *endpoint.Create) { c.EventTypes = []string{"*"} }),
			Then: []endpoint.Event{func() endpoint.Created { c := created; c.EventTypes = []string{"*"}; return c }()},
		},
		{
			Name: "everything that is wrong is told at once",
			When: create(func(c *endpoint.Create) {
				c.URL, c.Description = "http://127.0.0.1/", strings.Repeat("ü", 501)
				c.EventTypes = []string{"order.placed", "order.eaten", "order.placed"}
			}),
			Refused: endpoint.ErrInvalid.Because(
				mistake("/url", address.CodeScheme, "the scheme must be https"),
				mistake("/url", address.CodeAddress, "the address is not a public one"),
				mistake("/description", endpoint.CodeTooLong, "at most 500 characters"),
				mistake("/event_types/1", endpoint.CodeUnknownType, `there is no event type "order.eaten"`),
				mistake("/event_types/2", endpoint.CodeRepeated, `"order.placed" is named twice`),
			),
		},
		{
			Name:    "an endpoint that wants nothing is refused",
			When:    create(func(c *endpoint.Create) { c.EventTypes = nil }),
			Refused: endpoint.ErrInvalid.Because(mistake("/event_types", endpoint.CodeNoTypes, `name at least one event type, or "*" for all`)),
		},
		{Name: "another endpoint under the same id is refused", Given: []endpoint.Event{created}, When: create(func(c *endpoint.Create) { c.URL += "x" }), Refused: endpoint.ErrExists},
		{Name: "an id is never used again", Given: []endpoint.Event{created, deleted}, When: create(nil), Refused: endpoint.ErrDeleted},
		{
			Name:  "creating again with another secret changes nothing",
			Given: []endpoint.Event{created}, When: create(func(c *endpoint.Create) { c.SealedSecret = []byte("other") }),
		},
		{Name: "an endpoint is deleted", Given: []endpoint.Event{created}, When: endpoint.Delete{At: noon}, Then: []endpoint.Event{deleted}},
		{Name: "a disabled endpoint is deleted", Given: []endpoint.Event{created, disabled}, When: endpoint.Delete{At: noon}, Then: []endpoint.Event{deleted}},
		{Name: "what does not exist cannot be deleted", When: endpoint.Delete{At: noon}, Refused: endpoint.ErrNotFound},
		{Name: "an endpoint is disabled", Given: []endpoint.Event{created}, When: endpoint.Disable{Reason: endpoint.ReasonGone, At: noon}, Then: []endpoint.Event{disabled}},
		{Name: "a disabled endpoint keeps its first reason", Given: []endpoint.Event{created, disabled}, When: endpoint.Disable{Reason: endpoint.ReasonRequested, At: noon}},
		{Name: "a deleted endpoint cannot be disabled", Given: []endpoint.Event{created, deleted}, When: endpoint.Disable{At: noon}, Refused: endpoint.ErrNotFound},
		{Name: "a disabled endpoint is enabled", Given: []endpoint.Event{created, disabled}, When: endpoint.Enable{At: noon}, Then: []endpoint.Event{enabled}},
		{Name: "an active endpoint stays active", Given: []endpoint.Event{created}, When: endpoint.Enable{At: noon}},
		{Name: "a deleted endpoint cannot be enabled", Given: []endpoint.Event{created, deleted}, When: endpoint.Enable{At: noon}, Refused: endpoint.ErrNotFound},
		{Name: "an endpoint is tested", Given: []endpoint.Event{created}, When: endpoint.Test{TestID: "t1", At: noon}, Then: []endpoint.Event{tested}},
		{Name: "an endpoint is tested again", Given: []endpoint.Event{created, tested}, When: endpoint.Test{TestID: "t2", At: noon}, Then: []endpoint.Event{endpoint.Tested{EndpointID: "e1", TestID: "t2", TestedAt: noon}}},
		{Name: "a disabled endpoint is not tested", Given: []endpoint.Event{created, disabled}, When: endpoint.Test{TestID: "t1", At: noon}, Refused: endpoint.ErrDisabled},
		{Name: "what does not exist is not tested", When: endpoint.Test{TestID: "t1", At: noon}, Refused: endpoint.ErrNotFound},
	})
}

func TestStoredEvents(t *testing.T) {
	t.Parallel()
	decidertest.Golden(t, endpoint.EventTypes())
}

func TestStateFollowsTheEvents(t *testing.T) {
	t.Parallel()
	s := endpoint.Decider.Fold(endpoint.State{}, created, disabled)
	if s.Status != endpoint.StatusDisabled || s.DisabledReason != endpoint.ReasonGone || !s.Exists() {
		t.Errorf("disabled: %+v", s)
	}
	if s = endpoint.Decider.Fold(s, enabled); s.Status != endpoint.StatusActive || s.DisabledReason != "" {
		t.Errorf("enabled: %+v", s)
	}
	if s = endpoint.Decider.Fold(s, deleted); s.Exists() || s.SealedSecret != nil {
		t.Errorf("deleted: %+v", s)
	}
}

func TestWants(t *testing.T) {
	t.Parallel()
	for public, wanted := range map[string][]bool{"order.placed": {true, true}, "order.cancelled": {false, true}} {
		got := []bool{endpoint.Wants([]string{"order.placed"}, public), endpoint.Wants([]string{"*"}, public)}
		if !slices.Equal(got, wanted) {
			t.Errorf("%s: %v", public, got)
		}
	}
}
