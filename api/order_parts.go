package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/handlers/orders"
)

type holdPart struct {
	ID     string     `json:"id"`
	Reason string     `json:"reason" example:"manual"`
	Until  *time.Time `json:"until,omitempty" doc:"When the hold ends by itself."`
}

type fulfilmentPart struct {
	ID       string      `json:"id"`
	Location string      `json:"location" example:"main"`
	Lines    []unitsBody `json:"lines" nullable:"false"`
}

type shipmentPart struct {
	ID          string      `json:"id"`
	Status      string      `json:"status" enum:"shipped,delivered,failed" doc:"A parcel that failed may be delivered after all." example:"shipped"`
	Lines       []unitsBody `json:"lines" nullable:"false"`
	Carrier     string      `json:"carrier,omitempty" example:"dhl"`
	Tracking    string      `json:"tracking,omitempty" example:"JD014600006228974"`
	ShippedAt   time.Time   `json:"shipped_at"`
	DeliveredAt *time.Time  `json:"delivered_at,omitempty"`
	Failure     string      `json:"failure,omitempty" doc:"Why it could not be delivered the last time." example:"address_unknown"`
}

type returnPart struct {
	ID       string              `json:"id"`
	Status   string              `json:"status" enum:"requested,received,rejected" example:"requested"`
	Kind     string              `json:"kind" doc:"What the customer wants." example:"refund"`
	Lines    []returnedUnitsBody `json:"lines" nullable:"false" doc:"What was asked back."`
	Received []receivedPart      `json:"received,omitempty" nullable:"false" doc:"What came back."`
	Reason   string              `json:"reason,omitempty" doc:"Why it was rejected."`
	External *externalBody       `json:"external,omitempty" doc:"Where and when it came about, if that was not here."`
}

type receivedPart struct {
	LineID   string `json:"line_id" example:"1"`
	Quantity int    `json:"quantity" example:"1"`
	Restock  bool   `json:"restock" doc:"Whether it can be sold again."`
}

type refundPart struct {
	ID      string      `json:"id"`
	OrderID string      `json:"order_id"`
	Status  string      `json:"status" enum:"requested,refunded,failed" example:"requested"`
	Amount  money       `json:"amount"`
	Reason  string      `json:"reason" example:"damaged"`
	Lines   []unitsBody `json:"lines,omitempty" nullable:"false" doc:"What it is for, where that was said."`
	Code    string      `json:"code,omitempty" doc:"Why it failed, in the gateway's words."`
}

type editPart struct {
	ID      string       `json:"id"`
	Changes []changePart `json:"changes" nullable:"false"`
	Total   money        `json:"total" doc:"What the order cost after it."`
	Delta   money        `json:"delta" doc:"What it cost more than before."`
}

type changePart struct {
	LineID       string `json:"line_id"`
	SKU          string `json:"sku"`
	QuantityFrom int    `json:"quantity_from" doc:"0 for a new line."`
	QuantityTo   int    `json:"quantity_to" doc:"0 for one that was taken out."`
}

func holdPartOf(h order.OrderHeld) holdPart {
	return holdPart{ID: h.HoldID, Reason: string(h.Reason), Until: timeOrNil(h.Until)}
}

func fulfilmentPartOf(r order.OrderFulfilmentRequested) fulfilmentPart {
	return fulfilmentPart{ID: r.RequestID, Location: r.Location, Lines: each(r.Lines, unitsOf)}
}

func shipmentPartOf(p order.Shipment) shipmentPart {
	part := shipmentPart{
		ID: p.Shipped.ShipmentID, Status: "shipped", Lines: each(p.Shipped.Lines, unitsOf), Carrier: p.Shipped.Carrier, Tracking: p.Shipped.Tracking,
		ShippedAt: p.Shipped.ShippedAt, DeliveredAt: timeOrNil(p.DeliveredAt), Failure: p.Failed,
	}
	switch {
	case p.Delivered:
		part.Status = "delivered"
	case p.Failed != "":
		part.Status = "failed"
	}
	return part
}

func returnPartOf(r order.Return) returnPart {
	part := returnPart{
		ID: r.Requested.ReturnID, Status: string(r.Status), Kind: string(r.Requested.Kind), Reason: r.Reason,
		External: externalBodyOf(r.Requested.External),
		Lines:    each(r.Requested.Lines, func(u order.ReturnedUnits) returnedUnitsBody { return returnedUnitsBody(u) }),
	}
	for _, u := range r.Received {
		part.Received = append(part.Received, receivedPart(u))
	}
	return part
}

func refundPartOf(r order.Refund) refundPart {
	part := refundPart{
		ID: r.Requested.RefundID, OrderID: r.Requested.OrderID, Status: string(r.Status), Amount: moneyOf(r.Requested.Amount), Reason: r.Requested.Reason,
		Code: r.Code,
	}
	if len(r.Requested.Lines) > 0 {
		part.Lines = each(r.Requested.Lines, unitsOf)
	}
	return part
}

func editPartOf(e order.OrderEdited) editPart {
	return editPart{ID: e.EditID, Total: moneyOf(e.Totals.Grand), Delta: moneyOf(e.Delta), Changes: each(e.Changes, func(c order.Change) changePart {
		return changePart{c.LineID, c.SKU, c.QuantityFrom, c.QuantityTo}
	})}
}

func shipmentOf(s order.State, id string) (order.Shipment, bool) {
	return findPart(s.Shipments, func(p order.Shipment) string { return p.Shipped.ShipmentID }, id)
}

func returnOf(s order.State, id string) (order.Return, bool) {
	return findPart(s.Returns, func(r order.Return) string { return r.Requested.ReturnID }, id)
}

func refundOf(s order.State, id string) (order.Refund, bool) {
	return findPart(s.Refunds, func(r order.Refund) string { return r.Requested.RefundID }, id)
}

func findPart[T any](all []T, idOf func(T) string, id string) (part T, there bool) {
	i := slices.IndexFunc(all, func(p T) bool { return idOf(p) == id })
	if i < 0 {
		return part, false
	}
	return all[i], true
}

type orderPartRequest struct {
	ID          string `path:"id" doc:"Id of the order."`
	Part        string `path:"part" doc:"Id of the part of the order, as the order shows it."`
	IfNoneMatch string `header:"If-None-Match"`
}

type partAnswer[B any] struct {
	Status int
	ETag   string `header:"ETag" doc:"Of the order."`
	Body   B
}

// registerPart adds the route that shows one part of an order.
func registerPart[P, B any](
	s *server, id, kind, summary string, list func(order.State) []P, idOf func(P) string, bodyOf func(P) B,
) {
	register(s, route{
		id: id, method: http.MethodGet, path: "/v1/orders/{id}/" + kind + "/{part}", tag: "orders", scopes: []apikey.Scope{apikey.OrdersRead},
		status: http.StatusOK, summary: summary, about: "From the log itself: never behind.",
		refuses: []string{orders.ErrNotFound.Code, order.ErrUnknown.Code}, more: notModified(),
	}, func(ctx context.Context, in *orderPartRequest) (*partAnswer[B], error) {
		state, revision, err := s.api.Changes.At(ctx, in.ID, orders.Moment{})
		if err != nil {
			return nil, err
		}
		part, there := findPart(list(state), idOf, in.Part)
		if !there {
			return nil, order.ErrUnknown.With("id", in.Part)
		}
		answer := &partAnswer[B]{Status: http.StatusOK, ETag: etag(revision), Body: bodyOf(part)}
		if noneMatch(in.IfNoneMatch, answer.ETag) {
			answer.Status = http.StatusNotModified
		}
		return answer, nil
	})
}

func (s *server) orderPartRoutes() {
	registerPart(s, "getFulfilment", "fulfilments", "Show what a warehouse was asked for",
		func(o order.State) []order.OrderFulfilmentRequested { return o.Requests },
		func(r order.OrderFulfilmentRequested) string { return r.RequestID }, fulfilmentPartOf)
	registerPart(s, "getShipment", "shipments", "Show a parcel",
		func(o order.State) []order.Shipment { return o.Shipments },
		func(p order.Shipment) string { return p.Shipped.ShipmentID }, shipmentPartOf)
	registerPart(s, "getReturn", "returns", "Show where a return stands",
		func(o order.State) []order.Return { return o.Returns },
		func(r order.Return) string { return r.Requested.ReturnID }, returnPartOf)
	registerPart(s, "getRefund", "refunds", "Show where a refund stands",
		func(o order.State) []order.Refund { return o.Refunds },
		func(r order.Refund) string { return r.Requested.RefundID }, refundPartOf)
	registerPart(s, "getEdit", "edits", "Show an edit",
		func(o order.State) []order.OrderEdited { return o.Edits },
		func(e order.OrderEdited) string { return e.EditID }, editPartOf)
	s.noteRoutes()
	s.orderContactRoutes()
}

type notePart struct {
	ID         string `json:"id"`
	Visibility string `json:"visibility" enum:"internal,customer" example:"internal"`
	Text       string `json:"text" doc:"[erased] once the customer's data was erased." example:"Rang the customer: leave it with the neighbour."`
}

type noteListAnswer struct {
	ETag string `header:"ETag" doc:"Of the order."`
	Body noteListBody
}

type noteListRequest struct {
	ID string `path:"id" doc:"Id of the order."`
}

type noteListBody struct {
	Items []notePart `json:"items" nullable:"false"`
}

type noteAnswer struct {
	ETag string `header:"ETag" doc:"Of the order."`
	Body notePart
}

type noteRequest struct {
	ID   string `path:"id" doc:"Id of the order."`
	Part string `path:"part" doc:"Id of the note."`
}

// Texts are personal data: another scope, and no 304, because a text may be
// erased while the order stays as it is.
func (s *server) noteRoutes() {
	scopes := []apikey.Scope{apikey.CustomersRead}
	register(s, route{
		id: "listNotes", method: http.MethodGet, path: "/v1/orders/{id}/notes", tag: "orders", scopes: scopes, status: http.StatusOK,
		summary: "Show the notes of an order", about: "With their texts, the oldest first.", refuses: []string{orders.ErrNotFound.Code},
	}, func(ctx context.Context, in *noteListRequest) (*noteListAnswer, error) {
		state, revision, err := s.api.Changes.At(ctx, in.ID, orders.Moment{})
		if err != nil {
			return nil, err
		}
		answer := &noteListAnswer{ETag: etag(revision), Body: noteListBody{Items: make([]notePart, len(state.Notes))}}
		for i, note := range state.Notes {
			if answer.Body.Items[i], err = s.note(ctx, note); err != nil {
				return nil, err
			}
		}
		return answer, nil
	})
	register(s, route{
		id: "getNote", method: http.MethodGet, path: "/v1/orders/{id}/notes/{part}", tag: "orders", scopes: scopes, status: http.StatusOK,
		summary: "Show a note", refuses: []string{orders.ErrNotFound.Code, order.ErrUnknown.Code},
	}, func(ctx context.Context, in *noteRequest) (*noteAnswer, error) {
		state, revision, err := s.api.Changes.At(ctx, in.ID, orders.Moment{})
		if err != nil {
			return nil, err
		}
		note, there := findPart(state.Notes, func(n order.OrderNoteAdded) string { return n.NoteID }, in.Part)
		if !there {
			return nil, order.ErrUnknown.With("id", in.Part)
		}
		body, err := s.note(ctx, note)
		return &noteAnswer{ETag: etag(revision), Body: body}, err
	})
}

// erased stands for a text that cannot be read any more.
const erased = "[erased]"

func (s *server) note(ctx context.Context, n order.OrderNoteAdded) (notePart, error) {
	text, gone, err := kept[orders.Text](ctx, s.api.Vault, n.TextRef)
	if gone {
		text.Text = erased
	}
	return notePart{ID: n.NoteID, Visibility: string(n.Visibility), Text: text.Text}, err
}
