package client

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// NewReplay says what an endpoint is to be sent once more. From is needed:
// "beginning", a time (RFC 3339) or the cursor of a message.
type NewReplay struct {
	From      string   `json:"from"`
	To        string   `json:"to,omitempty"`
	Types     []string `json:"types,omitempty"`
	Aggregate string   `json:"aggregate,omitempty"`
	Only      string   `json:"only,omitempty"`   // all or undelivered
	Dedupe    string   `json:"dedupe,omitempty"` // same or new
	Rate      int      `json:"rate,omitempty"`   // attempts in a second
}

// Replay is a run through history as it stands.
type Replay struct {
	ID          string    `json:"id"` // the header webhook-run of its messages
	EndpointID  string    `json:"endpoint_id"`
	State       string    `json:"state"` // waiting, running, paused, completed or cancelled
	From        string    `json:"from"`
	To          string    `json:"to,omitempty"`
	Types       []string  `json:"types,omitempty"`
	Aggregate   string    `json:"aggregate,omitempty"`
	Only        string    `json:"only"`
	Dedupe      string    `json:"dedupe"`
	Rate        int       `json:"rate,omitempty"`
	RequestedAt time.Time `json:"requested_at"`
	EndedAt     time.Time `json:"ended_at,omitzero"`
	Progress    float64   `json:"progress"` // from 0 to 1
	Through     string    `json:"through,omitempty"`
	Delivered   int       `json:"delivered"`
	Parked      int       `json:"parked"`
	GivenUp     int       `json:"given_up"`
	PerSecond   float64   `json:"per_second,omitempty"`
	LeftSeconds float64   `json:"left_seconds,omitempty"`
}

// Ended reports whether nothing more comes of a replay.
func (r Replay) Ended() bool { return r.State == "completed" || r.State == "cancelled" }

// CreateReplay begins to send history once more. The same key again begins no
// second replay.
func (c *Client) CreateReplay(ctx context.Context, endpointID, key string, in NewReplay) (Replay, error) {
	var replay Replay
	_, err := c.do(ctx, http.MethodPost, endpointPath(endpointID, "/replays"), key, in, &replay)
	return replay, err
}

// Replays lists an endpoint's replays, newest first.
func (c *Client) Replays(ctx context.Context, endpointID string) ([]Replay, error) {
	var list struct {
		Items []Replay `json:"items"`
	}
	_, err := c.do(ctx, http.MethodGet, endpointPath(endpointID, "/replays"), "", nil, &list)
	return list.Items, err
}

// Replay shows how far a replay is.
func (c *Client) Replay(ctx context.Context, endpointID, id string) (Replay, error) {
	var replay Replay
	_, err := c.do(ctx, http.MethodGet, endpointPath(endpointID, "/replays/"+url.PathEscape(id)), "", nil, &replay)
	return replay, err
}

// CancelReplay ends a replay. What was sent stays sent.
func (c *Client) CancelReplay(ctx context.Context, endpointID, id string) error {
	_, err := c.do(ctx, http.MethodDelete, endpointPath(endpointID, "/replays/"+url.PathEscape(id)), "", nil, nil)
	return err
}
