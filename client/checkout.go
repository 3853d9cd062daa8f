package client

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Checkout is what becomes of a request to place an order.
type Checkout struct {
	ID       string           `json:"id"`
	Status   string           `json:"status"`
	OrderID  string           `json:"order_id"`
	Number   string           `json:"number"`
	Currency string           `json:"currency"`
	Payment  *CheckoutPayment `json:"payment"`
	Refusal  *Refusal         `json:"refusal"`
	// RetryUntil is how long the goods are kept for another payment; zero where
	// none is waited for.
	RetryUntil time.Time `json:"retry_until"`
	StartedAt  time.Time `json:"started_at"`
	ChangedAt  time.Time `json:"changed_at"`
}

// CheckoutPayment is the last payment that was tried. The shopper is sent to
// ActionURL, where that is set.
type CheckoutPayment struct {
	ID              string    `json:"id"`
	Attempt         int       `json:"attempt"`
	Method          string    `json:"method"`
	ActionURL       string    `json:"action_url"`
	ActionExpiresAt time.Time `json:"action_expires_at"`
}

// Checkout returns where a checkout is.
func (c *Client) Checkout(ctx context.Context, id string) (Checkout, error) {
	var checkout Checkout
	_, err := c.do(ctx, http.MethodGet, "/v1/checkouts/"+url.PathEscape(id), "", nil, &checkout)
	return checkout, err
}

// PayCheckout tries another payment after one was declined.
func (c *Client) PayCheckout(ctx context.Context, id, key string, in Payment) (Placed, error) {
	return c.place(ctx, c.http.R(), "/v1/checkouts/"+url.PathEscape(id)+"/payments", key, in)
}

// CheckoutPage is one page of a list of checkouts, of which not everything is
// told.
type CheckoutPage struct {
	Checkouts []Checkout `json:"items"`
	Next      string     `json:"next_cursor"`
}

// Checkouts lists checkouts that somebody may have to look at, by the query
// parameters of GET /v1/checkouts.
func (c *Client) Checkouts(ctx context.Context, query url.Values) (CheckoutPage, error) {
	var page CheckoutPage
	_, err := c.do(ctx, http.MethodGet, "/v1/checkouts?"+query.Encode(), "", nil, &page)
	return page, err
}

// GatewayCallback is what a payment gateway told and was not applied.
type GatewayCallback struct {
	ID         string    `json:"id"`
	Gateway    string    `json:"gateway"`
	CallbackID string    `json:"callback_id"`
	Kind       string    `json:"kind"`
	PaymentID  string    `json:"payment_id"`
	Status     string    `json:"status"`
	Reason     string    `json:"reason"`
	ReceivedAt time.Time `json:"received_at"`
}

// GatewayCallbackPage is one page of a list of callbacks.
type GatewayCallbackPage struct {
	Callbacks []GatewayCallback `json:"items"`
	Next      string            `json:"next_cursor"`
}

// GatewayCallbacks lists callbacks of gateways by the query parameters of
// GET /v1/gateway-callbacks.
func (c *Client) GatewayCallbacks(ctx context.Context, query url.Values) (GatewayCallbackPage, error) {
	var page GatewayCallbackPage
	_, err := c.do(ctx, http.MethodGet, "/v1/gateway-callbacks?"+query.Encode(), "", nil, &page)
	return page, err
}
