package api

import (
	"context"
	"net/http"
	"net/url"

	"github.com/waybill-dev/waybill/projections"
)

type listProductsRequest struct {
	Fresh

	Status string `query:"status" enum:"active,withdrawn" doc:"Only those."`
	Limit  int    `query:"limit" default:"50" minimum:"1" maximum:"200" doc:"How many on a page."`
	Cursor string `query:"cursor" doc:"next_cursor of the page before, with the same status." maxLength:"500"`
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
	scope := "products?status=" + in.Status
	var after productPlace
	if in.Cursor != "" {
		if err := s.cursors.decode(in.Cursor, scope, &after); err != nil {
			return nil, s.refuse(kindBadCursor, err.Error())
		}
	}
	reached, err := s.await(ctx, s.api.Products.DB, in.Fresh)
	if err != nil {
		return nil, err
	}
	rows, err := s.api.Products.List(ctx, projections.ProductStatus(in.Status), after.SKU, in.Limit+1)
	if err != nil {
		return nil, err
	}
	answer := &listProductsAnswer{Reached: reached}
	if len(rows) > in.Limit {
		rows = rows[:in.Limit]
		if answer.Body.Next, err = s.cursors.encode(scope, productPlace{rows[in.Limit-1].SKU}); err != nil {
			return nil, err
		}
		filters := url.Values{}
		if in.Status != "" {
			filters.Set("status", in.Status)
		}
		answer.Link = nextLink("/v1/products", filters, in.Limit, answer.Body.Next)
	}
	answer.Body.Items = each(rows, func(p projections.Product) productBody {
		return productBody{SKU: p.SKU, Title: p.Title, Status: string(p.Status), Prices: each(p.Prices, priceBodyOf)}
	})
	return answer, nil
}
