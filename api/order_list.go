package api

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/projections"
)

type listOrdersRequest struct {
	Fresh

	Q              string    `query:"q" doc:"Words that an order has, all of them: its number, SKUs, titles, tags and external_ref. Capitals and accents do not matter; a word with - before it leaves orders out. No personal data is searched: list a customer's orders by customer_id." maxLength:"200" example:"hanging heart -late"`
	Status         string    `query:"status" doc:"placed, on_hold, processing, partially_shipped, shipped, delivered, cancelling, cancelled, returned or completed." maxLength:"40"`
	PaymentStatus  string    `query:"payment_status" doc:"authorised, partially_captured, captured, partially_refunded, refunded, voided, expired or charged_back." maxLength:"40"`
	CustomerID     string    `query:"customer_id" maxLength:"200"`
	SKU            string    `query:"sku" doc:"Orders with a line of it." maxLength:"64"`
	Tag            string    `query:"tag" doc:"Orders that have it." maxLength:"200"`
	ExternalSource string    `query:"external_source" doc:"Orders that came about in this system." maxLength:"200"`
	ExternalRef    string    `query:"external_ref" doc:"Their name there." maxLength:"200"`
	PlacedFrom     time.Time `query:"placed_from" doc:"This time included."`
	PlacedTo       time.Time `query:"placed_to" doc:"This time excluded."`
	Sort           string    `query:"sort" default:"-placed_at" enum:"-placed_at,placed_at" doc:"The newest first, or the oldest."`
	Limit          int       `query:"limit" default:"50" minimum:"1" maximum:"200" doc:"How many on a page."`
	Cursor         string    `query:"cursor" doc:"next_cursor of the page before, with the same filters." maxLength:"500"`
}

func (in *listOrdersRequest) filter() projections.OrderFilter {
	return projections.OrderFilter{
		Status: in.Status, PaymentStatus: in.PaymentStatus, CustomerID: in.CustomerID, SKU: in.SKU, Tag: in.Tag, OldestFirst: in.Sort == oldestFirst,
		ExternalSource: in.ExternalSource, ExternalRef: in.ExternalRef, PlacedFrom: in.PlacedFrom, PlacedTo: in.PlacedTo,
	}
}

// values is the query without its cursor: what a cursor is good for.
func (in *listOrdersRequest) values() url.Values {
	values := url.Values{}
	for name, value := range map[string]string{
		"q":      in.Q,
		"status": in.Status, "payment_status": in.PaymentStatus, "customer_id": in.CustomerID, "sku": in.SKU, "tag": in.Tag,
		"external_source": in.ExternalSource, "external_ref": in.ExternalRef,
		"placed_from": timeText(in.PlacedFrom), "placed_to": timeText(in.PlacedTo),
	} {
		if value != "" {
			values.Set(name, value)
		}
	}
	if in.Sort == oldestFirst {
		values.Set("sort", in.Sort)
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

// orderPlace is where a page of orders ended.
type orderPlace struct {
	At int64  `json:"at"` // milliseconds since 1970
	ID string `json:"id"`
}

func (s *server) listOrders(ctx context.Context, in *listOrdersRequest) (*listOrdersAnswer, error) {
	if in.Q != "" {
		return s.searchOrders(ctx, in)
	}
	values := in.values()
	scope := "orders?" + values.Encode()
	var after *projections.OrderKey
	if in.Cursor != "" {
		var place orderPlace
		if err := s.cursors.decode(in.Cursor, scope, &place); err != nil {
			return nil, s.refuse(kindBadCursor, err.Error())
		}
		after = &projections.OrderKey{PlacedAt: time.UnixMilli(place.At), OrderID: place.ID}
	}
	reached, err := s.await(ctx, s.api.Orders.DB, in.Fresh)
	if err != nil {
		return nil, err
	}
	rows, err := s.api.Orders.List(ctx, in.filter(), after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	answer := &listOrdersAnswer{Reached: reached}
	if len(rows) > in.Limit {
		rows = rows[:in.Limit]
		last := rows[in.Limit-1]
		if answer.Body.Next, err = s.cursors.encode(scope, orderPlace{At: last.PlacedAt.UnixMilli(), ID: last.OrderID}); err != nil {
			return nil, err
		}
		answer.Link = nextLink("/v1/orders", values, in.Limit, answer.Body.Next)
	}
	answer.Body.Items = each(rows, orderSummaryOf)
	return answer, nil
}
