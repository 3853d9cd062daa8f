package apikey_test

import (
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/domain/decidertest"
)

func TestPartners(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	register := apikey.RegisterPartner{PartnerID: "p1", Name: "warehouse", Channels: []string{"web"}, At: noon}
	registered := apikey.PartnerRegistered{PartnerID: "p1", Name: "warehouse", Channels: []string{"web"}, RegisteredAt: noon}
	change := apikey.ChangePartner{PartnerID: "p1", Name: "warehouse", Channels: []string{"web", "shop"}, At: noon}
	changed := apikey.PartnerChanged{PartnerID: "p1", Name: "warehouse", Channels: []string{"web", "shop"}, ChangedAt: noon}
	hooks := []apikey.Scope{apikey.WebhooksRead, apikey.WebhooksWrite}
	issue := apikey.Issue{KeyID: "k1", Name: "key", Scopes: hooks, PartnerID: "p1", Hash: "ab", At: noon}
	issued := apikey.APIKeyIssued{KeyID: "k1", Name: "key", Scopes: hooks, PartnerID: "p1", Hash: "ab", IssuedAt: noon}
	mistake := func(pointer, code, detail string) domain.Mistake {
		return domain.Mistake{Pointer: pointer, Code: code, Detail: detail}
	}
	decidertest.Run(t, apikey.Decider, []decidertest.Case[apikey.Command, apikey.Event]{
		{Name: "a partner is registered", When: register, Then: []apikey.Event{registered}},
		{Name: "registering again changes nothing", Given: []apikey.Event{registered}, When: register},
		{
			Name: "an id is not used for two partners", Given: []apikey.Event{registered},
			When: apikey.RegisterPartner{PartnerID: "p1", Name: "other", At: noon}, Refused: apikey.ErrIDReused,
		},
		{
			Name: "everything that is wrong with a partner is said at once",
			When: apikey.RegisterPartner{PartnerID: "p 1", Name: " ", Channels: []string{"web", "", "web"}, At: noon},
			Refused: apikey.ErrPartnerInvalid.Because(
				mistake("/name", "invalid-name", "a name has 1 to 200 bytes"),
				mistake("/channels/1", "invalid-channel", "a channel has 1 to 100 bytes"),
				mistake("/channels/2", "duplicate", "the channel is listed twice"),
				mistake("/id", "invalid-id", "an id has 1 to 64 letters, digits, -, _ and ."),
			),
		},
		{
			Name: "a partner has only so many channels", Given: []apikey.Event{registered},
			When:    apikey.ChangePartner{PartnerID: "p1", Name: "n", Channels: strings.Split(strings.Repeat("x,", 100)+"x", ","), At: noon},
			Refused: apikey.ErrPartnerInvalid,
		},
		{Name: "a partner is changed", Given: []apikey.Event{registered}, When: change, Then: []apikey.Event{changed}},
		{Name: "the same again is no change", Given: []apikey.Event{registered, changed}, When: change},
		{Name: "an unknown partner is not changed", When: change, Refused: apikey.ErrPartnerNotFound},
		{Name: "a partner's key is issued", Given: []apikey.Event{registered}, When: issue, Then: []apikey.Event{issued}},
		{
			Name: "a key of nobody is refused, and one that reaches more than the partner's own",
			When: apikey.Issue{KeyID: "k1", Name: "key", Scopes: []apikey.Scope{apikey.WebhooksRead, apikey.OrdersRead, apikey.Admin}, PartnerID: "p2", Hash: "ab", At: noon},
			Refused: apikey.ErrInvalid.Because(
				mistake("/partner_id", "unknown-partner", "there is no such partner"),
				mistake("/scopes/1", "not-for-partners", "a partner's key may have webhooks:read and webhooks:write"),
				mistake("/scopes/2", "not-for-partners", "a partner's key may have webhooks:read and webhooks:write"),
			),
		},
		{
			Name: "a key does not change hands", Given: []apikey.Event{registered, issued},
			When: apikey.Issue{KeyID: "k1", Name: "key", Scopes: hooks, Hash: "ab", At: noon}, Refused: apikey.ErrIDReused,
		},
	})
	s := apikey.Decider.Fold(apikey.State{}, registered, issued, changed)
	if got := s.Partners["p1"]; got.Name != "warehouse" || len(got.Channels) != 2 || s.Keys["k1"].PartnerID != "p1" {
		t.Errorf("%+v", s)
	}
}
