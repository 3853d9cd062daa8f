package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/go-resty/resty/v2"
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

// ListedProduct is a product as it is in the catalogue.
type ListedProduct struct {
	SKU    string  `json:"sku"`
	Title  string  `json:"title"`
	Status string  `json:"status"` // active or withdrawn
	Prices []Price `json:"prices"`
	// ETag is for the next change; lists have none.
	ETag string `json:"-"`
}

// Price is what one unit costs.
type Price struct {
	Money

	// Region is the country of orders that cost this; empty is all others.
	Region string `json:"region,omitempty"`
}

// Product returns a product of the catalogue.
func (c *Client) Product(ctx context.Context, sku string) (ListedProduct, error) {
	return c.product(ctx, c.http.R(), http.MethodGet, sku, "", nil)
}

// ChangePrice sets the price for a currency and region. ifMatch is the ETag it
// was decided on; empty is whatever it is now. So it is with all changes.
func (c *Client) ChangePrice(ctx context.Context, sku, ifMatch string, in Price) (ListedProduct, error) {
	return c.changeProduct(ctx, http.MethodPut, sku, "/price", ifMatch, in)
}

// ChangeTitle sets the title of a product.
func (c *Client) ChangeTitle(ctx context.Context, sku, ifMatch, title string) (ListedProduct, error) {
	return c.changeProduct(ctx, http.MethodPut, sku, "/title", ifMatch, map[string]string{"title": title})
}

// WithdrawProduct stops orders of a product.
func (c *Client) WithdrawProduct(ctx context.Context, sku, ifMatch string) (ListedProduct, error) {
	return c.changeProduct(ctx, http.MethodPost, sku, "/withdraw", ifMatch, nil)
}

// RelistProduct lets a withdrawn product be ordered again.
func (c *Client) RelistProduct(ctx context.Context, sku, ifMatch string) (ListedProduct, error) {
	return c.changeProduct(ctx, http.MethodPost, sku, "/relist", ifMatch, nil)
}

func (c *Client) changeProduct(ctx context.Context, method, sku, what, ifMatch string, in any) (ListedProduct, error) {
	request := c.http.R()
	if ifMatch != "" {
		request.SetHeader("If-Match", ifMatch)
	}
	return c.product(ctx, request, method, sku, what, in)
}

func (c *Client) product(ctx context.Context, request *resty.Request, method, sku, what string, in any) (ListedProduct, error) {
	var product ListedProduct
	response, err := c.send(ctx, request, method, "/v1/products/"+url.PathEscape(sku)+what, "", in, &product)
	if err != nil {
		return product, err
	}
	product.ETag = response.Header().Get("ETag")
	return product, nil
}

// ProductPage is a page of the catalogue.
type ProductPage struct {
	Items []ListedProduct `json:"items"`
	// Next is the cursor of the next page; empty on the last one.
	Next string `json:"next_cursor"`
}

// Products lists the catalogue: status, limit, cursor and min_position, all of
// them optional.
func (c *Client) Products(ctx context.Context, query url.Values) (ProductPage, error) {
	var page ProductPage
	_, err := c.do(ctx, http.MethodGet, "/v1/products?"+query.Encode(), "", nil, &page)
	return page, err
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

// StockItem is a level, and how much may be promised.
type StockItem struct {
	StockLevel

	Policy         string `json:"policy"` // deny or backorder
	BackorderLimit int64  `json:"backorder_limit"`
	Shortfall      int64  `json:"shortfall"` // units that are promised and will not be there
}

// StockPage is a page of stock items.
type StockPage struct {
	Items []StockItem `json:"items"`
	// Next is the cursor of the next page; empty on the last one.
	Next string `json:"next_cursor"`
}

// StockItems lists stock: sku, location, limit, cursor and min_position, all of
// them optional.
func (c *Client) StockItems(ctx context.Context, query url.Values) (StockPage, error) {
	var page StockPage
	_, err := c.do(ctx, http.MethodGet, "/v1/stock?"+query.Encode(), "", nil, &page)
	return page, err
}

// Stock returns the level of one SKU.
func (c *Client) Stock(ctx context.Context, location, sku string) (StockLevel, error) {
	var level StockLevel
	_, err := c.do(ctx, http.MethodGet, "/v1/stock/"+url.PathEscape(location)+"/"+url.PathEscape(sku), "", nil, &level)
	return level, err
}
