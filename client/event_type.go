package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"
)

// EventType is a type of messages.
type EventType struct {
	Type      string         `json:"type"`
	Version   int            `json:"version"`
	Aggregate string         `json:"aggregate"`
	Audience  string         `json:"audience"`
	Sent      string         `json:"sent"`
	Promise   string         `json:"promise"`
	Schema    map[string]any `json:"schema"`
	Example   map[string]any `json:"example"`
}

// FilterVariable is something that the filter of an endpoint may ask for.
type FilterVariable struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	About string `json:"about"`
}

// EventTypes are all types of messages, and what filters may ask for.
type EventTypes struct {
	Types     []EventType      `json:"items"`
	Variables []FilterVariable `json:"filter_variables"`
}

// EventTypes lists the types of messages.
func (c *Client) EventTypes(ctx context.Context) (EventTypes, error) {
	var types EventTypes
	_, err := c.do(ctx, http.MethodGet, "/v1/event-types", "", nil, &types)
	return types, err
}

// EventType shows a type of messages.
func (c *Client) EventType(ctx context.Context, name string) (EventType, error) {
	var kind EventType
	_, err := c.do(ctx, http.MethodGet, "/v1/event-types/"+url.PathEscape(name), "", nil, &kind)
	return kind, err
}

// PreviewFilter says which filter to try, and on what. Zero values are: every
// message, the endpoint's types, from the beginning, ten examples.
type PreviewFilter struct {
	Filter     string    `json:"filter,omitempty"`
	EventTypes []string  `json:"event_types,omitempty"`
	Since      time.Time `json:"since,omitzero"`
	Examples   int       `json:"examples,omitempty"`
}

// FilterPreview is what a filter would have let through. If it is not Complete,
// the numbers are of what happened up to ReadUntil.
type FilterPreview struct {
	Matched   int               `json:"matched"`
	Of        int               `json:"of"`
	ByType    map[string]int    `json:"by_type"`
	Failed    int               `json:"failed"`
	Failure   string            `json:"failure"`
	Complete  bool              `json:"complete"`
	Progress  float64           `json:"progress"`
	ReadUntil time.Time         `json:"read_until"`
	Cursor    string            `json:"cursor"`
	TookMS    int64             `json:"took_ms"`
	Examples  []json.RawMessage `json:"examples"`
}

// PreviewFilter tries a filter on history; nothing is sent.
func (c *Client) PreviewFilter(ctx context.Context, endpointID string, in PreviewFilter) (FilterPreview, error) {
	var preview FilterPreview
	_, err := c.do(ctx, http.MethodPost, endpointPath(endpointID, "/filter-preview"), "", in, &preview)
	return preview, err
}
