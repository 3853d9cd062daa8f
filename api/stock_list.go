package api

import (
	"context"
	"net/http"

	"github.com/waybill-dev/waybill/projections"
)

type listStockRequest struct {
	Paging

	SKU      string `query:"sku" doc:"Only of this SKU." maxLength:"64" example:"MUG-1"`
	Location string `query:"location" doc:"Only at this location." maxLength:"64" example:"main"`
}

type listStockAnswer struct {
	Reached

	Link string `header:"Link"`
	Body stockPageBody
}

type stockPageBody struct {
	Items []stockItemBody `json:"items" nullable:"false"`
	Next  string          `json:"next_cursor,omitempty" doc:"Missing on the last page."`
}

// stockPlace is where a page of stock levels ended.
type stockPlace struct {
	SKU      string `json:"sku"`
	Location string `json:"location"`
}

func (s *server) stockListRoutes() {
	register(s, route{
		id: "listStock", method: http.MethodGet, path: "/v1/stock", tag: "stock", scopes: readers(), status: http.StatusOK,
		summary: "List how much there is of everything, or of a SKU, or at a location", about: "By SKU and location. It may be a moment behind: GET /v1/stock/{location}/{sku} never is.",
		refuses: []string{kindBadCursor, kindBehind},
	}, s.listStock)
}

func (s *server) listStock(ctx context.Context, in *listStockRequest) (*listStockAnswer, error) {
	p, err := list[stockPlace, projections.StockLevel, stockItemBody]{
		pages: s.paged("/v1/stock", in.Paging, map[string]string{"sku": in.SKU, "location": in.Location}),
		model: s.api.Levels.DB,
		rows: func(ctx context.Context, after *stockPlace, limit int) ([]projections.StockLevel, error) {
			place := orFirst(after)
			return s.api.Levels.List(ctx, projections.StockFilter{SKU: in.SKU, Location: in.Location}, place.SKU, place.Location, limit)
		},
		place: func(l projections.StockLevel) stockPlace { return stockPlace{SKU: l.SKU, Location: l.Location} },
		body:  stockItemListed,
	}.read(ctx)
	return &listStockAnswer{Reached: p.Reached, Link: p.Link, Body: stockPageBody(p.Body)}, err
}

func stockItemListed(l projections.StockLevel) stockItemBody {
	return stockItemBody{
		stockBody: stockBody{SKU: l.SKU, Location: l.Location, OnHand: l.OnHand, Reserved: l.Reserved, Committed: l.Committed, Available: l.Available},
		Policy:    string(l.Policy), BackorderLimit: l.BackorderLimit, Shortfall: max(-l.Available, 0),
	}
}
