package client

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// PaymentState is a payment as its own log tells, never behind.
type PaymentState struct {
	ID         string `json:"id"`
	OrderID    string `json:"order_id"`
	Status     string `json:"status"`
	Method     string `json:"method"`
	Gateway    string `json:"gateway"`
	GatewayRef string `json:"gateway_ref"`
	// ExpiresAt is when the gateway lets go of what is not captured; zero is
	// never.
	ExpiresAt time.Time      `json:"expires_at"`
	Amounts   PaymentAmounts `json:"amounts"`
	// Action is what the shopper has to do, while that is required.
	Action   *PaymentAction    `json:"action"`
	Captures []PaymentMovement `json:"captures"`
	Refunds  []PaymentMovement `json:"refunds"`
}

// PaymentAmounts are the sums of a payment.
type PaymentAmounts struct {
	Requested   Money `json:"requested"`
	Authorised  Money `json:"authorised"`
	Captured    Money `json:"captured"`
	Capturable  Money `json:"capturable"`
	Refunded    Money `json:"refunded"`
	Refundable  Money `json:"refundable"`
	ChargedBack Money `json:"charged_back"`
}

// PaymentAction is where the shopper has to go, and until when.
type PaymentAction struct {
	URL       string    `json:"url"`
	ExpiresAt time.Time `json:"expires_at"`
}

// PaymentMovement is a capture or a refund: requested, done or failed.
type PaymentMovement struct {
	ID         string `json:"id"`
	Status     string `json:"status"`
	Amount     Money  `json:"amount"`
	Final      bool   `json:"final"`
	GatewayRef string `json:"gateway_ref"`
	Code       string `json:"code"`
}

// Payment returns a payment and its ETag.
func (c *Client) Payment(ctx context.Context, id string) (PaymentState, string, error) {
	var payment PaymentState
	response, err := c.do(ctx, http.MethodGet, "/v1/payments/"+url.PathEscape(id), "", nil, &payment)
	if err != nil {
		return PaymentState{}, "", err
	}
	return payment, response.Header().Get("ETag"), nil
}

// OrderPayments returns the payments of an order, the one it was placed with
// first.
func (c *Client) OrderPayments(ctx context.Context, orderID string) ([]PaymentState, error) {
	var body struct {
		Items []PaymentState `json:"items"`
	}
	_, err := c.do(ctx, http.MethodGet, orderPath(orderID, "payments"), "", nil, &body)
	return body.Items, err
}

// PayOrder authorises another payment for what an order costs and nobody has
// paid or promised. The answer has no order, and the payment's id: where it is
// only accepted, the outcome is not known yet, or needs the shopper, which
// [Client.Payment] tells. A [Problem] with status 402 says that it was declined.
func (c *Client) PayOrder(ctx context.Context, id string, how Change, in Payment) (Changed, error) {
	changed, err := c.change(ctx, id, how, in, "payments")
	changed.Order = Order{ID: id}
	return changed, err
}
