// Package fraud asks a system of somebody else's whether an order looks like
// fraud. It promises nothing but its answer; what follows from it is decided by
// whoever asks. It is told no names, only what an order is.
package fraud

import (
	"context"
	"fmt"
	"net/http"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/gateways/remote"
)

// Check is what is asked about.
type Check struct {
	OrderID    string       `json:"order_id"`
	CustomerID string       `json:"customer_id,omitempty"`
	Total      domain.Money `json:"total"`
	ShipTo     string       `json:"ship_to_country,omitempty"` // ISO 3166
	BillTo     string       `json:"bill_to_country,omitempty"`
	Channel    string       `json:"channel,omitempty"`
	Lines      []Line       `json:"lines"`
	PlacedAt   string       `json:"placed_at"` // RFC 3339
	// Recent counts the customer's orders of the window before this one.
	Recent int `json:"recent_orders"`
}

// Line is one line of the order.
type Line struct {
	SKU       string       `json:"sku"`
	Quantity  int          `json:"quantity"`
	UnitPrice domain.Money `json:"unit_price"`
}

// Verdict is the answer.
type Verdict struct {
	Decision Decision `json:"decision"`
	Reasons  []string `json:"reasons,omitempty"` // words of the other system's own
}

// Decision is what is to become of an order.
type Decision string

// What an order may come to.
const (
	Accept Decision = "accept"
	Review Decision = "review" // a person should look before it goes on
)

// Client asks over HTTP: POST /checks, with an Idempotency-Key.
type Client struct{ remote *remote.Client }

// Connect returns a client.
func Connect(cfg remote.Config) *Client { return &Client{remote.Connect(cfg)} }

// Close closes the connections that are kept open.
func (c *Client) Close() { c.remote.Close() }

// Check asks about an order; the key is the same on every repeat.
func (c *Client) Check(ctx context.Context, key string, check Check) (Verdict, error) {
	var verdict Verdict
	_, err := c.remote.Do(ctx, remote.Call{Method: http.MethodPost, Path: "/checks", Key: key, Body: check, Into: &verdict})
	if err == nil && verdict.Decision != Accept && verdict.Decision != Review {
		err = fmt.Errorf("%w: it decided %q, which is neither accept nor review", remote.ErrAway, verdict.Decision)
	}
	return verdict, err
}
