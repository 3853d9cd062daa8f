package client

import (
	"context"
	"net/http"
	"time"
)

// NewConsoleLink says for whom a link to the console is. The zero value is for
// the shop itself, for an hour.
type NewConsoleLink struct {
	PartnerID    string `json:"partner_id,omitempty"`
	ReadOnly     bool   `json:"read_only,omitempty"`
	ValidSeconds int    `json:"valid_seconds,omitempty"`
}

// ConsoleLink lets whoever has it use the console until it expires.
type ConsoleLink struct {
	URL       string    `json:"url"`
	ExpiresAt time.Time `json:"expires_at"`
}

// CreateConsoleLink makes a link to the console; it needs a key with scope
// admin.
func (c *Client) CreateConsoleLink(ctx context.Context, in NewConsoleLink) (ConsoleLink, error) {
	var link ConsoleLink
	_, err := c.do(ctx, http.MethodPost, "/v1/console-links", "", in, &link)
	return link, err
}
