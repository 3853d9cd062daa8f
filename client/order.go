package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/go-resty/resty/v2"
)

// Money is an amount in minor units (pence, cents) of an ISO 4217 currency.
type Money struct {
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
}

// PlaceOrder is the body of POST /v1/orders.
type PlaceOrder struct {
	Customer *Customer   `json:"customer,omitempty"`
	Currency string      `json:"currency"`
	Lines    []OrderLine `json:"lines"`
	Payment  Payment     `json:"payment"`
	ShipTo   *Address    `json:"ship_to,omitempty"`
	BillTo   *Address    `json:"bill_to,omitempty"`
	External *External   `json:"external,omitempty"`

	Channel   string     `json:"channel,omitempty"` // of sales; empty is the shop itself
	Shipping  *Shipping  `json:"shipping,omitempty"`
	Discounts []Discount `json:"discounts,omitempty"`
}

// Shipping is how the goods go, and what the shop takes for that.
type Shipping struct {
	Method string `json:"method"`
	Price  Money  `json:"price"`
	Tax    *Money `json:"tax,omitempty"`
}

// Discount is what a code takes off. Lines share it by what they cost where none
// has a discount of its own.
type Discount struct {
	Code   string `json:"code"`
	Amount Money  `json:"amount"`
}

// Customer is who orders.
type Customer struct {
	ID    string `json:"id,omitempty"`
	Email string `json:"email,omitempty"`
	Name  string `json:"name,omitempty"`
	Phone string `json:"phone,omitempty"`

	Language string `json:"language,omitempty"` // of mails and documents, BCP 47
}

// OrderLine is one line of a cart.
type OrderLine struct {
	SKU      string `json:"sku"`
	Quantity int    `json:"quantity"`
	// UnitPrice is the price that the shopper saw, which must still hold; with
	// External the price agreed elsewhere.
	UnitPrice *Money `json:"unit_price,omitempty"`
	// Discount and Tax are those of the whole line.
	Discount *Money `json:"discount,omitempty"`
	Tax      *Money `json:"tax,omitempty"`
}

// Payment is how the shopper pays.
type Payment struct {
	Method    string `json:"method"`
	ReturnURL string `json:"return_url,omitempty"` // where the shopper comes back to
}

// Address is where goods or bills go.
type Address struct {
	Name       string `json:"name,omitempty"`
	Company    string `json:"company,omitempty"`
	Line1      string `json:"line1,omitempty"`
	Line2      string `json:"line2,omitempty"`
	City       string `json:"city,omitempty"`
	Region     string `json:"region,omitempty"`
	PostalCode string `json:"postal_code,omitempty"`
	Country    string `json:"country"`
	Phone      string `json:"phone,omitempty"`
}

// External says where and when an order, a return or a credit note came about that did not
// start here.
type External struct {
	Source string    `json:"source"`
	Ref    string    `json:"ref"`
	Time   time.Time `json:"time"`
}

// Order is what is answered for a placed order.
type Order struct {
	ID               string   `json:"id"`
	Number           string   `json:"number"`
	Status           string   `json:"status"`
	PaymentStatus    string   `json:"payment_status"`
	FulfilmentStatus string   `json:"fulfilment_status"`
	Tags             []string `json:"tags"`
	// Total is what an order costs that is in a list.
	Total Money `json:"total,omitzero"`
	// Lines are those of an order that was asked for by itself.
	Lines []LineProgress `json:"lines"`
	// Payments are what the order knows of them, a moment behind.
	Payments []OrderPayment `json:"payments"`
}

// OrderPayment is how much of a payment was moved.
type OrderPayment struct {
	ID         string `json:"id"`
	Authorised Money  `json:"authorised"`
	Captured   Money  `json:"captured"`
	Refunded   Money  `json:"refunded"`
}

// LineProgress is a line of an order, and how far its units are.
type LineProgress struct {
	ID        string `json:"id"`
	SKU       string `json:"sku"`
	Quantity  int    `json:"quantity"`
	Cancelled int    `json:"cancelled"`
	Shipped   int    `json:"shipped"`
	Delivered int    `json:"delivered"`
	Returned  int    `json:"returned"`
	UnitPrice Money  `json:"unit_price"`
	Total     Money  `json:"total"`
}

// Placed is the answer to placing an order.
type Placed struct {
	Order
	// CheckoutURL is set instead of an order where the payment's outcome is
	// not known yet: the path that will tell.
	CheckoutURL string
	// Replayed says that the key was used before: this is the first answer.
	Replayed bool
	// Position is that of the order in the log, for lists.
	Position uint64
}

// PlaceOrder places an order. The key makes a repeat harmless.
func (c *Client) PlaceOrder(ctx context.Context, key string, in PlaceOrder) (Placed, error) {
	return c.place(ctx, c.http.R(), "/v1/orders", key, in)
}

// place sends a request whose answer is an order or, where the payment's
// outcome is not known yet, a checkout: that has an id, too, which is no order's.
func (c *Client) place(ctx context.Context, request *resty.Request, path, key string, in any) (Placed, error) {
	var placed Placed
	response, err := c.send(ctx, request, http.MethodPost, path, key, in, &placed.Order)
	if response != nil {
		placed.Position, _ = strconv.ParseUint(response.Header().Get("X-Write-Position"), 10, 64)
		placed.Replayed = response.Header().Get("Idempotency-Replayed") == "true"
		if response.StatusCode() == http.StatusAccepted {
			placed.Order, placed.CheckoutURL = Order{}, response.Header().Get("Location")
		}
	}
	return placed, err
}

// OrderPage is one page of a list of orders.
type OrderPage struct {
	Orders []Order `json:"items"`
	Next   string  `json:"next_cursor"`
	// Count is how many there are on all pages, where the query has
	// count=estimate.
	Count *struct {
		Orders int64 `json:"orders"`
		Exact  bool  `json:"exact"` // otherwise two digits mean something
	} `json:"count"`
}

// Orders lists orders by the query parameters of GET /v1/orders.
func (c *Client) Orders(ctx context.Context, query url.Values) (OrderPage, error) {
	var page OrderPage
	_, err := c.do(ctx, http.MethodGet, "/v1/orders?"+query.Encode(), "", nil, &page)
	return page, err
}

// CreditNote is the body of POST /v1/credit-notes.
type CreditNote struct {
	Customer *Customer        `json:"customer,omitempty"`
	Currency string           `json:"currency"`
	Lines    []CreditNoteLine `json:"lines"`
	ShipTo   *Address         `json:"ship_to,omitempty"`
	External External         `json:"external"`
}

// CreditNoteLine is goods that came back; quantity and price are positive.
type CreditNoteLine struct {
	SKU       string `json:"sku"`
	Title     string `json:"title"`
	Quantity  int    `json:"quantity"`
	UnitPrice Money  `json:"unit_price"`
}

// RecordCreditNote records a credit note and reports whether the key was used
// before.
func (c *Client) RecordCreditNote(ctx context.Context, key string, in CreditNote) (replayed bool, err error) {
	response, err := c.do(ctx, http.MethodPost, "/v1/credit-notes", key, in, nil)
	return response != nil && response.Header().Get("Idempotency-Replayed") == "true", err
}
