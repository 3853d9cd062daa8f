package client

import (
	"context"
	"net/http"
	"net/url"
)

// Product is the body of POST /v1/products.
type Product struct {
	SKU    string  `json:"sku"`
	Title  string  `json:"title"`
	Prices []Money `json:"prices"`
}

// CreateProduct registers a product. Repeating it with the same content is
// harmless.
func (c *Client) CreateProduct(ctx context.Context, in Product) error {
	_, err := c.do(ctx, http.MethodPost, "/v1/products", "", in, nil)
	return err
}

// Receipt is goods that arrived at a location, of several SKUs.
type Receipt struct {
	// Ref names the receipt: the same one twice counts once.
	Ref   string        `json:"ref"`
	Lines []ReceiptLine `json:"lines"`
}

// ReceiptLine is how many pieces of a SKU arrived.
type ReceiptLine struct {
	SKU      string `json:"sku"`
	Quantity int    `json:"quantity"`
}

// ReceiveStock books a receipt.
func (c *Client) ReceiveStock(ctx context.Context, location string, in Receipt) error {
	_, err := c.do(ctx, http.MethodPost, "/v1/stock/"+url.PathEscape(location)+"/receipts", "", in, nil)
	return err
}

// StockLevel is how much of a SKU a location has.
type StockLevel struct {
	SKU       string `json:"sku"`
	Location  string `json:"location"`
	OnHand    int64  `json:"on_hand"`
	Reserved  int64  `json:"reserved"`
	Committed int64  `json:"committed"`
	Available int64  `json:"available"`
}

// Stock returns the level of one SKU.
func (c *Client) Stock(ctx context.Context, location, sku string) (StockLevel, error) {
	var level StockLevel
	_, err := c.do(ctx, http.MethodGet, "/v1/stock/"+url.PathEscape(location)+"/"+url.PathEscape(sku), "", nil, &level)
	return level, err
}
