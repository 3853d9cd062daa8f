package client

import (
	"context"
	"net/http"
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
	return c.signingKeys(ctx, http.MethodGet, "/v1/keys?retired=true", "", nil)
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
