package apikey_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/domain/decidertest"
)

// Whatever is asked in whichever order: a key is issued once and keeps what it
// was issued with, what is revoked is never valid again, and a partner's key
// may do nothing but what partners may, for a partner there is.
func TestAKeyKeepsWhatItWasIssuedWith(t *testing.T) {
	t.Parallel()
	seen := map[string]int{}
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 9))
		issued, revoked, partners := map[string]apikey.APIKeyIssued{}, map[string]bool{}, map[string]string{}
		decidertest.Walk(t, apikey.Decider, 60, func(apikey.State) apikey.Command {
			return anyCommand(random)
		}, func(s decidertest.Step[apikey.State, apikey.Command, apikey.Event]) {
			for _, e := range s.Events {
				seen[e.EventName()]++
				switch e := e.(type) {
				case apikey.APIKeyIssued:
					if _, twice := issued[e.KeyID]; twice || !allowed(e, partners) {
						t.Fatalf("seed %d: %+v; issued before: %v, partners: %v", seed, e, twice, partners)
					}
					issued[e.KeyID] = e
				case apikey.APIKeyRevoked:
					if _, known := issued[e.KeyID]; !known || revoked[e.KeyID] {
						t.Fatalf("seed %d: %+v; issued: %v, revoked before: %v", seed, e, known, revoked[e.KeyID])
					}
					revoked[e.KeyID] = true
				case apikey.PartnerRegistered:
					if _, twice := partners[e.PartnerID]; twice {
						t.Fatalf("seed %d: %+v twice", seed, e)
					}
					partners[e.PartnerID] = e.Name
				case apikey.PartnerChanged:
					if _, known := partners[e.PartnerID]; !known {
						t.Fatalf("seed %d: %+v of nobody", seed, e)
					}
					partners[e.PartnerID] = e.Name
				}
			}
			if len(s.After.Keys) != len(issued) || len(s.After.Partners) != len(partners) {
				t.Fatalf("seed %d: %+v; issued %v, partners %v", seed, s.After, issued, partners)
			}
			for id, e := range issued {
				k := s.After.Keys[id]
				if k.Valid() == revoked[id] || k.Hash != e.Hash || k.PartnerID != e.PartnerID || !slices.Equal(k.Scopes, e.Scopes) {
					t.Fatalf("seed %d: after %+v the key is %+v; issued as %+v, revoked: %v", seed, s.Command, k, e, revoked[id])
				}
			}
			for id, name := range partners {
				if s.After.Partners[id].Name != name {
					t.Fatalf("seed %d: partner %s is %+v, not %s", seed, id, s.After.Partners[id], name)
				}
			}
		})
	}
	for _, e := range apikey.EventTypes() {
		if seen[e.Zero.EventName()] < 100 {
			t.Errorf("%d %s: too few to show anything", seen[e.Zero.EventName()], e.Zero.EventName())
		}
	}
}

func allowed(e apikey.APIKeyIssued, partners map[string]string) bool {
	if e.PartnerID == "" {
		return true
	}
	_, known := partners[e.PartnerID]
	foreign := func(s apikey.Scope) bool { return s != apikey.WebhooksRead && s != apikey.WebhooksWrite }
	return known && !slices.ContainsFunc(e.Scopes, foreign)
}

func anyCommand(random *rand.Rand) apikey.Command {
	at := time.Date(2026, 3, 14, 12, random.IntN(60), 0, 0, time.UTC)
	key, partner, name := fmt.Sprint("k", random.IntN(6)), fmt.Sprint("p", random.IntN(3)), fmt.Sprint("n", random.IntN(3))
	switch random.IntN(6) {
	case 0:
		return apikey.RegisterPartner{PartnerID: partner, Name: name, Channels: []string{name}, At: at}
	case 1:
		return apikey.ChangePartner{PartnerID: partner, Name: name, Channels: []string{name}, At: at}
	case 2:
		return apikey.Revoke{KeyID: key, At: at}
	}
	all := apikey.Scopes()
	c := apikey.Issue{KeyID: key, Name: name, Scopes: []apikey.Scope{all[random.IntN(len(all))]}, Hash: name, At: at}
	if random.IntN(2) == 0 {
		c.PartnerID = partner
	}
	if random.IntN(2) == 0 {
		c.Scopes = []apikey.Scope{apikey.WebhooksRead, all[random.IntN(len(all))]}
	}
	return c
}
