package client

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// SigningKey verifies signatures that begin with v1a. NotAfter is zero for the
// newest.
type SigningKey struct {
	ID        string    `json:"id"`
	Algorithm string    `json:"algorithm"`
	PublicKey string    `json:"public_key"`
	Since     time.Time `json:"since"`
	NotAfter  time.Time `json:"not_after"`
}

// SigningKeys lists the public keys of webhook signatures.
func (c *Client) SigningKeys(ctx context.Context) ([]SigningKey, error) {
	return c.signingKeys(ctx, http.MethodGet, "/v1/keys", "", nil)
}

// EverySigningKey lists also those that sign no more, which verify the
// statements of delivery of their time.
func (c *Client) EverySigningKey(ctx context.Context) ([]SigningKey, error) {
	return c.EverySigningKeyOf(ctx, "")
}

// EverySigningKeyOf is EverySigningKey of a partner, as statements name it in
// tenant_id; it needs a key with scope admin unless that is the caller's own.
func (c *Client) EverySigningKeyOf(ctx context.Context, tenantID string) ([]SigningKey, error) {
	query := url.Values{"retired": {"true"}}
	if tenantID != "" {
		query.Set("tenant", tenantID)
	}
	return c.signingKeys(ctx, http.MethodGet, "/v1/keys?"+query.Encode(), "", nil)
}

// RotateSigningKey gives every partner a new key and lists the caller's. The
// one before signs as well for as long as overlap, in whole seconds; it needs a
// key with scope admin.
func (c *Client) RotateSigningKey(ctx context.Context, overlap time.Duration, key string) ([]SigningKey, error) {
	return c.signingKeys(ctx, http.MethodPost, "/v1/keys/rotate", key, map[string]int64{"overlap_seconds": int64(overlap / time.Second)})
}

func (c *Client) signingKeys(ctx context.Context, method, path, key string, in any) ([]SigningKey, error) {
	var list struct {
		Keys []SigningKey `json:"keys"`
	}
	_, err := c.do(ctx, method, path, key, in, &list)
	return list.Keys, err
}

// EgressAddresses lists the networks that webhooks come from, in CIDR notation;
// none where they are not fixed.
func (c *Client) EgressAddresses(ctx context.Context) ([]string, error) {
	var list struct {
		Addresses []string `json:"addresses"`
	}
	_, err := c.do(ctx, http.MethodGet, "/v1/egress-ips", "", nil, &list)
	return list.Addresses, err
}
