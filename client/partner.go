package client

import (
	"context"
	"net/http"
	"net/url"
)

// Partner is somebody else who gets the messages of his sales channels.
type Partner struct {
	ID       string   `json:"id,omitempty"`
	Name     string   `json:"name"`
	Channels []string `json:"channels"`
}

// RegisterPartner adds a partner; it needs a key with scope admin.
func (c *Client) RegisterPartner(ctx context.Context, in Partner) (Partner, error) {
	var partner Partner
	_, err := c.do(ctx, http.MethodPost, "/v1/partners", "", in, &partner)
	return partner, err
}

// Partners lists all partners, oldest first.
func (c *Client) Partners(ctx context.Context) ([]Partner, error) {
	var list struct {
		Items []Partner `json:"items"`
	}
	_, err := c.do(ctx, http.MethodGet, "/v1/partners", "", nil, &list)
	return list.Items, err
}

// ChangePartner replaces a partner's name and sales channels.
func (c *Client) ChangePartner(ctx context.Context, in Partner) (Partner, error) {
	var partner Partner
	body := struct {
		Name     string   `json:"name"`
		Channels []string `json:"channels"`
	}{in.Name, in.Channels}
	_, err := c.do(ctx, http.MethodPut, "/v1/partners/"+url.PathEscape(in.ID), "", body, &partner)
	return partner, err
}
