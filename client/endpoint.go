package client

import (
	"context"
	"net/http"
	"net/url"
)

// CreateEndpoint is the body of POST /v1/endpoints.
type CreateEndpoint struct {
	URL        string   `json:"url"`
	EventTypes []string `json:"event_types"`
}

// Endpoint is a partner's receiver. Secret is given at creation only.
type Endpoint struct {
	ID     string `json:"id"`
	URL    string `json:"url"`
	Secret string `json:"secret"`
}

// CreateEndpoint subscribes a receiver to events.
func (c *Client) CreateEndpoint(ctx context.Context, in CreateEndpoint) (Endpoint, error) {
	var endpoint Endpoint
	_, err := c.do(ctx, http.MethodPost, "/v1/endpoints", "", in, &endpoint)
	return endpoint, err
}

// DeleteEndpoint ends a subscription.
func (c *Client) DeleteEndpoint(ctx context.Context, id string) error {
	_, err := c.do(ctx, http.MethodDelete, "/v1/endpoints/"+url.PathEscape(id), "", nil, nil)
	return err
}

// Ready reports whether the installation answers requests.
func (c *Client) Ready(ctx context.Context) error {
	_, err := c.do(ctx, http.MethodGet, "/readyz", "", nil, nil)
	return err
}
