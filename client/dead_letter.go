package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// DeadLetter is an event that a side effect could not handle.
type DeadLetter struct {
	Handler       string    `json:"handler"`
	Number        int64     `json:"number"`
	Status        string    `json:"status"`
	EventID       string    `json:"event_id"`
	EventType     string    `json:"event_type"`
	Stream        string    `json:"stream"`
	Revision      int64     `json:"revision"`
	RecordedAt    time.Time `json:"recorded_at,omitzero"`
	ParkedAt      time.Time `json:"parked_at"`
	Attempts      int       `json:"attempts"`
	Error         string    `json:"error"`
	TraceID       string    `json:"trace_id"`
	CorrelationID string    `json:"correlation_id"`

	// What follows is there where one is asked for.

	Data       json.RawMessage    `json:"data,omitempty"`
	EditedData json.RawMessage    `json:"edited_data,omitempty"`
	FirstAt    time.Time          `json:"first_attempt_at,omitzero"`
	Errors     []DeadLetterError  `json:"errors,omitempty"`
	Changes    []DeadLetterChange `json:"changes,omitempty"`
}

// DeadLetterError is why an attempt failed.
type DeadLetterError struct {
	At    time.Time `json:"at"`
	Error string    `json:"error"`
}

// DeadLetterChange is what was decided about it, or what became of that.
type DeadLetterChange struct {
	Kind   string    `json:"kind"`
	By     string    `json:"by,omitempty"`
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at"`
}

// RetryDeadLetters says which are handled once more. Handler is required.
type RetryDeadLetters struct {
	Handler string    `json:"handler"`
	Type    string    `json:"type,omitempty"`
	Stream  string    `json:"stream,omitempty"`
	After   time.Time `json:"after,omitzero"`
	Before  time.Time `json:"before,omitzero"`
}

// RetriedDeadLetters is how many there were, and whether there are more.
type RetriedDeadLetters struct {
	Retried int  `json:"retried"`
	More    bool `json:"more"`
}

// DeadLetters lists by the query parameters of GET /admin/dead-letters.
func (c *Client) DeadLetters(ctx context.Context, query url.Values) (Page[DeadLetter], error) {
	return list[DeadLetter](ctx, c, "/admin/dead-letters", query)
}

// DeadLetter returns one, with every error and what was decided.
func (c *Client) DeadLetter(ctx context.Context, handler string, number int64) (DeadLetter, error) {
	return c.deadLetter(ctx, http.MethodGet, handler, number, "", "", nil)
}

// RetryDeadLetter has one handled once more.
func (c *Client) RetryDeadLetter(ctx context.Context, handler string, number int64, key string) (DeadLetter, error) {
	return c.deadLetter(ctx, http.MethodPost, handler, number, "/retry", key, nil)
}

// RetryDeadLetters has those of a filter handled once more.
func (c *Client) RetryDeadLetters(ctx context.Context, which RetryDeadLetters) (r RetriedDeadLetters, err error) {
	_, err = c.do(ctx, http.MethodPost, "/admin/dead-letters/retry", "", which, &r)
	return r, err
}

// EditDeadLetter has a copy with another payload handled.
func (c *Client) EditDeadLetter(ctx context.Context, handler string, number int64, key string, data json.RawMessage, reason string) (DeadLetter, error) {
	return c.deadLetter(ctx, http.MethodPost, handler, number, "/edit", key, map[string]any{"data": data, "reason": reason})
}

// DiscardDeadLetter decides that one is not handled.
func (c *Client) DiscardDeadLetter(ctx context.Context, handler string, number int64, key, reason string) (DeadLetter, error) {
	return c.deadLetter(ctx, http.MethodPost, handler, number, "/discard", key, map[string]any{"reason": reason})
}

func (c *Client) deadLetter(ctx context.Context, method, handler string, number int64, more, key string, in any) (l DeadLetter, err error) {
	path := fmt.Sprintf("/admin/dead-letters/%s/%d%s", url.PathEscape(handler), number, more)
	_, err = c.do(ctx, method, path, key, in, &l)
	return l, err
}
