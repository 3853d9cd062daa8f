package api

import (
	"context"
	"net/http"

	"github.com/waybill-dev/waybill/projections"
)

type listStockRequest struct {
	Fresh

	Limit  int    `query:"limit" default:"50" minimum:"1" maximum:"200" doc:"How many on a page."`
	Cursor string `query:"cursor" doc:"next_cursor of the page before." maxLength:"500"`
}

type listStockAnswer struct {
	Reached

	Link string `header:"Link"`
	Body stockListBody
}

// stockPlace is where a page of stock levels ended.
type stockPlace struct {
	SKU      string `json:"sku"`
	Location string `json:"location"`
}

const stockScope = "stock"

func (s *server) stockListRoutes() {
	register(s, route{
		id: "listStock", method: http.MethodGet, path: "/v1/stock", tag: "stock", scopes: readers(), status: http.StatusOK,
		summary: "List how much there is of everything", about: "By SKU and location. It may be a moment behind: GET /v1/stock/{location}/{sku} never is.",
		refuses: []string{kindBadCursor, kindBehind},
	}, s.listStock)
}

func (s *server) listStock(ctx context.Context, in *listStockRequest) (*listStockAnswer, error) {
	var after stockPlace
	if in.Cursor != "" {
		if err := s.cursors.decode(in.Cursor, stockScope, &after); err != nil {
			return nil, s.refuse(kindBadCursor, err.Error())
		}
	}
	reached, err := s.await(ctx, s.api.Levels.DB, in.Fresh)
	if err != nil {
		return nil, err
	}
	levels, err := s.api.Levels.List(ctx, after.SKU, after.Location, in.Limit+1)
	if err != nil {
		return nil, err
	}
	answer := &listStockAnswer{Reached: reached}
	if len(levels) > in.Limit {
		levels = levels[:in.Limit]
		last := levels[in.Limit-1]
		if answer.Body.Next, err = s.cursors.encode(stockScope, stockPlace{SKU: last.SKU, Location: last.Location}); err != nil {
			return nil, err
		}
		answer.Link = nextLink("/v1/stock", nil, in.Limit, answer.Body.Next)
	}
	answer.Body.Items = each(levels, func(l projections.StockLevel) stockBody {
		return stockBody{SKU: l.SKU, Location: l.Location, OnHand: l.OnHand, Reserved: l.Reserved, Committed: l.Committed, Available: l.Available}
	})
	return answer, nil
}
