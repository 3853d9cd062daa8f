package api

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/projections"
)

// longestSales is how many days are added up at most: ten years and a bit.
const longestSales = 3_700

type salesRequest struct {
	Fresh

	From     string   `query:"from" required:"true" format:"date" maxLength:"10" doc:"The first day, of UTC." example:"2026-01-01"`
	To       string   `query:"to" required:"true" format:"date" maxLength:"10" doc:"The last day, which is included. At most ten years later." example:"2026-01-31"`
	Currency string   `query:"currency" pattern:"^[A-Z]{3}$" doc:"Only of this currency (ISO 4217)." example:"EUR"`
	GroupBy  []string `query:"group_by" enum:"day,month,country,sku" maxItems:"4" doc:"What sums are by, one or several with commas between; by day if missing. They are always by currency too."`
	Limit    int      `query:"limit" default:"200" minimum:"1" maximum:"1000" doc:"How many on a page."`
	Cursor   string   `query:"cursor" doc:"next_cursor of the page before, with the same parameters." maxLength:"500"`
}

// values is the query without its cursor: what a cursor is good for.
func (in *salesRequest) values() url.Values {
	values := url.Values{"from": {in.From}, "to": {in.To}}
	if in.Currency != "" {
		values.Set("currency", in.Currency)
	}
	if len(in.GroupBy) > 0 {
		values.Set("group_by", strings.Join(in.GroupBy, ","))
	}
	return values
}

type salesAnswer struct {
	Reached

	Link string `header:"Link"`
	Body salesBody
}

type salesBody struct {
	Items []salesRowBody `json:"items" nullable:"false"`
	Next  string         `json:"next_cursor,omitempty" doc:"Missing on the last page."`
}

type salesRowBody struct {
	Month    string  `json:"month,omitempty" doc:"If grouped by it." example:"2026-01"`
	Day      string  `json:"day,omitempty" doc:"If grouped by it." example:"2026-01-31"`
	Currency string  `json:"currency" example:"EUR"`
	Country  *string `json:"country,omitempty" doc:"If grouped by it: where the goods go, empty if that is not known." example:"GB"`
	SKU      string  `json:"sku,omitempty" doc:"If grouped by it." example:"MUG-1"`
	Orders   int64   `json:"orders" doc:"Orders with units that are not cancelled. By SKU, an order counts for each of its SKUs."`
	Units    int64   `json:"units" doc:"Ordered, as edited, and not cancelled. Units that came back stay in it."`
	Returned int64   `json:"returned" doc:"Units that came back."`
	Gross    money   `json:"gross" doc:"What the units cost, before discount, tax and shipping."`
	Discount money   `json:"discount"`
	Refunds  money   `json:"refunds" doc:"Money that went back, with what it holds of tax and shipping, but for cancellations and edits: those units are not in gross either. Split by what the lines cost, unless the refund says for which units it is."`
	Net      money   `json:"net" doc:"Gross less discount and refunds."`
}

func (s *server) salesRoutes() {
	register(s, route{
		id: "getSales", method: http.MethodGet, path: "/v1/analytics/sales", tag: "analytics", scopes: []apikey.Scope{apikey.OrdersRead}, status: http.StatusOK,
		summary: "Add up what was sold",
		about: "Everything that happens to an order counts for the day it was placed, or where it began elsewhere the day it began there. " +
			"In the order of month, day, currency, country and SKU. The last moment may be missing. Credit notes are not in it.",
		refuses: []string{kindBadCursor, kindBehind},
	}, s.getSales)
}

// salesPlace is where a page of sums ended.
type salesPlace struct {
	Month    string `json:"m,omitempty"`
	Day      string `json:"d,omitempty"`
	Currency string `json:"c"`
	Country  string `json:"n,omitempty"`
	SKU      string `json:"s,omitempty"`
}

// filter reads the parameters that a schema cannot judge.
func (s *server) salesFilter(in *salesRequest) (f projections.SalesFilter, err error) {
	f.Currency = in.Currency
	if f.From, err = time.Parse(time.DateOnly, in.From); err != nil {
		return f, s.wrongParameter("query.from", "a day is YYYY-MM-DD")
	}
	if f.To, err = time.Parse(time.DateOnly, in.To); err != nil {
		return f, s.wrongParameter("query.to", "a day is YYYY-MM-DD")
	}
	if days := f.To.Sub(f.From) / (24 * time.Hour); days < 0 {
		return f, s.wrongParameter("query.to", "it is before from")
	} else if days >= longestSales {
		return f, s.wrongParameter("query.to", "that is more than ten years")
	}
	for i, by := range in.GroupBy {
		if slices.Contains(in.GroupBy[:i], by) {
			return f, s.wrongParameter("query.group_by", by+" is there twice")
		}
		f.By = append(f.By, projections.SalesGroup(by))
	}
	if len(f.By) == 0 {
		f.By = []projections.SalesGroup{projections.SalesByDay}
	}
	return f, nil
}

func (s *server) getSales(ctx context.Context, in *salesRequest) (*salesAnswer, error) {
	filter, err := s.salesFilter(in)
	if err != nil {
		return nil, err
	}
	byCountry := slices.Contains(filter.By, projections.SalesByCountry)
	p, err := list[salesPlace, projections.SalesRow, salesRowBody]{
		pages: pager{server: s, path: "/v1/analytics/sales", filters: in.values(), in: Paging{Fresh: in.Fresh, Limit: in.Limit, Cursor: in.Cursor}},
		model: s.api.Sales.DB,
		rows: func(ctx context.Context, after *salesPlace, limit int) ([]projections.SalesRow, error) {
			place := orFirst(after)
			row := projections.SalesRow{Month: place.Month, Day: place.Day, Currency: place.Currency, Country: place.Country, SKU: place.SKU}
			return s.api.Sales.Sum(ctx, filter, row, limit)
		},
		place: func(r projections.SalesRow) salesPlace {
			return salesPlace{r.Month, r.Day, r.Currency, r.Country, r.SKU}
		},
		body: func(r projections.SalesRow) salesRowBody { return salesRowOf(r, byCountry) },
	}.read(ctx)
	return &salesAnswer{Reached: p.Reached, Link: p.Link, Body: salesBody(p.Body)}, err
}

func salesRowOf(r projections.SalesRow, byCountry bool) salesRowBody {
	body := salesRowBody{
		Month: r.Month, Day: r.Day, Currency: r.Currency, SKU: r.SKU, Orders: r.Orders, Units: r.Units, Returned: r.Returned,
		Gross: moneyOf(r.Gross), Discount: moneyOf(r.Discount), Refunds: moneyOf(r.Refunds), Net: moneyOf(r.Net),
	}
	if byCountry {
		body.Country = &r.Country
	}
	return body
}
