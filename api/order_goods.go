package api

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/domain/order"
)

type unitsBody struct {
	LineID   string `json:"line_id" maxLength:"200" example:"1"`
	Quantity int    `json:"quantity" example:"2"`
}

func (b unitsBody) domain() order.Units { return order.Units{LineID: b.LineID, Quantity: b.Quantity} }

func unitsOf(u order.Units) unitsBody { return unitsBody{u.LineID, u.Quantity} }

type fulfilmentRequestBody struct {
	ID       string      `json:"id,omitempty" doc:"Of your making; without it one is made." pattern:"^[!-?A-~]{1,200}$"`
	Location string      `json:"location,omitempty" doc:"Which warehouse; where it is missing, that of the first line with something left." maxLength:"64" example:"main"`
	Lines    []unitsBody `json:"lines,omitempty" nullable:"false" doc:"What to pick; everything that is left there if missing." minItems:"1" maxItems:"4000"`
}

type shipBody struct {
	ID        string      `json:"id,omitempty" doc:"Of your making; without it one is made." pattern:"^[!-?A-~]{1,200}$"`
	Lines     []unitsBody `json:"lines,omitempty" nullable:"false" doc:"What is in the parcel; everything that is left if missing." minItems:"1" maxItems:"4000"`
	Carrier   string      `json:"carrier,omitempty" maxLength:"64" example:"dhl"`
	Tracking  string      `json:"tracking,omitempty" doc:"The carrier's number of the parcel, without spaces." maxLength:"200" example:"JD014600006228974"`
	ShippedAt time.Time   `json:"shipped_at,omitzero" doc:"Now, if missing."`
}

type deliveredBody struct {
	At time.Time `json:"at,omitzero" doc:"Now, if missing."`
}

type reasonBody struct {
	Reason string `json:"reason" doc:"A word of small letters, digits, - and _, with at most 4 digits. What people write belongs into a note." maxLength:"64" example:"address_unknown"`
}

type returnRequestBody struct {
	ID    string              `json:"id,omitempty" doc:"Of your making; without it one is made." pattern:"^[!-?A-~]{1,200}$"`
	Kind  string              `json:"kind,omitempty" doc:"What the customer wants: refund or exchange; refund if missing." default:"refund" maxLength:"64" example:"refund"`
	Lines []returnedUnitsBody `json:"lines" nullable:"false" maxItems:"4000"`

	External *externalBody `json:"external,omitempty" doc:"Imports a return that came about elsewhere. Needs the scope orders:import."`
}

type returnedUnitsBody struct {
	LineID   string `json:"line_id" maxLength:"200" example:"1"`
	Quantity int    `json:"quantity" example:"1"`
	Reason   string `json:"reason" doc:"A word of small letters, digits, - and _, with at most 4 digits. What people write belongs into a note." maxLength:"64" example:"too_small"`
}

type receiveReturnBody struct {
	Lines []receivedUnitsBody `json:"lines,omitempty" nullable:"false" doc:"What came back; everything that was asked back if missing." minItems:"1" maxItems:"4000"`
}

type receivedUnitsBody struct {
	LineID   string `json:"line_id" maxLength:"200" example:"1"`
	Quantity int    `json:"quantity" example:"1"`
	Restock  *bool  `json:"restock,omitempty" doc:"Whether it can be sold again; true if missing." example:"true"`
}

func (b receivedUnitsBody) domain() order.ReceivedUnits {
	return order.ReceivedUnits{LineID: b.LineID, Quantity: b.Quantity, Restock: b.Restock == nil || *b.Restock}
}

func (s *server) orderGoodsRoutes() {
	unit := []any{map[string]any{"line_id": "1", "quantity": 1}}
	moves := func(more ...string) []string {
		return transitions(append(more, kindKeyMissing, order.ErrIDReused.Code, order.ErrQuantity.Code)...)
	}
	registerChange(s, route{
		id: "requestFulfilment", path: "fulfilments", status: http.StatusCreated, summary: "Ask a warehouse for units",
		refuses: moves(order.ErrOnHold.Code), example: map[string]any{"location": "main"},
	}, s.requestFulfilment)
	registerChange(s, route{
		id: "shipOrder", path: "shipments", status: http.StatusCreated, summary: "Record that a parcel has left",
		about:   "The stock item is told, and money captured, a moment later.",
		refuses: moves(order.ErrOnHold.Code), example: map[string]any{"carrier": "dhl", "tracking": "JD014600006228974"},
	}, s.shipOrder)
	registerChange(s, route{
		id: "markDelivered", path: "shipments/{part}/delivered", status: http.StatusOK, summary: "Record that a parcel has arrived",
		refuses: transitions(order.ErrUnknown.Code), example: map[string]any{"at": "2026-03-14T15:09:26Z"},
	}, s.markDelivered)
	registerChange(s, route{
		id: "failShipment", path: "shipments/{part}/failed", status: http.StatusOK, summary: "Record that a parcel could not be delivered",
		about:   "It may be delivered after all. What comes back instead, or is lost, is a return.",
		refuses: transitions(order.ErrUnknown.Code), example: map[string]any{"reason": "address_unknown"},
	}, s.failShipment)
	registerChange(s, route{
		id: "requestReturn", path: "returns", status: http.StatusCreated, summary: "Ask for goods to come back",
		about: "It reopens an order that was completed.", refuses: moves(),
		example: map[string]any{"lines": []any{map[string]any{"line_id": "1", "quantity": 1, "reason": "too_small"}}},
	}, s.requestReturn)
	registerChange(s, route{
		id: "receiveReturn", path: "returns/{part}/receive", status: http.StatusOK, summary: "Record which goods came back",
		about:   "It ends the return: the stock is booked and the money given back a moment later.",
		refuses: moves(order.ErrUnknown.Code), example: map[string]any{"lines": unit},
	}, s.receiveReturn)
	registerChange(s, route{
		id: "rejectReturn", path: "returns/{part}/reject", status: http.StatusOK, summary: "End a return whose goods are not taken back",
		refuses: transitions(order.ErrUnknown.Code, order.ErrIDReused.Code), example: map[string]any{"reason": "too_late"},
	}, s.rejectReturn)
}

// requestFulfilment asks one warehouse for everything that was not asked for
// yet, unless it is told what.
func (s *server) requestFulfilment(ctx context.Context, a asked, in fulfilmentRequestBody) (*changeAnswer, error) {
	id := a.id("fulfilment", in.ID)
	result, err := s.api.Changes.Do(ctx, a.Request, func(state order.State) (order.Command, error) {
		for _, known := range state.Requests {
			if known.RequestID == id && len(in.Lines) == 0 {
				return order.RequestFulfilment{RequestID: id, Location: cmp.Or(in.Location, known.Location), Lines: known.Lines}, nil
			}
		}
		lines := each(in.Lines, unitsBody.domain)
		if len(lines) == 0 {
			lines = remaining(state, func(l order.Line) int { return state.Left(l) - state.Progress(l.LineID).Requested })
		}
		location := in.Location
		if location == "" && len(lines) > 0 {
			first, _ := state.Line(lines[0].LineID)
			location = first.Location
		}
		if len(in.Lines) == 0 {
			lines = slices.DeleteFunc(lines, func(u order.Units) bool {
				line, _ := state.Line(u.LineID)
				return line.Location != location
			})
		}
		return order.RequestFulfilment{RequestID: id, Location: location, Lines: lines}, nil
	})
	return made(result, err, a.at("fulfilments", id))
}

// shipOrder ships everything that is left, unless it is told what.
func (s *server) shipOrder(ctx context.Context, a asked, in shipBody) (*changeAnswer, error) {
	id := a.id("shipment", in.ID)
	at, err := s.past(in.ShippedAt, "/shipped_at")
	if err != nil {
		return nil, err
	}
	result, err := s.api.Changes.Do(ctx, a.Request, func(state order.State) (order.Command, error) {
		c := order.Ship{ShipmentID: id, Lines: each(in.Lines, unitsBody.domain), Carrier: in.Carrier, Tracking: in.Tracking, At: at}
		if known, there := shipmentOf(state, id); there && len(in.Lines) == 0 {
			c.Lines = known.Shipped.Lines
		} else if len(in.Lines) == 0 {
			c.Lines = remaining(state, state.Left)
		}
		return c, nil
	})
	return made(result, err, a.at("shipments", id))
}

// remaining are the units of all lines that have some left.
func remaining(state order.State, left func(order.Line) int) []order.Units {
	var all []order.Units
	for _, line := range state.Lines {
		if n := left(line); n > 0 {
			all = append(all, order.Units{LineID: line.LineID, Quantity: n})
		}
	}
	return all
}

// ahead is how far a caller's clock may be ahead of this one.
const ahead = 5 * time.Minute

// past is the time of something that has happened, or now where none was told.
// One in the future is refused: what follows from it would wait for that long.
func (s *server) past(told time.Time, pointer string) (time.Time, error) {
	now := s.api.Now()
	switch {
	case told.IsZero():
		return now.UTC(), nil
	case told.After(now.Add(ahead)):
		return told, order.ErrInvalid.Because(domain.Mistake{
			Pointer: pointer, Code: "in-the-future", Detail: "it has happened, so that the time is not in the future; it is " + now.UTC().Format(time.RFC3339) + " here",
		})
	}
	return told.UTC(), nil
}

func (s *server) markDelivered(ctx context.Context, a asked, in *deliveredBody) (*changeAnswer, error) {
	if in == nil {
		in = &deliveredBody{}
	}
	at, err := s.past(in.At, "/at")
	if err != nil {
		return nil, err
	}
	return changed(s.api.Changes.Do(ctx, a.Request, func(order.State) (order.Command, error) {
		return order.MarkDelivered{ShipmentID: a.part, At: at}, nil
	}))
}

func (s *server) failShipment(ctx context.Context, a asked, in reasonBody) (*changeAnswer, error) {
	return changed(s.api.Changes.Do(ctx, a.Request, func(order.State) (order.Command, error) {
		return order.FailShipment{ShipmentID: a.part, Reason: in.Reason}, nil
	}))
}

func (s *server) requestReturn(ctx context.Context, a asked, in returnRequestBody) (*changeAnswer, error) {
	if in.External != nil && !callOf(ctx).credential.May(apikey.OrdersImport) {
		only := domain.Mistake{Pointer: "/external", Code: "scope-missing", Detail: "needs the scope orders:import"}
		return nil, s.refuse(kindForbidden, "a return that came about elsewhere needs the scope orders:import").
			because(only).with("scopes", []apikey.Scope{apikey.OrdersImport})
	}
	c := order.RequestReturn{ReturnID: a.id("return", in.ID), Kind: order.ReturnKind(in.Kind), Lines: each(in.Lines, func(l returnedUnitsBody) order.ReturnedUnits {
		return order.ReturnedUnits(l)
	})}
	if in.External != nil {
		c.External = order.External(*in.External)
	}
	result, err := s.api.Changes.Do(ctx, a.Request, func(order.State) (order.Command, error) { return c, nil })
	return made(result, err, a.at("returns", c.ReturnID))
}

// receiveReturn takes back everything that was asked back, unless it is told
// what.
func (s *server) receiveReturn(ctx context.Context, a asked, in *receiveReturnBody) (*changeAnswer, error) {
	if in == nil {
		in = &receiveReturnBody{}
	}
	return changed(s.api.Changes.Do(ctx, a.Request, func(state order.State) (order.Command, error) {
		c := order.ReceiveReturn{ReturnID: a.part, Lines: each(in.Lines, receivedUnitsBody.domain)}
		if asked, known := returnOf(state, a.part); known && len(in.Lines) == 0 {
			for _, l := range asked.Requested.Lines {
				c.Lines = append(c.Lines, order.ReceivedUnits{LineID: l.LineID, Quantity: l.Quantity, Restock: true})
			}
		}
		return c, nil
	}))
}

func (s *server) rejectReturn(ctx context.Context, a asked, in reasonBody) (*changeAnswer, error) {
	return changed(s.api.Changes.Do(ctx, a.Request, func(order.State) (order.Command, error) {
		return order.RejectReturn{ReturnID: a.part, Reason: in.Reason}, nil
	}))
}
