package api

import (
	"context"
	"net/http"
	"net/url"

	"github.com/waybill-dev/waybill/projections"
)

type listStockRequest struct {
	Fresh

	SKU      string `query:"sku" doc:"Only of this SKU." maxLength:"64" example:"MUG-1"`
	Location string `query:"location" doc:"Only at this location." maxLength:"64" example:"main"`
	Limit    int    `query:"limit" default:"50" minimum:"1" maximum:"200" doc:"How many on a page."`
	Cursor   string `query:"cursor" doc:"next_cursor of the page before, with the same filters." maxLength:"500"`
}

// filters are the filters as a query.
func (in *listStockRequest) filters() url.Values {
	filters := url.Values{}
	for name, value := range map[string]string{"sku": in.SKU, "location": in.Location} {
		if value != "" {
			filters.Set(name, value)
		}
	}
	return filters
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
	filters := in.filters()
	scope := "stock?" + filters.Encode()
	var after stockPlace
	if in.Cursor != "" {
		if err := s.cursors.decode(in.Cursor, scope, &after); err != nil {
			return nil, s.refuse(kindBadCursor, err.Error())
		}
	}
	reached, err := s.await(ctx, s.api.Levels.DB, in.Fresh)
	if err != nil {
		return nil, err
	}
	levels, err := s.api.Levels.List(ctx, projections.StockFilter{SKU: in.SKU, Location: in.Location}, after.SKU, after.Location, in.Limit+1)
	if err != nil {
		return nil, err
	}
	answer := &listStockAnswer{Reached: reached}
	if len(levels) > in.Limit {
		levels = levels[:in.Limit]
		last := levels[in.Limit-1]
		if answer.Body.Next, err = s.cursors.encode(scope, stockPlace{SKU: last.SKU, Location: last.Location}); err != nil {
			return nil, err
		}
		answer.Link = nextLink("/v1/stock", filters, in.Limit, answer.Body.Next)
	}
	answer.Body.Items = each(levels, stockItemListed)
	return answer, nil
}

func stockItemListed(l projections.StockLevel) stockItemBody {
	return stockItemBody{
		stockBody: stockBody{SKU: l.SKU, Location: l.Location, OnHand: l.OnHand, Reserved: l.Reserved, Committed: l.Committed, Available: l.Available},
		Policy:    string(l.Policy), BackorderLimit: l.BackorderLimit, Shortfall: max(-l.Available, 0),
	}
}
