package client

import (
	"context"
	"net/http"
	"net/url"
)

// NewKey is the body of POST /v1/api-keys.
type NewKey struct {
	Name   string   `json:"name"`
	Scopes []string `json:"scopes"`
	// PartnerID is whose key it is, empty the shop's own.
	PartnerID string `json:"partner_id,omitempty"`
}

// Key is an API key that was issued. Key itself is shown this once.
type Key struct {
	ID  string `json:"id"`
	Key string `json:"key"`
}

// IssueKey issues an API key; it needs a key with scope admin.
func (c *Client) IssueKey(ctx context.Context, in NewKey) (Key, error) {
	var key Key
	_, err := c.do(ctx, http.MethodPost, "/v1/api-keys", "", in, &key)
	return key, err
}

// ListedKey is an API key as it is listed, without itself.
type ListedKey struct {
	ID     string   `json:"id"`
	Name   string   `json:"name"`
	Scopes []string `json:"scopes"`
}

// Keys lists API keys; it needs a key with scope admin.
func (c *Client) Keys(ctx context.Context) ([]ListedKey, error) {
	var body struct {
		Items []ListedKey `json:"items"`
	}
	_, err := c.do(ctx, http.MethodGet, "/v1/api-keys", "", nil, &body)
	return body.Items, err
}

// RevokeKey ends an API key; it needs a key with scope admin.
func (c *Client) RevokeKey(ctx context.Context, id string) error {
	_, err := c.do(ctx, http.MethodDelete, "/v1/api-keys/"+url.PathEscape(id), "", nil, nil)
	return err
}
