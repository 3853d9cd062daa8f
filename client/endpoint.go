package client

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// CreateEndpoint is the body of POST /v1/endpoints.
type CreateEndpoint struct {
	URL           string         `json:"url"`
	EventTypes    []string       `json:"event_types"`
	Description   string         `json:"description,omitempty"`
	Filter        string         `json:"filter,omitempty"` // in CEL
	OrderMode     string         `json:"order_mode,omitempty"`
	OnExhausted   string         `json:"on_exhausted,omitempty"`
	MaxInFlight   int            `json:"max_in_flight,omitempty"`
	RatePerSecond int            `json:"rate_per_second,omitempty"`
	Waits         []int          `json:"waits,omitempty"` // seconds
	Trace         *bool          `json:"trace,omitempty"`
	PersonalData  bool           `json:"personal_data,omitempty"`
	Signatures    []string       `json:"signatures,omitempty"`
	Credentials   map[string]any `json:"credentials,omitempty"` // headers, basic, oauth2, tls, signature
	ContactEmail  string         `json:"contact_email,omitempty"`
	// IdempotencyKey makes a repeat answer the same endpoint; it may be empty.
	IdempotencyKey string `json:"-"`
}

// EndpointSettings is what the owner of an endpoint decides about it. The zero
// value of every field but the first two is what is usual.
type EndpointSettings struct {
	URL           string   `json:"url"`
	EventTypes    []string `json:"event_types"`
	Description   string   `json:"description,omitempty"`
	Filter        string   `json:"filter,omitempty"` // in CEL
	OrderMode     string   `json:"order_mode,omitempty"`
	OnExhausted   string   `json:"on_exhausted,omitempty"`
	MaxInFlight   int      `json:"max_in_flight,omitempty"`
	RatePerSecond int      `json:"rate_per_second,omitempty"`
	Waits         []int    `json:"waits,omitempty"` // seconds
	Trace         *bool    `json:"trace,omitempty"`
	PersonalData  bool     `json:"personal_data,omitempty"`
	Signatures    []string `json:"signatures,omitempty"`
}

// Endpoint is a partner's receiver. Secret is given at creation only.
type Endpoint struct {
	ID       string   `json:"id"`
	TenantID string   `json:"tenant_id,omitempty"`
	Channels []string `json:"channels,omitempty"`
	EndpointSettings
	ContactEmail   string         `json:"contact_email,omitempty"`
	Status         string         `json:"status"`
	DisabledReason string         `json:"disabled_reason,omitempty"`
	Verification   *Verification  `json:"verification,omitempty"` // nil where it was never asked
	Credentials    map[string]any `json:"credentials,omitempty"`  // what may be told of them
	CreatedAt      time.Time      `json:"created_at"`
	Secret         string         `json:"secret,omitempty"`
	ETag           string         `json:"-"`
}

// Verification is whether a receiver has shown that it wants to be called.
type Verification struct {
	Status      string    `json:"status"`           // pending, verified or failed
	Reason      string    `json:"reason,omitempty"` // why it failed
	Run         string    `json:"run"`              // of the ping
	RequestedAt time.Time `json:"requested_at"`
	ExpiresAt   time.Time `json:"expires_at"`
	EndedAt     time.Time `json:"ended_at,omitzero"`
}

// EndpointChange is how an endpoint is changed: on what it was, and under which
// key. Both may be empty.
type EndpointChange struct {
	IfMatch        string
	IdempotencyKey string
}

// CreateEndpoint subscribes a receiver to events.
func (c *Client) CreateEndpoint(ctx context.Context, in CreateEndpoint) (Endpoint, error) {
	var endpoint Endpoint
	response, err := c.do(ctx, http.MethodPost, "/v1/endpoints", in.IdempotencyKey, in, &endpoint)
	if err == nil {
		endpoint.ETag = response.Header().Get("ETag")
	}
	return endpoint, err
}

// Endpoints lists the endpoints that the key reaches, oldest first.
func (c *Client) Endpoints(ctx context.Context) ([]Endpoint, error) {
	var list struct {
		Items []Endpoint `json:"items"`
	}
	_, err := c.do(ctx, http.MethodGet, "/v1/endpoints", "", nil, &list)
	return list.Items, err
}

// Endpoint returns an endpoint as it is.
func (c *Client) Endpoint(ctx context.Context, id string) (Endpoint, error) {
	return c.endpoint(ctx, http.MethodGet, id, "", EndpointChange{}, nil)
}

// ChangeEndpoint changes the members of an endpoint's settings that are named
// as in the API; nil is what is usual.
func (c *Client) ChangeEndpoint(ctx context.Context, id string, change EndpointChange, patch map[string]any) (Endpoint, error) {
	if change.IfMatch == "" {
		change.IfMatch = "*"
	}
	return c.endpoint(ctx, http.MethodPatch, id, "", change, patch)
}

// PauseEndpoint stops deliveries until they are resumed.
func (c *Client) PauseEndpoint(ctx context.Context, id string, change EndpointChange) (Endpoint, error) {
	return c.endpoint(ctx, http.MethodPost, id, "/pause", change, nil)
}

// ResumeEndpoint lets deliveries go on: after a cursor, at a time (RFC 3339),
// "now" or "beginning", or where they stopped if from is empty.
func (c *Client) ResumeEndpoint(ctx context.Context, id, from string, change EndpointChange) (Endpoint, error) {
	return c.endpoint(ctx, http.MethodPost, id, "/resume", change, map[string]string{"from": from})
}

// EnableEndpoint lets deliveries of a disabled endpoint go on.
func (c *Client) EnableEndpoint(ctx context.Context, id string, change EndpointChange) (Endpoint, error) {
	return c.endpoint(ctx, http.MethodPost, id, "/enable", change, nil)
}

// VerifyEndpoint asks a receiver to show that it wants to be called.
func (c *Client) VerifyEndpoint(ctx context.Context, id string, change EndpointChange) (Endpoint, error) {
	return c.endpoint(ctx, http.MethodPost, id, "/verify", change, nil)
}

// DisableEndpoint stops deliveries until they are enabled.
func (c *Client) DisableEndpoint(ctx context.Context, id string, change EndpointChange) (Endpoint, error) {
	return c.endpoint(ctx, http.MethodPost, id, "/disable", change, nil)
}

func (c *Client) endpoint(ctx context.Context, method, id, path string, change EndpointChange, in any) (Endpoint, error) {
	var endpoint Endpoint
	request := c.http.R()
	if change.IfMatch != "" {
		request.SetHeader("If-Match", change.IfMatch)
	}
	response, err := c.send(ctx, request, method, endpointPath(id, path), change.IdempotencyKey, in, &endpoint)
	if err == nil {
		endpoint.ETag = response.Header().Get("ETag")
	}
	return endpoint, err
}

func endpointPath(id, path string) string { return "/v1/endpoints/" + url.PathEscape(id) + path }

// DeleteEndpoint ends a subscription.
func (c *Client) DeleteEndpoint(ctx context.Context, id string) error {
	_, err := c.do(ctx, http.MethodDelete, endpointPath(id, ""), "", nil, nil)
	return err
}

// RotatedSecret is an endpoint's new secret: this is the only place it is
// shown.
type RotatedSecret struct {
	Secret   string    `json:"secret"`
	Version  int       `json:"version"`
	OldUntil time.Time `json:"old_until"`
}

// RotateSecret replaces an endpoint's secret. The old one signs beside it for
// as long as overlap, in whole seconds; 0 ends all old ones at once.
func (c *Client) RotateSecret(ctx context.Context, id string, overlap time.Duration, key string) (RotatedSecret, error) {
	var rotated RotatedSecret
	_, err := c.do(ctx, http.MethodPost, endpointPath(id, "/rotate-secret"), key, map[string]int{"overlap_seconds": int(overlap / time.Second)}, &rotated)
	return rotated, err
}

// TestEndpoint sends a test message and returns its id.
func (c *Client) TestEndpoint(ctx context.Context, id, key string) (string, error) {
	return c.message(ctx, endpointPath(id, "/test"), key)
}

// Resend sends a message again and returns its id.
func (c *Client) Resend(ctx context.Context, id, messageID, key string) (string, error) {
	return c.message(ctx, endpointPath(id, "/deliveries/"+url.PathEscape(messageID)+"/resend"), key)
}

// Skip gives up a message, so that those behind it go on.
func (c *Client) Skip(ctx context.Context, id, messageID, key string) error {
	_, err := c.message(ctx, endpointPath(id, "/deliveries/"+url.PathEscape(messageID)+"/skip"), key)
	return err
}

func (c *Client) message(ctx context.Context, path, key string) (string, error) {
	var message struct {
		MessageID string `json:"message_id"`
	}
	_, err := c.do(ctx, http.MethodPost, path, key, nil, &message)
	return message.MessageID, err
}

// EndpointEntry is one thing that happened to an endpoint.
type EndpointEntry struct {
	ID       string    `json:"id"`
	Type     string    `json:"type"`
	Revision int64     `json:"revision"`
	At       time.Time `json:"at"`
	Actor    struct {
		Type string `json:"type"`
		ID   string `json:"id"`
	} `json:"actor"`
	TraceID string         `json:"trace_id"`
	Data    map[string]any `json:"data"`
}

// EndpointHistory lists what happened to an endpoint after a revision, -1 for
// all of it; oldest first.
func (c *Client) EndpointHistory(ctx context.Context, id string, after int64) ([]EndpointEntry, error) {
	var list struct {
		Items []EndpointEntry `json:"items"`
	}
	_, err := c.do(ctx, http.MethodGet, endpointPath(id, "/history?limit=1000&after="+strconv.FormatInt(after, 10)), "", nil, &list)
	return list.Items, err
}

// EndpointStatus is where deliveries stand.
type EndpointStatus struct {
	Status           string    `json:"status"`
	DeliveredThrough string    `json:"delivered_through"`
	Head             string    `json:"head"`
	CaughtUp         bool      `json:"caught_up"`
	LagEvents        int       `json:"lag_events"`
	LagMore          bool      `json:"lag_more"` // there are more than LagEvents
	LagSeconds       float64   `json:"lag_seconds"`
	Parked           int       `json:"parked"`
	Blocked          int       `json:"blocked"`
	GivenUp          int       `json:"given_up"`
	Breaker          string    `json:"breaker"`
	FailingSince     time.Time `json:"failing_since,omitzero"`
	NextTryAt        time.Time `json:"next_try_at,omitzero"`
	PausedUntil      time.Time `json:"paused_until,omitzero"`
}

// EndpointStatus says where deliveries to an endpoint stand.
func (c *Client) EndpointStatus(ctx context.Context, id string) (EndpointStatus, error) {
	var status EndpointStatus
	_, err := c.do(ctx, http.MethodGet, endpointPath(id, "/status"), "", nil, &status)
	return status, err
}

// Aggregate is what a message is about.
type Aggregate struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

// Attempt is one attempt at a message.
type Attempt struct {
	MessageID    string    `json:"message_id"`
	EventType    string    `json:"event_type"`
	Aggregate    Aggregate `json:"aggregate"`
	Run          string    `json:"run"`
	Attempt      int       `json:"attempt"`
	At           time.Time `json:"at"`
	Status       int       `json:"status"`
	Result       string    `json:"result"`
	DurationMS   float64   `json:"duration_ms"`
	TraceID      string    `json:"trace_id"`
	ResponseHead string    `json:"response_head"`
	ResponseBody string    `json:"response_body"`
}

// AttemptQuery chooses attempts; the zero value of a field is any.
type AttemptQuery struct {
	MessageID, Order, Result, Run string
	From, To                      time.Time
	Limit                         int
	Cursor                        string // from the page before
}

func (q AttemptQuery) values() url.Values {
	values := url.Values{}
	for name, value := range map[string]string{"message_id": q.MessageID, "order": q.Order, "result": q.Result, "run": q.Run, "cursor": q.Cursor} {
		if value != "" {
			values.Set(name, value)
		}
	}
	for name, at := range map[string]time.Time{"from": q.From, "to": q.To} {
		if !at.IsZero() {
			values.Set(name, at.UTC().Format(time.RFC3339Nano))
		}
	}
	if q.Limit > 0 {
		values.Set("limit", strconv.Itoa(q.Limit))
	}
	return values
}

// Attempts lists attempts at an endpoint, newest first, and the cursor of the
// next page, which is empty on the last one.
func (c *Client) Attempts(ctx context.Context, id string, q AttemptQuery) ([]Attempt, string, error) {
	return page[Attempt](ctx, c, endpointPath(id, "/attempts"), q.values())
}

// Undelivered is a message that waits, or was given up.
type Undelivered struct {
	MessageID  string    `json:"message_id"`
	EventType  string    `json:"event_type"`
	Aggregate  Aggregate `json:"aggregate"`
	RecordedAt time.Time `json:"recorded_at"`
	State      string    `json:"state"` // due, behind, blocking or given_up
	Attempts   int       `json:"attempts"`
	Result     string    `json:"result"`
	NextTryAt  time.Time `json:"next_try_at,omitzero"`
}

// UndeliveredQuery chooses messages; the zero value is all that the live run did
// not deliver.
type UndeliveredQuery struct {
	Run    string // live, or the id of a replay
	Limit  int    // of a page
	Cursor string // of the page before
}

// Undelivered lists what an endpoint did not get, in the order of the log, and
// the cursor of the next page.
func (c *Client) Undelivered(ctx context.Context, id string, q UndeliveredQuery) ([]Undelivered, string, error) {
	values := url.Values{"limit": {strconv.Itoa(cmp.Or(q.Limit, 200))}}
	for name, value := range map[string]string{"run": q.Run, "cursor": q.Cursor} {
		if value != "" {
			values.Set(name, value)
		}
	}
	return page[Undelivered](ctx, c, endpointPath(id, "/undelivered"), values)
}

func page[T any](ctx context.Context, c *Client, path string, values url.Values) ([]T, string, error) {
	var list struct {
		Items []T    `json:"items"`
		Next  string `json:"next_cursor"`
	}
	_, err := c.do(ctx, http.MethodGet, path+"?"+values.Encode(), "", nil, &list)
	return list.Items, list.Next, err
}

// Delivery is a message as an endpoint gets it, and the attempts at it.
type Delivery struct {
	MessageID  string    `json:"message_id"`
	EventType  string    `json:"event_type"`
	Aggregate  Aggregate `json:"aggregate"`
	RecordedAt time.Time `json:"recorded_at"`
	TraceID    string    `json:"trace_id"`
	Request    struct {
		ContentType string          `json:"content_type"`
		Body        json.RawMessage `json:"body"`
	} `json:"request"`
	Attempts []Attempt `json:"attempts"`
}

// Delivery shows a message and the last attempts at it.
func (c *Client) Delivery(ctx context.Context, id, messageID string) (Delivery, error) {
	var delivery Delivery
	_, err := c.do(ctx, http.MethodGet, endpointPath(id, "/deliveries/"+url.PathEscape(messageID)), "", nil, &delivery)
	return delivery, err
}

// Statement says, signed, what an endpoint got. Its signature is over ID,
// Timestamp and Body, as that of a message of scheme v1a.
type Statement struct {
	ID, Timestamp, Signature string
	Body                     []byte
}

// Statement fetches a statement of what an endpoint got until now.
func (c *Client) Statement(ctx context.Context, id string) (Statement, error) {
	response, err := c.do(ctx, http.MethodGet, endpointPath(id, "/statement"), "", nil, nil)
	if err != nil {
		return Statement{}, err
	}
	header := response.Header()
	return Statement{
		ID: header.Get("Webhook-Id"), Timestamp: header.Get("Webhook-Timestamp"), Signature: header.Get("Webhook-Signature"), Body: response.Body(),
	}, nil
}

// Ready reports whether the installation answers requests.
func (c *Client) Ready(ctx context.Context) error {
	_, err := c.do(ctx, http.MethodGet, "/readyz", "", nil, nil)
	return err
}
