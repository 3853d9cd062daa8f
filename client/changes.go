package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// OrderChange is something that happened to an order that is followed.
type OrderChange struct {
	OrderID          string    `json:"order_id"`
	Revision         int64     `json:"revision"`
	Type             string    `json:"type"`
	At               time.Time `json:"at"`
	Status           string    `json:"status"`
	PaymentStatus    string    `json:"payment_status"`
	FulfilmentStatus string    `json:"fulfilment_status"`
}

// FollowOrder calls got for whatever happens to an order, until the stream ends,
// which it does after a minute at the latest, or got fails. After is what was
// returned the last time, a revision, or empty: then only what is to come. It
// returns where to go on, also together with an error.
func (c *Client) FollowOrder(ctx context.Context, id, after string, got func(OrderChange) error) (next string, err error) {
	return c.follow(ctx, orderPath(id, "changes"), nil, after, func(_ string, data []byte) error {
		var change OrderChange
		if err := json.Unmarshal(data, &change); err != nil {
			return fmt.Errorf("read a change: %w", err)
		}
		return got(change)
	})
}

// ListChange is an order that changed. Where Reset is set, too much was missed:
// the list is to be read anew.
type ListChange struct {
	OrderID string `json:"order_id"`
	Matches bool   `json:"matches"` // the filters
	Order   *Order `json:"order"`   // nil where it does not match
	Reset   bool   `json:"-"`
}

// FollowOrders calls got for every order that changes, by the query parameters
// of GET /v1/orders/changes. See [Client.FollowOrder].
func (c *Client) FollowOrders(ctx context.Context, query url.Values, after string, got func(ListChange) error) (next string, err error) {
	return c.follow(ctx, "/v1/orders/changes", query, after, func(event string, data []byte) error {
		change := ListChange{Reset: event == "reset"}
		if err := json.Unmarshal(data, &change); err != nil {
			return fmt.Errorf("read a change: %w", err)
		}
		return got(change)
	})
}

// follow reads server-sent events.
func (c *Client) follow(ctx context.Context, path string, query url.Values, after string, got func(event string, data []byte) error) (next string, err error) {
	next = after
	request := c.http.R().SetContext(ctx).SetDoNotParseResponse(true).SetQueryParamsFromValues(query)
	if after != "" {
		request.SetHeader("Last-Event-ID", after)
	}
	response, err := request.Get(path)
	if err != nil {
		return next, fmt.Errorf("GET %s: %w", path, err)
	}
	body := response.RawBody()
	defer body.Close()
	if response.StatusCode() != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(body, longestMessage))
		return next, problemOf(response.SetBody(text))
	}
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, longestMessage)
	event, id, data := "", next, ""
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "id":
			id = value
		case "event":
			event = value
		case "data":
			data = value
		case "": // an event is whole
			if data != "" {
				if err := got(event, []byte(data)); err != nil {
					return next, err
				}
			}
			event, data, next = "", "", id
		}
	}
	err = lines.Err()
	if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		err = nil // the client's own limit
	}
	return next, err
}
