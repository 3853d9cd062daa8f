package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"
)

// OrderByNumber returns the order that people know by a number, and its ETag.
func (c *Client) OrderByNumber(ctx context.Context, number string) (Order, string, error) {
	var order Order
	response, err := c.do(ctx, http.MethodGet, "/v1/orders/by-number/"+url.PathEscape(number), "", nil, &order)
	if err != nil {
		return order, "", err
	}
	return order, response.Header().Get("ETag"), nil
}

// Addresses is where an order goes, and its invoice; nil where that was not
// said.
type Addresses struct {
	ShipTo *Address `json:"ship_to"`
	BillTo *Address `json:"bill_to"`
}

// OrderAddresses returns the addresses of an order. They are personal data.
func (c *Client) OrderAddresses(ctx context.Context, id string) (a Addresses, err error) {
	_, err = c.do(ctx, http.MethodGet, orderPath(id, "address"), "", nil, &a)
	return a, err
}

// Contact is how the person behind an order is reached.
type Contact struct {
	CustomerID string `json:"customer_id"`
	Customer
}

// OrderContact returns who ordered. That is personal data.
func (c *Client) OrderContact(ctx context.Context, id string) (contact Contact, err error) {
	_, err = c.do(ctx, http.MethodGet, orderPath(id, "contact"), "", nil, &contact)
	return contact, err
}

// OrderPart returns a part of an order as the API shows it. Its kind is the
// word in the path: captures, edits, fulfilments, notes, refunds, returns or
// shipments.
func (c *Client) OrderPart(ctx context.Context, id, kind, part string) (body json.RawMessage, err error) {
	_, err = c.do(ctx, http.MethodGet, orderPath(id, kind, part), "", nil, &body)
	return body, err
}

// Notes returns what was written about an order, as the API shows it.
func (c *Client) Notes(ctx context.Context, id string) (body json.RawMessage, err error) {
	_, err = c.do(ctx, http.MethodGet, orderPath(id, "notes"), "", nil, &body)
	return body, err
}

// TimelineEntry is something that happened to an order.
type TimelineEntry struct {
	EventID       string    `json:"event_id"`
	Type          string    `json:"type"`
	Stream        string    `json:"stream"`
	Revision      int64     `json:"revision"`
	At            time.Time `json:"at"`
	Actor         Actor     `json:"actor"`
	Summary       string    `json:"summary"`
	CorrelationID string    `json:"correlation_id"`
	CausationID   string    `json:"causation_id"`
	TraceID       string    `json:"trace_id"`
	SpanID        string    `json:"span_id"`
}

// Actor is who caused something.
type Actor struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

// Timeline returns everything that happened to an order, its checkout and its
// payments, in that order.
func (c *Client) Timeline(ctx context.Context, id string) ([]TimelineEntry, error) {
	var body struct {
		Items []TimelineEntry `json:"items"`
	}
	_, err := c.do(ctx, http.MethodGet, orderPath(id, "timeline"), "", nil, &body)
	return body.Items, err
}

// StoredEvent is an event of an order as it is stored.
type StoredEvent struct {
	ID       string          `json:"id"`
	Type     string          `json:"type"`
	Revision int64           `json:"revision"`
	Position uint64          `json:"position"`
	At       time.Time       `json:"at"`
	Data     json.RawMessage `json:"data"`
	Metadata json.RawMessage `json:"metadata"`
}

// StoredEventPage is one page of the events of an order.
type StoredEventPage struct {
	Events []StoredEvent `json:"items"`
	Next   string        `json:"next_cursor"`
}

// OrderEvents lists the events of an order by the query parameters of
// GET /v1/orders/{id}/events.
func (c *Client) OrderEvents(ctx context.Context, id string, query url.Values) (StoredEventPage, error) {
	var page StoredEventPage
	_, err := c.do(ctx, http.MethodGet, orderPath(id, "events")+"?"+query.Encode(), "", nil, &page)
	return page, err
}

// Task is something an order still needs.
type Task struct {
	ID            string    `json:"id"`
	Kind          string    `json:"kind"`
	Ref           string    `json:"ref"`
	OpenedAt      time.Time `json:"opened_at"`
	DueAt         time.Time `json:"due_at"`
	NextAttemptAt time.Time `json:"next_attempt_at"`
	Failures      int       `json:"failures"`
	Error         string    `json:"error"`
	AlarmedAt     time.Time `json:"alarmed_at"` // zero if it did not fail five times in a row
}

// Tasks returns what an order still needs.
func (c *Client) Tasks(ctx context.Context, orderID string) ([]Task, error) {
	var body struct {
		Items []Task `json:"items"`
	}
	_, err := c.do(ctx, http.MethodGet, orderPath(orderID, "tasks"), "", nil, &body)
	return body.Items, err
}

// RetryTask has a task tried at once.
func (c *Client) RetryTask(ctx context.Context, orderID, task, key string) error {
	_, err := c.do(ctx, http.MethodPost, orderPath(orderID, "tasks", task, "retry"), key, nil, nil)
	return err
}

// AbandonTask gives a task up for ever, for a reason that is a word.
func (c *Client) AbandonTask(ctx context.Context, orderID, task, key, reason string) error {
	_, err := c.do(ctx, http.MethodPost, orderPath(orderID, "tasks", task, "abandon"), key, map[string]string{"reason": reason}, nil)
	return err
}
