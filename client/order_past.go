package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Moment is a time in the life of an order. The zero value is now.
type Moment struct {
	Revision *int64    // as it was at this revision: the number in its ETag then
	AsOf     time.Time // as it was at this time
}

func (m Moment) query() string {
	query := url.Values{}
	if m.Revision != nil {
		query.Set("revision", strconv.FormatInt(*m.Revision, 10))
	}
	if !m.AsOf.IsZero() {
		query.Set("as_of", m.AsOf.Format(time.RFC3339Nano))
	}
	if len(query) == 0 {
		return ""
	}
	return "?" + query.Encode()
}

// OrderAt returns an order as it was at a moment, as the API shows it, and its
// ETag then.
func (c *Client) OrderAt(ctx context.Context, id string, when Moment) (body json.RawMessage, etag string, err error) {
	response, err := c.do(ctx, http.MethodGet, orderPath(id)+when.query(), "", nil, &body)
	if err != nil {
		return nil, "", err
	}
	return body, response.Header().Get("ETag"), nil
}

// OrderDiff is what two revisions of an order differ by.
type OrderDiff struct {
	From    int64            `json:"from"`
	To      int64            `json:"to"`
	Changes []OrderDifferent `json:"changes"`
	Events  []OrderDiffEvent `json:"events"`
}

// OrderDifferent is one difference: a JSON pointer into the order, and what is
// there before and after.
type OrderDifferent struct {
	Op    string          `json:"op"`
	Path  string          `json:"path"`
	Old   json.RawMessage `json:"old,omitempty"`
	Value json.RawMessage `json:"value,omitempty"`
}

// OrderDiffEvent is something that happened between two revisions.
type OrderDiffEvent struct {
	Revision int64     `json:"revision"`
	Type     string    `json:"type"`
	At       time.Time `json:"at"`
}

// OrderDiff compares two revisions of an order; -1 is the present one.
func (c *Client) OrderDiff(ctx context.Context, id string, from, to int64) (diff OrderDiff, err error) {
	query := url.Values{"from": {strconv.FormatInt(from, 10)}, "to": {strconv.FormatInt(to, 10)}}
	_, err = c.do(ctx, http.MethodGet, orderPath(id, "diff")+"?"+query.Encode(), "", nil, &diff)
	return diff, err
}
