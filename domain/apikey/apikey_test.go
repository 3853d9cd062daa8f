package apikey_test

import (
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/domain/decidertest"
)

func TestDecide(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	issue := apikey.Issue{KeyID: "k1", Name: "shop", Scopes: []apikey.Scope{apikey.OrdersWrite, apikey.OrdersRead}, Hash: "ab", At: noon}
	issued := apikey.APIKeyIssued{KeyID: "k1", Name: "shop", Scopes: []apikey.Scope{apikey.OrdersWrite, apikey.OrdersRead}, Hash: "ab", IssuedAt: noon}
	revoked := apikey.APIKeyRevoked{KeyID: "k1", At: noon}
	with := func(change func(*apikey.Issue)) apikey.Issue {
		c := issue
		change(&c)
		return c
	}
	decidertest.Run(t, apikey.Decider, []decidertest.Case[apikey.Command, apikey.Event]{
		{Name: "a key is issued", When: issue, Then: []apikey.Event{issued}},
		{
			Name: "a second key does not touch the first", Given: []apikey.Event{issued},
			When: with(func(c *apikey.Issue) { c.KeyID = "k2" }),
			Then: []apikey.Event{apikey.APIKeyIssued{KeyID: "k2", Name: "shop", Scopes: issue.Scopes, Hash: "ab", IssuedAt: noon}},
		},
		{
			Name: "an id is not used for two keys", Given: []apikey.Event{issued},
			When: with(func(c *apikey.Issue) { c.Hash = "cd" }), Refused: apikey.ErrIDReused,
		},
		{
			Name: "everything that is wrong is said at once",
			When: with(func(c *apikey.Issue) {
				c.Name = " "
				c.Scopes = []apikey.Scope{"orders:read", "orders:fly", "orders:read"}
			}),
			Refused: apikey.ErrInvalid.Because(
				domain.Mistake{Pointer: "/name", Code: "invalid-name", Detail: "a name has 1 to 200 bytes"},
				domain.Mistake{Pointer: "/scopes/1", Code: "unknown-scope", Detail: "there is no such scope"},
				domain.Mistake{Pointer: "/scopes/2", Code: "duplicate", Detail: "the scope is listed twice"},
			),
		},
		{Name: "a name has an end", When: with(func(c *apikey.Issue) { c.Name = strings.Repeat("n", 201) }), Refused: apikey.ErrInvalid},
		{Name: "a key without scopes is refused", When: with(func(c *apikey.Issue) { c.Scopes = nil }), Refused: apikey.ErrInvalid},
		{Name: "a key is revoked", Given: []apikey.Event{issued}, When: apikey.Revoke{KeyID: "k1", At: noon}, Then: []apikey.Event{revoked}},
		{Name: "revoking twice changes nothing", Given: []apikey.Event{issued, revoked}, When: apikey.Revoke{KeyID: "k1", At: noon}},
		{Name: "an unknown key cannot be revoked", When: apikey.Revoke{KeyID: "k1", At: noon}, Refused: apikey.ErrNotFound},
		{Name: "a revoked key does not come back", Given: []apikey.Event{issued, revoked}, When: issue},
	})
}

func TestStateIsNotShared(t *testing.T) {
	t.Parallel()
	before := apikey.Decider.Fold(apikey.State{}, apikey.APIKeyIssued{KeyID: "k1"})
	after := apikey.Decider.Fold(before, apikey.APIKeyRevoked{KeyID: "k1", At: time.Unix(1, 0)})
	if !before.Keys["k1"].Valid() || after.Keys["k1"].Valid() {
		t.Error("folding an event changed a state that somebody may be reading")
	}
}

func TestGolden(t *testing.T) {
	t.Parallel()
	decidertest.Golden(t, apikey.EventTypes())
}
