package api

import (
	"context"
	"net/http"

	"github.com/waybill-dev/waybill/projections"
)

type listProductsRequest struct {
	Paging

	Status string `query:"status" enum:"active,withdrawn" doc:"Only those."`
}

type listProductsAnswer struct {
	Reached

	Link string `header:"Link"`
	Body productListBody
}

type productListBody struct {
	Items []productBody `json:"items" nullable:"false"`
	Next  string        `json:"next_cursor,omitempty" doc:"Missing on the last page."`
}

// productPlace is where a page of products ended.
type productPlace struct {
	SKU string `json:"sku"`
}

func (s *server) productListRoutes() {
	register(s, route{
		id: "listProducts", method: http.MethodGet, path: "/v1/products", tag: "catalogue", scopes: readers(), status: http.StatusOK,
		summary: "List the catalogue", about: "By SKU. It may be a moment behind: GET /v1/products/{sku} never is.",
		refuses: []string{kindBadCursor, kindBehind},
	}, s.listProducts)
}

func (s *server) listProducts(ctx context.Context, in *listProductsRequest) (*listProductsAnswer, error) {
	p, err := list[productPlace, projections.Product, productBody]{
		pages: s.paged("/v1/products", in.Paging, map[string]string{"status": in.Status}),
		model: s.api.Products.DB,
		rows: func(ctx context.Context, after *productPlace, limit int) ([]projections.Product, error) {
			place := orFirst(after)
			return s.api.Products.List(ctx, projections.ProductStatus(in.Status), place.SKU, limit)
		},
		place: func(p projections.Product) productPlace { return productPlace{p.SKU} },
		body: func(p projections.Product) productBody {
			return productBody{SKU: p.SKU, Title: p.Title, Status: string(p.Status), Prices: each(p.Prices, priceBodyOf)}
		},
	}.read(ctx)
	return &listProductsAnswer{Reached: p.Reached, Link: p.Link, Body: productListBody(p.Body)}, err
}
