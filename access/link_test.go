package access_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/access"
	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/node/nodetest"
)

var linkKey = []byte(strings.Repeat("k", 32))

func TestLinks(t *testing.T) {
	t.Parallel()
	ctx, c := t.Context(), newClock()
	store := connect(t, nodetest.Start(t))
	keys := keysOf(store, c)
	keys.LinkKey = linkKey
	if _, err := keys.RegisterPartner(ctx, access.NewPartner{ID: "eu", Name: "EU", Channels: []string{"web"}}, eventstore.Metadata{}); err != nil {
		t.Fatal(err)
	}
	other := keysOf(store, c) // another process, which has heard of no partner yet
	other.LinkKey = linkKey
	both, read := apikey.PartnerScopes(), []apikey.Scope{apikey.WebhooksRead}
	for name, row := range map[string]struct {
		link access.NewLink
		want access.Credential
		ends time.Duration
	}{
		"the shop's":      {access.NewLink{Lasting: time.Hour}, access.Credential{Scopes: both}, time.Hour},
		"a partner's":     {access.NewLink{PartnerID: "eu", Lasting: time.Minute}, access.Credential{Scopes: both, PartnerID: "eu", Channels: []string{"web"}}, time.Minute},
		"to look only":    {access.NewLink{ReadOnly: true, Lasting: time.Hour}, access.Credential{Scopes: read}, time.Hour},
		"for a day, most": {access.NewLink{Lasting: 1000 * time.Hour}, access.Credential{Scopes: both}, access.LinkLasting},
	} {
		link, err := keys.SignLink(ctx, row.link)
		if err != nil || !link.ExpiresAt.Equal(c.now().Add(row.ends)) {
			t.Fatalf("%s: expires at %v, %v", name, link.ExpiresAt, err)
		}
		for _, process := range []*access.Keys{keys, other} {
			got, err := process.Authenticate(ctx, link.Text)
			if !strings.HasPrefix(got.KeyID, "link:") {
				t.Errorf("%s: the caller is %q", name, got.KeyID)
			}
			got.KeyID = ""
			if diff := cmp.Diff(row.want, got); diff != "" || err != nil {
				t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
			}
		}
	}
	if _, err := keys.SignLink(ctx, access.NewLink{PartnerID: "nobody", Lasting: time.Hour}); !errors.Is(err, apikey.ErrPartnerNotFound) {
		t.Errorf("a link for nobody: %v", err)
	}
}

func TestLinksThatAreNotValid(t *testing.T) {
	t.Parallel()
	ctx, c := t.Context(), newClock()
	keys := keysOf(connect(t, nodetest.Start(t)), c)
	keys.LinkKey = linkKey
	link, err := keys.SignLink(ctx, access.NewLink{Lasting: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	claims := func(change func(jwt.MapClaims)) jwt.MapClaims {
		m := jwt.MapClaims{"iss": "waybill", "aud": "console", "sub": "", "jti": "x", "exp": c.now().Add(time.Hour).Unix(), "scopes": []string{"webhooks:read"}}
		change(m)
		return m
	}
	sign := func(method jwt.SigningMethod, key any, change func(jwt.MapClaims)) string {
		text, err := jwt.NewWithClaims(method, claims(change)).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	none := func(jwt.MapClaims) {}
	for name, text := range map[string]string{
		"by another key":     sign(jwt.SigningMethodHS256, []byte(strings.Repeat("x", 32)), none),
		"by another method":  sign(jwt.SigningMethodHS512, linkKey, none),
		"not signed":         sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, none),
		"for something else": sign(jwt.SigningMethodHS256, linkKey, func(m jwt.MapClaims) { m["aud"] = "api" }),
		"by somebody else":   sign(jwt.SigningMethodHS256, linkKey, func(m jwt.MapClaims) { m["iss"] = "other" }),
		"for ever":           sign(jwt.SigningMethodHS256, linkKey, func(m jwt.MapClaims) { delete(m, "exp") }),
		"of nobody":          sign(jwt.SigningMethodHS256, linkKey, func(m jwt.MapClaims) { m["sub"] = "nobody" }),
		"changed":            link.Text[:len(link.Text)-2] + "AA",
		"nonsense":           "a.b.c",
	} {
		if got, err := keys.Authenticate(ctx, text); !errors.Is(err, access.ErrUnknownKey) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	// What was signed for more than links are for is good for what they are for.
	wide := sign(jwt.SigningMethodHS256, linkKey, func(m jwt.MapClaims) { m["scopes"] = []string{"admin", "webhooks:read"} })
	if got, err := keys.Authenticate(ctx, wide); err != nil || got.May(apikey.OrdersRead) || !got.May(apikey.WebhooksRead) {
		t.Errorf("a link with the scope admin: %+v, %v", got, err)
	}
	if _, err := keys.Authenticate(ctx, link.Text); err != nil {
		t.Errorf("a link: %v", err)
	}
	c.at = link.ExpiresAt
	if _, err := keys.Authenticate(ctx, link.Text); !errors.Is(err, access.ErrUnknownKey) {
		t.Errorf("a link at its end: %v", err)
	}
	keys.LinkKey = nil
	if _, err := keys.Authenticate(ctx, link.Text); !errors.Is(err, access.ErrUnknownKey) {
		t.Errorf("a link where there are none: %v", err)
	}
}
