package client

import (
	"context"
	"net/http"
	"net/url"
)

// StockPolicy is how much may be promised beyond what is on hand: deny, or
// backorder with a limit.
type StockPolicy struct {
	Policy         string `json:"policy"`
	BackorderLimit int    `json:"backorder_limit,omitempty"`
}

// SetStockPolicy says how much of an item may be promised.
func (c *Client) SetStockPolicy(ctx context.Context, location, sku string, how Change, in StockPolicy) (StockLevel, error) {
	return c.changeStock(ctx, http.MethodPut, stockPath(location, sku), how, in)
}

// Adjustment corrects what is on hand, for a reason that is a word. One with the
// same Ref counts once.
type Adjustment struct {
	Delta  int    `json:"delta"`
	Reason string `json:"reason"`
	Ref    string `json:"ref,omitempty"`
}

// AdjustStock corrects what is on hand.
func (c *Client) AdjustStock(ctx context.Context, location, sku string, how Change, in Adjustment) (StockLevel, error) {
	return c.changeStock(ctx, http.MethodPost, stockPath(location, sku)+"/adjust", how, in)
}

// ReceiveItem records units that arrived. A delivery with the same ref counts
// once.
func (c *Client) ReceiveItem(ctx context.Context, location, sku string, how Change, quantity int, ref string) (StockLevel, error) {
	return c.changeStock(ctx, http.MethodPost, stockPath(location, sku)+"/receive", how, struct {
		Quantity int    `json:"quantity"`
		Ref      string `json:"ref,omitempty"`
	}{quantity, ref})
}

func stockPath(location, sku string) string {
	return "/v1/stock/" + url.PathEscape(location) + "/" + url.PathEscape(sku)
}

func (c *Client) changeStock(ctx context.Context, method, path string, how Change, in any) (level StockLevel, err error) {
	_, err = c.send(ctx, c.http.R().SetHeader("If-Match", how.match()), method, path, how.Key, in, &level)
	return level, err
}
