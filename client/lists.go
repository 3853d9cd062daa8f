package client

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Page is one page of a list; Next is the cursor of the one after it, empty on
// the last.
type Page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next_cursor"`
}

func list[T any](ctx context.Context, c *Client, path string, query url.Values) (page Page[T], err error) {
	_, err = c.do(ctx, http.MethodGet, path+"?"+query.Encode(), "", nil, &page)
	return page, err
}

// ListedShipment is a parcel.
type ListedShipment struct {
	OrderID     string    `json:"order_id"`
	ID          string    `json:"id"`
	Status      string    `json:"status"`
	Carrier     string    `json:"carrier"`
	Tracking    string    `json:"tracking"`
	Units       int       `json:"units"`
	Failure     string    `json:"failure"`
	ShippedAt   time.Time `json:"shipped_at"`
	DeliveredAt time.Time `json:"delivered_at"` // zero until it is
}

// Shipments lists parcels by the query parameters of GET /v1/shipments.
func (c *Client) Shipments(ctx context.Context, query url.Values) (Page[ListedShipment], error) {
	return list[ListedShipment](ctx, c, "/v1/shipments", query)
}

// ListedReturn is goods that come back.
type ListedReturn struct {
	OrderID     string    `json:"order_id"`
	ID          string    `json:"id"`
	Status      string    `json:"status"`
	Kind        string    `json:"kind"`
	Units       int       `json:"units"`
	Received    int       `json:"received"`
	Reason      string    `json:"reason"`
	RequestedAt time.Time `json:"requested_at"`
}

// Returns lists returns by the query parameters of GET /v1/returns.
func (c *Client) Returns(ctx context.Context, query url.Values) (Page[ListedReturn], error) {
	return list[ListedReturn](ctx, c, "/v1/returns", query)
}

// ListedPayment is a payment as the list knows it, a moment behind.
type ListedPayment struct {
	ID          string         `json:"id"`
	OrderID     string         `json:"order_id"`
	Status      string         `json:"status"`
	Gateway     string         `json:"gateway"`
	Method      string         `json:"method"`
	GatewayKey  string         `json:"gateway_key"`
	GatewayRef  string         `json:"gateway_ref"`
	Amounts     PaymentAmounts `json:"amounts"` // without Capturable and Refundable
	Code        string         `json:"code"`
	RequestedAt time.Time      `json:"requested_at"`
	ExpiresAt   time.Time      `json:"expires_at"`
}

// Payments lists payments by the query parameters of GET /v1/payments.
func (c *Client) Payments(ctx context.Context, query url.Values) (Page[ListedPayment], error) {
	return list[ListedPayment](ctx, c, "/v1/payments", query)
}

// ListedMovement is a capture or a refund, and the payment it belongs to.
type ListedMovement struct {
	PaymentMovement

	PaymentID   string    `json:"payment_id"`
	OrderID     string    `json:"order_id"`
	RequestedAt time.Time `json:"requested_at"`
}

// Captures lists captures by the query parameters of GET /v1/captures.
func (c *Client) Captures(ctx context.Context, query url.Values) (Page[ListedMovement], error) {
	return list[ListedMovement](ctx, c, "/v1/captures", query)
}

// Refunds lists refunds by the query parameters of GET /v1/refunds.
func (c *Client) Refunds(ctx context.Context, query url.Values) (Page[ListedMovement], error) {
	return list[ListedMovement](ctx, c, "/v1/refunds", query)
}

// Reservation is units of an item that a checkout keeps for itself.
type Reservation struct {
	ID         string    `json:"id"`
	SKU        string    `json:"sku"`
	Location   string    `json:"location"`
	CheckoutID string    `json:"checkout_id"`
	Quantity   int       `json:"quantity"`
	ExpiresAt  time.Time `json:"expires_at"`
}

// Reservations lists open reservations by the query parameters of
// GET /v1/reservations.
func (c *Client) Reservations(ctx context.Context, query url.Values) (Page[Reservation], error) {
	return list[Reservation](ctx, c, "/v1/reservations", query)
}
