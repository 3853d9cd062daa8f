package client

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// MessageHead is what every message tells about itself beside its data.
type MessageHead struct {
	ID        string    `json:"id"`
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Aggregate Aggregate `json:"aggregate"`
	Sequence  int64     `json:"sequence"`
	Previous  *int64    `json:"previous"`
	Cursor    string    `json:"cursor"`
}

// Message is a message as webhooks carry it: Body is the whole of it, byte for
// byte.
type Message struct {
	MessageHead

	Body json.RawMessage
	// Skipped says why there is no message, such as unreadable; it is empty
	// where there is one. The head is known nevertheless, but for the time.
	Skipped string
}

// UnmarshalJSON implements [json.Unmarshaler].
func (m *Message) UnmarshalJSON(text []byte) error {
	m.Body = append(json.RawMessage{}, text...)
	return json.Unmarshal(text, &m.MessageHead)
}

// FeedQuery chooses messages; the zero value of a field is any.
type FeedQuery struct {
	// After is where to go on: Next of the page before, the cursor of a message,
	// a time (RFC 3339), "now", or "beginning", which is what empty means.
	After string
	Types []string
	// Filter is in CEL.
	Filter string
	// Endpoint chooses what this endpoint is sent, instead of Types and Filter.
	Endpoint string
	Limit    int
	// Wait is how long the server waits if there is no message: whole seconds,
	// 25 at most.
	Wait time.Duration
}

func (q FeedQuery) values() url.Values {
	values := url.Values{}
	for name, value := range map[string]string{
		"after": q.After, "types": strings.Join(q.Types, ","), "filter": q.Filter, "endpoint": q.Endpoint,
	} {
		if value != "" {
			values.Set(name, value)
		}
	}
	if q.Limit > 0 {
		values.Set("limit", strconv.Itoa(q.Limit))
	}
	if q.Wait > 0 {
		values.Set("wait", strconv.Itoa(int(q.Wait/time.Second)))
	}
	return values
}

// FeedPage is a piece of the feed, in the order of the log. Next is where to go
// on, also if there was no message.
type FeedPage struct {
	Messages []Message `json:"items"`
	Skipped  []Message `json:"skipped"` // in between, and that cannot be made
	Next     string    `json:"next"`
	More     bool      `json:"more"` // at once
}

// Feed pulls messages instead of receiving them.
func (c *Client) Feed(ctx context.Context, q FeedQuery) (FeedPage, error) {
	var page FeedPage
	_, err := c.do(ctx, http.MethodGet, "/v1/feed?"+q.values().Encode(), "", nil, &page)
	giveReasons(page.Skipped)
	return page, err
}

// reason reads why a message was skipped.
func (m *Message) reason() string {
	var why struct{ Reason string }
	_ = json.Unmarshal(m.Body, &why) // it was JSON a moment ago
	return cmp.Or(why.Reason, "unknown")
}

func giveReasons(skipped []Message) {
	for i := range skipped {
		skipped[i].Skipped = skipped[i].reason()
	}
}

// StreamFeed calls got for every message, also for those that were skipped,
// until the stream ends, which it does after a minute at the latest, or got
// fails. It returns where to go on, also together with an error. Limit and Wait
// do not apply.
func (c *Client) StreamFeed(ctx context.Context, q FeedQuery, got func(Message) error) (next string, err error) {
	q.Limit, q.Wait = 0, 0
	return c.follow(ctx, stream{path: "/v1/feed/stream", query: q.values(), after: q.After}, func(event string, data []byte) error {
		var m Message
		if err := json.Unmarshal(data, &m); err != nil {
			return fmt.Errorf("read a message of the stream: %w", err)
		}
		if event == "skipped" {
			m.Skipped = m.reason()
		}
		return got(m)
	})
}

// MessagesOf is a page of the messages about one aggregate.
type MessagesOf struct {
	Messages []Message `json:"items"`
	Skipped  []Message `json:"skipped"`    // in between, and that cannot be made
	Next     int64     `json:"next_after"` // 0 on the last page
}

// AggregateEvents lists the messages about an aggregate with a higher sequence,
// from the log itself. With an endpoint's id they are what it was to get.
func (c *Client) AggregateEvents(ctx context.Context, about Aggregate, after int64, endpointID string) (MessagesOf, error) {
	values := url.Values{"after": {strconv.FormatInt(after, 10)}}
	if about.Type != "" {
		values.Set("type", about.Type)
	}
	if endpointID != "" {
		values.Set("endpoint_id", endpointID)
	}
	var page MessagesOf
	_, err := c.do(ctx, http.MethodGet, "/v1/aggregates/"+url.PathEscape(about.ID)+"/events?"+values.Encode(), "", nil, &page)
	giveReasons(page.Skipped)
	return page, err
}

// Event returns a message whole, however large, by its id, what it is about and
// its sequence.
func (c *Client) Event(ctx context.Context, id string, about Aggregate, sequence int64) (Message, error) {
	var m Message
	values := url.Values{"type": {about.Type}, "aggregate": {about.ID}, "sequence": {strconv.FormatInt(sequence, 10)}}
	_, err := c.do(ctx, http.MethodGet, "/v1/events/"+url.PathEscape(id)+"?"+values.Encode(), "", nil, &m)
	return m, err
}
