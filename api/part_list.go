package api

import (
	"context"
	"net/http"
	"time"

	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/projections"
)

type listShipmentsRequest struct {
	Paging

	Status      string    `query:"status" enum:"shipped,delivered,failed" doc:"failed: it could not be delivered, so far."`
	OrderID     string    `query:"order_id" maxLength:"200"`
	Carrier     string    `query:"carrier" maxLength:"200"`
	Tracking    string    `query:"tracking" doc:"The carrier's number of the parcel." maxLength:"200"`
	ShippedFrom givenTime `query:"shipped_from" format:"date-time" doc:"This time included."`
	ShippedTo   givenTime `query:"shipped_to" format:"date-time" doc:"This time excluded."`
}

type listShipmentsAnswer struct {
	Reached

	Link string `header:"Link"`
	Body shipmentListBody
}

type shipmentListBody struct {
	Items []listedShipmentBody `json:"items" nullable:"false"`
	Next  string               `json:"next_cursor,omitempty" doc:"Missing on the last page."`
}

type listedShipmentBody struct {
	OrderID     string            `json:"order_id"`
	ID          string            `json:"id" doc:"Unique within its order."`
	Status      string            `json:"status" enum:"shipped,delivered,failed"`
	Carrier     string            `json:"carrier,omitempty"`
	Tracking    string            `json:"tracking,omitempty"`
	Units       int               `json:"units" doc:"Of all lines."`
	Lines       []listedUnitsBody `json:"lines" nullable:"false"`
	Failure     string            `json:"failure,omitempty" doc:"Why it could not be delivered."`
	ShippedAt   time.Time         `json:"shipped_at"`
	DeliveredAt *time.Time        `json:"delivered_at,omitempty"`
	ChangedAt   time.Time         `json:"changed_at"`
}

type listedUnitsBody struct {
	LineID   string `json:"line_id"`
	Quantity int    `json:"quantity"`
	Reason   string `json:"reason,omitempty" doc:"Of a return: why they are to come back."`
}

type listReturnsRequest struct {
	Paging

	Status        string    `query:"status" enum:"requested,received,rejected"`
	OrderID       string    `query:"order_id" maxLength:"200"`
	RequestedFrom givenTime `query:"requested_from" format:"date-time" doc:"This time included."`
	RequestedTo   givenTime `query:"requested_to" format:"date-time" doc:"This time excluded."`
}

type listReturnsAnswer struct {
	Reached

	Link string `header:"Link"`
	Body returnListBody
}

type returnListBody struct {
	Items []listedReturnBody `json:"items" nullable:"false"`
	Next  string             `json:"next_cursor,omitempty" doc:"Missing on the last page."`
}

type listedReturnBody struct {
	OrderID     string            `json:"order_id"`
	ID          string            `json:"id" doc:"Unique within its order."`
	Status      string            `json:"status" enum:"requested,received,rejected"`
	Kind        string            `json:"kind" enum:"refund,exchange"`
	Units       int               `json:"units" doc:"That are to come back."`
	Received    int               `json:"received" doc:"Units that came."`
	Lines       []listedUnitsBody `json:"lines" nullable:"false" doc:"As they were announced."`
	Reason      string            `json:"reason,omitempty" doc:"Why it was rejected."`
	RequestedAt time.Time         `json:"requested_at"`
	ChangedAt   time.Time         `json:"changed_at"`
}

func (s *server) partListRoutes() {
	scopes := []apikey.Scope{apikey.OrdersRead}
	refuses := []string{kindBadCursor, kindBehind}
	register(s, route{
		id: "listShipments", method: http.MethodGet, path: "/v1/shipments", tag: "orders", scopes: scopes, status: http.StatusOK,
		summary: "List parcels of all orders", about: "Those that left last first. The last moment may be missing.", refuses: refuses,
	}, s.listShipments)
	register(s, route{
		id: "listReturns", method: http.MethodGet, path: "/v1/returns", tag: "orders", scopes: scopes, status: http.StatusOK,
		summary: "List returns of all orders", about: "Those that were asked for last first. The last moment may be missing.", refuses: refuses,
	}, s.listReturns)
}

func partAfter(place *timePlace) *projections.PartKey {
	if place == nil {
		return nil
	}
	return &projections.PartKey{At: place.time(), OrderID: place.IDs[0], ID: place.IDs[1]}
}

func (s *server) listShipments(ctx context.Context, in *listShipmentsRequest) (*listShipmentsAnswer, error) {
	filter := projections.PartFilter{OrderID: in.OrderID, Status: in.Status, Carrier: in.Carrier, Tracking: in.Tracking, From: in.ShippedFrom.Time, To: in.ShippedTo.Time}
	p, err := list[timePlace, projections.ShipmentRow, listedShipmentBody]{
		pages: s.paged("/v1/shipments", in.Paging, map[string]string{
			"status": in.Status, "order_id": in.OrderID, "carrier": in.Carrier, "tracking": in.Tracking,
			"shipped_from": timeText(in.ShippedFrom.Time), "shipped_to": timeText(in.ShippedTo.Time),
		}),
		model: s.api.Orders.DB,
		rows: func(ctx context.Context, after *timePlace, limit int) ([]projections.ShipmentRow, error) {
			return s.api.Orders.Shipments(ctx, filter, partAfter(after), limit)
		},
		place: func(r projections.ShipmentRow) timePlace { return placeAt(r.ShippedAt, r.OrderID, r.ShipmentID) },
		body:  listedShipmentOf,
	}.read(ctx)
	return &listShipmentsAnswer{Reached: p.Reached, Link: p.Link, Body: shipmentListBody(p.Body)}, err
}

func listedShipmentOf(r projections.ShipmentRow) listedShipmentBody {
	return listedShipmentBody{
		OrderID: r.OrderID, ID: r.ShipmentID, Status: r.Status, Carrier: r.Carrier, Tracking: r.Tracking, Units: r.Units,
		Lines:   each(r.Lines, func(u order.Units) listedUnitsBody { return listedUnitsBody{LineID: u.LineID, Quantity: u.Quantity} }),
		Failure: r.Failure, ShippedAt: r.ShippedAt, DeliveredAt: timeOrNil(r.DeliveredAt), ChangedAt: r.ChangedAt,
	}
}

func (s *server) listReturns(ctx context.Context, in *listReturnsRequest) (*listReturnsAnswer, error) {
	filter := projections.PartFilter{OrderID: in.OrderID, Status: in.Status, From: in.RequestedFrom.Time, To: in.RequestedTo.Time}
	p, err := list[timePlace, projections.ReturnRow, listedReturnBody]{
		pages: s.paged("/v1/returns", in.Paging, map[string]string{
			"status": in.Status, "order_id": in.OrderID, "requested_from": timeText(in.RequestedFrom.Time), "requested_to": timeText(in.RequestedTo.Time),
		}),
		model: s.api.Orders.DB,
		rows: func(ctx context.Context, after *timePlace, limit int) ([]projections.ReturnRow, error) {
			return s.api.Orders.Returns(ctx, filter, partAfter(after), limit)
		},
		place: func(r projections.ReturnRow) timePlace { return placeAt(r.RequestedAt, r.OrderID, r.ReturnID) },
		body:  listedReturnOf,
	}.read(ctx)
	return &listReturnsAnswer{Reached: p.Reached, Link: p.Link, Body: returnListBody(p.Body)}, err
}

func listedReturnOf(r projections.ReturnRow) listedReturnBody {
	return listedReturnBody{
		OrderID: r.OrderID, ID: r.ReturnID, Status: string(r.Status), Kind: string(r.Kind), Units: r.Units, Received: r.Received,
		Lines: each(r.Lines, func(u order.ReturnedUnits) listedUnitsBody {
			return listedUnitsBody{LineID: u.LineID, Quantity: u.Quantity, Reason: u.Reason}
		}),
		Reason: r.Reason, RequestedAt: r.RequestedAt, ChangedAt: r.ChangedAt,
	}
}
