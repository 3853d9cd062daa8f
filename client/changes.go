package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
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
	return c.follow(ctx, stream{path: orderPath(id, "changes"), after: after}, func(_ string, data []byte) error {
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
	return c.follow(ctx, stream{path: "/v1/orders/changes", query: query, after: after}, func(event string, data []byte) error {
		change := ListChange{Reset: event == "reset"}
		if err := json.Unmarshal(data, &change); err != nil {
			return fmt.Errorf("read a change: %w", err)
		}
		return got(change)
	})
}
