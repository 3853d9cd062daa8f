package api

import (
	"context"
	"net/http"
	"time"

	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/projections"
)

type listOrdersRequest struct {
	Paging

	Q              string    `query:"q" doc:"Words that an order has, all of them: its number, SKUs, titles, tags and external_ref. Capitals and accents do not matter; a word with - before it leaves orders out. No personal data is searched: list a customer's orders by customer_id." maxLength:"200" example:"hanging heart -late"`
	Status         string    `query:"status" doc:"placed, on_hold, processing, partially_shipped, shipped, delivered, cancelling, cancelled, returned or completed." maxLength:"40"`
	PaymentStatus  string    `query:"payment_status" doc:"authorised, partially_captured, captured, partially_refunded, refunded, voided, expired or charged_back." maxLength:"40"`
	CustomerID     string    `query:"customer_id" maxLength:"200"`
	SKU            string    `query:"sku" doc:"Orders with a line of it." maxLength:"64"`
	Tag            string    `query:"tag" doc:"Orders that have it." maxLength:"200"`
	ExternalSource string    `query:"external_source" doc:"Orders that came about in this system." maxLength:"200"`
	ExternalRef    string    `query:"external_ref" doc:"Their name there." maxLength:"200"`
	PlacedFrom     givenTime `query:"placed_from" format:"date-time" doc:"This time included."`
	PlacedTo       givenTime `query:"placed_to" format:"date-time" doc:"This time excluded."`
	Count          string    `query:"count" enum:"estimate" doc:"estimate: also how many orders there are on all pages. Up to 10,000 are counted; beyond them it is estimated from how often the counted ones came."`
	Sort           string    `query:"sort" default:"-placed_at" enum:"-placed_at,placed_at" doc:"The newest first, or the oldest."`
}

func (in *listOrdersRequest) filter() projections.OrderFilter {
	return projections.OrderFilter{
		Status: in.Status, PaymentStatus: in.PaymentStatus, CustomerID: in.CustomerID, SKU: in.SKU, Tag: in.Tag, OldestFirst: in.Sort == oldestFirst,
		ExternalSource: in.ExternalSource, ExternalRef: in.ExternalRef, PlacedFrom: in.PlacedFrom.Time, PlacedTo: in.PlacedTo.Time,
	}
}

// values is the query without its cursor: what a cursor is good for.
func (in *listOrdersRequest) values() map[string]string {
	values := map[string]string{
		"q":      in.Q,
		"status": in.Status, "payment_status": in.PaymentStatus, "customer_id": in.CustomerID, "sku": in.SKU, "tag": in.Tag,
		"external_source": in.ExternalSource, "external_ref": in.ExternalRef,
		"placed_from": timeText(in.PlacedFrom.Time), "placed_to": timeText(in.PlacedTo.Time),
	}
	if in.Sort == oldestFirst {
		values["sort"] = in.Sort
	}
	return values
}

const oldestFirst = "placed_at"

func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

type listOrdersAnswer struct {
	Reached

	Link string `header:"Link"`
	Body orderListBody
}

type orderListBody struct {
	Items []orderSummaryBody `json:"items" nullable:"false"`
	Next  string             `json:"next_cursor,omitempty" doc:"Missing on the last page."`
	Count *countBody         `json:"count,omitempty" doc:"Where it was asked for."`
}

type countBody struct {
	Orders int64 `json:"orders" doc:"On all pages, whichever this one is."`
	Exact  bool  `json:"exact" doc:"They were counted. Otherwise two digits mean something."`
}

// countedOneByOne is how many orders of a list are counted before the rest is
// estimated.
const countedOneByOne = 10_000

// countBodyOf is what a list says of its length, if that was asked for.
func (in *listOrdersRequest) countBodyOf(count func() (projections.Count, error)) (*countBody, error) {
	if in.Count == "" {
		return nil, nil
	}
	c, err := count()
	if err != nil {
		return nil, err
	}
	return &countBody{Orders: c.Rows, Exact: c.Exact}, nil
}

type orderSummaryBody struct {
	ID               string        `json:"id"`
	Number           string        `json:"number" example:"100017"`
	Status           string        `json:"status" example:"placed"`
	PaymentStatus    string        `json:"payment_status" example:"authorised"`
	FulfilmentStatus string        `json:"fulfilment_status" example:"unfulfilled"`
	HoldReason       string        `json:"hold_reason,omitempty" doc:"Why it is held; the last of several reasons." example:"fraud"`
	Tags             []string      `json:"tags" nullable:"false"`
	CustomerID       string        `json:"customer_id"`
	Total            money         `json:"total"`
	Captured         money         `json:"captured"`
	Refunded         money         `json:"refunded"`
	LineCount        int           `json:"line_count"`
	ShipTo           *countryBody  `json:"ship_to,omitempty"`
	External         *externalBody `json:"external,omitempty"`
	PlacedAt         time.Time     `json:"placed_at"`
	UpdatedAt        time.Time     `json:"updated_at"`
}

func orderSummaryOf(row projections.OrderRow) orderSummaryBody {
	body := orderSummaryBody{
		ID: row.OrderID, Number: row.Number, Status: row.Status, PaymentStatus: row.PaymentStatus, FulfilmentStatus: row.FulfilmentStatus,
		CustomerID: row.CustomerID, Total: moneyOf(row.Totals.Grand), LineCount: row.LineCount, PlacedAt: row.PlacedAt, UpdatedAt: row.UpdatedAt,
		External: externalBodyOf(row.External), HoldReason: row.HoldReason, Tags: append([]string{}, row.Tags...),
		Captured: moneyOf(row.Captured), Refunded: moneyOf(row.Refunded),
	}
	if row.ShipToCountry != "" {
		body.ShipTo = &countryBody{Country: row.ShipToCountry}
	}
	return body
}

func externalBodyOf(e order.External) *externalBody {
	if e == (order.External{}) {
		return nil
	}
	return &externalBody{Source: e.Source, Ref: e.Ref, Time: e.Time}
}

func (s *server) orderListRoutes() {
	register(s, route{
		id: "listOrders", method: http.MethodGet, path: "/v1/orders", tag: "orders", scopes: []apikey.Scope{apikey.OrdersRead}, status: http.StatusOK,
		summary: "List orders", about: "The newest first, unless asked otherwise. An order of this moment may be missing: GET /v1/orders/{id} never is behind. A page of a search may hold fewer than asked for, or none, where an order changes meanwhile: next_cursor tells whether there are more.",
		refuses: []string{kindBadCursor, kindBehind},
	}, s.listOrders)
}

func (s *server) listOrders(ctx context.Context, in *listOrdersRequest) (*listOrdersAnswer, error) {
	if in.Q != "" {
		return s.searchOrders(ctx, in)
	}
	p, err := list[timePlace, projections.OrderRow, orderSummaryBody]{
		pages: s.paged("/v1/orders", in.Paging, in.values()),
		model: s.api.Orders.DB,
		rows: func(ctx context.Context, after *timePlace, limit int) ([]projections.OrderRow, error) {
			key := keyOf(after, func(at timePlace) projections.OrderKey {
				return projections.OrderKey{PlacedAt: at.time(), OrderID: at.IDs[0]}
			})
			return s.api.Orders.List(ctx, in.filter(), key, limit)
		},
		place: func(r projections.OrderRow) timePlace { return placeAt(r.PlacedAt, r.OrderID) },
		body:  orderSummaryOf,
	}.read(ctx)
	if err != nil {
		return nil, err
	}
	answer := &listOrdersAnswer{Reached: p.Reached, Link: p.Link, Body: orderListBody{Items: p.Body.Items, Next: p.Body.Next}}
	answer.Body.Count, err = in.countBodyOf(func() (projections.Count, error) { return s.api.Orders.Count(ctx, in.filter(), countedOneByOne) })
	return answer, err
}
