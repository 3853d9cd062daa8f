package client

import (
	"context"
	"net/http"
)

// NewKey is the body of POST /v1/api-keys.
type NewKey struct {
	Name   string   `json:"name"`
	Scopes []string `json:"scopes"`
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
