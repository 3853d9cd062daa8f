package api

import (
	"context"
	"net/http"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/handlers/orders"
)

type editBody struct {
	ID    string         `json:"id,omitempty" doc:"Of your making; without it one is made." pattern:"^[!-?A-~]{1,200}$"`
	Lines []editLineBody `json:"lines" nullable:"false" doc:"Lines as they shall be, and new ones. A line that is not mentioned stays." minItems:"1" maxItems:"4000"`
}

type editLineBody struct {
	LineID    string `json:"line_id,omitempty" doc:"Of a line that the order has; without it the line is new." maxLength:"200" example:"1"`
	Quantity  int    `json:"quantity" doc:"0 takes the line out. More units than a line has are a new line, with the price of today." example:"1"`
	SKU       string `json:"sku,omitempty" doc:"Of a new line." maxLength:"128" example:"MUG-1"`
	Location  string `json:"location,omitempty" doc:"Of a new line: where the goods come from; main if missing." maxLength:"64" example:"main"`
	UnitPrice *money `json:"unit_price,omitempty" doc:"Of a new line: the price that was seen; another one is refused."`
	Discount  *money `json:"discount,omitempty" doc:"Of a new line: off the whole line."`
	Tax       *money `json:"tax,omitempty" doc:"Of a new line: on the whole line."`
}

func (b editLineBody) line() orders.EditLine {
	return orders.EditLine{
		LineID: b.LineID, Quantity: b.Quantity, SKU: b.SKU, Location: b.Location,
		UnitPrice: b.UnitPrice.ifSaid(), Discount: b.Discount.ifSaid(), Tax: b.Tax.ifSaid(),
	}
}

func (s *server) orderEditRoutes() {
	registerChange(s, route{
		id: "editOrder", path: "edits", status: http.StatusCreated, summary: "Change the lines of an order",
		about: "Before anything of it is asked of a warehouse, or while it is held. New lines cost what the catalogue says, and their units are reserved. " +
			"What the order costs more must be covered by money that is held; what it costs less is given back a moment later.",
		refuses: transitions(kindKeyMissing, order.ErrIDReused.Code, order.ErrQuantity.Code, order.ErrExceedsAuthorised.Code, order.ErrNoLines.Code,
			order.ErrTotals.Code, checkout.ErrPriceChanged.Code, domain.ErrCurrencyMismatch.Code, domain.ErrAmountOverflow.Code,
			stock.ErrOutOfStock.Code, stock.ErrConflict.Code, stock.ErrExpired.Code),
		example: map[string]any{"lines": []any{map[string]any{"line_id": "1", "quantity": 1}, map[string]any{"sku": "MUG-1", "quantity": 1}}},
	}, s.editOrder)
}

func (s *server) editOrder(ctx context.Context, a asked, in editBody) (*changeAnswer, error) {
	id := a.id("edit", in.ID)
	result, err := s.api.Changes.Edit(ctx, a.Request, orders.Edit{EditID: id, Lines: each(in.Lines, editLineBody.line)})
	return made(result, err, a.at("edits", id))
}
