package client

import (
	"context"
	"net/http"
	"net/url"
)

// Sales is a sum of what was sold; which of its texts are set depends on what
// it is grouped by.
type Sales struct {
	Month    string `json:"month"`
	Day      string `json:"day"`
	Currency string `json:"currency"`
	Country  string `json:"country"`
	SKU      string `json:"sku"`
	Orders   int64  `json:"orders"`
	Units    int64  `json:"units"`
	Returned int64  `json:"returned"`
	Gross    Money  `json:"gross"`
	Discount Money  `json:"discount"`
	Refunds  Money  `json:"refunds"`
	Net      Money  `json:"net"`
}

// SalesPage is one page of sums.
type SalesPage struct {
	Sales []Sales `json:"items"`
	Next  string  `json:"next_cursor"`
}

// Sales adds up what was sold by the query parameters of
// GET /v1/analytics/sales, of which from and to are required.
func (c *Client) Sales(ctx context.Context, query url.Values) (SalesPage, error) {
	var page SalesPage
	_, err := c.do(ctx, http.MethodGet, "/v1/analytics/sales?"+query.Encode(), "", nil, &page)
	return page, err
}
