package access

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/domain/apikey"
)

// LinkLasting is how long a link lasts at most. It cannot be revoked, so it
// ends soon.
const LinkLasting = 24 * time.Hour

const (
	linkIssuer   = "waybill"
	linkAudience = "console"
	linkIDPrefix = "link:" // of a caller who came by a link
)

// NewLink describes a link by which a person may use the console for a while.
type NewLink struct {
	PartnerID string // on whose behalf, "" the shop's
	ReadOnly  bool
	Lasting   time.Duration // at most [LinkLasting]
}

// Link is what a link was signed for. Text is what opens the API; it may do
// what a partner's key may do.
type Link struct {
	Text      string
	ExpiresAt time.Time
}

// linkClaims are signed (RFC 7519).
type linkClaims struct {
	jwt.RegisteredClaims

	Scopes []apikey.Scope `json:"scopes"`
}

// SignLink makes a link: [apikey.ErrPartnerNotFound] if there is no such
// partner.
func (k *Keys) SignLink(ctx context.Context, n NewLink) (Link, error) {
	if _, err := k.channelsOf(ctx, n.PartnerID); err != nil {
		return Link{}, err
	}
	now := k.Now().UTC()
	until := now.Add(min(n.Lasting, LinkLasting)).Truncate(time.Second)
	claims := linkClaims{
		RegisteredClaims: jwt.RegisteredClaims{
			ID: uuid.NewString(), Issuer: linkIssuer, Audience: jwt.ClaimStrings{linkAudience}, Subject: n.PartnerID,
			IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(until),
		},
		Scopes: apikey.PartnerScopes(),
	}
	if n.ReadOnly {
		claims.Scopes = []apikey.Scope{apikey.WebhooksRead}
	}
	text, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(k.LinkKey)
	if err != nil {
		return Link{}, fmt.Errorf("sign a link: %w", err)
	}
	return Link{Text: text, ExpiresAt: until}, nil
}

// authenticateLink recognises what [Keys.SignLink] made.
func (k *Keys) authenticateLink(ctx context.Context, text string) (Credential, error) {
	if len(k.LinkKey) == 0 || strings.Count(text, ".") != 2 {
		return Credential{}, ErrUnknownKey
	}
	var claims linkClaims
	_, err := jwt.ParseWithClaims(text, &claims, func(*jwt.Token) (any, error) { return k.LinkKey, nil },
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithIssuer(linkIssuer), jwt.WithAudience(linkAudience),
		jwt.WithExpirationRequired(), jwt.WithTimeFunc(k.Now))
	if err != nil {
		return Credential{}, ErrUnknownKey // which of its faults it was is not told
	}
	channels, err := k.channelsOf(ctx, claims.Subject)
	if errors.Is(err, apikey.ErrPartnerNotFound) {
		return Credential{}, ErrUnknownKey
	}
	if err != nil {
		return Credential{}, err
	}
	// What was signed before may be more than what partners may now.
	scopes := slices.DeleteFunc(claims.Scopes, func(s apikey.Scope) bool { return !slices.Contains(apikey.PartnerScopes(), s) })
	return Credential{KeyID: linkIDPrefix + claims.ID, Scopes: scopes, PartnerID: claims.Subject, Channels: channels}, nil
}

// channelsOf returns the sales channels of a partner, reading again if he is
// not known; the shop's own, "", has none.
func (k *Keys) channelsOf(ctx context.Context, partnerID string) ([]string, error) {
	if partnerID == "" {
		return nil, nil
	}
	if channels, exists := k.Channels(partnerID); exists {
		return channels, nil
	}
	if _, err := k.refresh(ctx); err != nil {
		return nil, err
	}
	channels, exists := k.Channels(partnerID)
	if !exists {
		return nil, apikey.ErrPartnerNotFound.With("partner_id", partnerID)
	}
	return channels, nil
}
