package message

import (
	"time"

	"github.com/waybill-dev/waybill/domain/order"
)

type orderHeldData struct {
	OrderID string    `json:"order_id"`
	HoldID  string    `json:"hold_id"`
	Reason  string    `json:"reason" doc:"fraud, manual, address or stock_shortfall; more may come."`
	Until   time.Time `json:"until,omitzero" doc:"When somebody should have looked; missing where nobody said."`
}

func orderHeld(e order.OrderHeld) orderHeldData {
	return orderHeldData{OrderID: e.OrderID, HoldID: e.HoldID, Reason: string(e.Reason), Until: e.Until}
}

type orderReleasedData struct {
	OrderID string `json:"order_id"`
}

func orderReleased(e order.OrderHoldReleased) orderReleasedData {
	return orderReleasedData{OrderID: e.OrderID}
}

type orderAddressChangedData struct {
	OrderID       string `json:"order_id"`
	ShipToCountry string `json:"ship_to_country,omitempty" doc:"ISO 3166, of the new address; missing where nobody said." example:"DE"`
}

func orderAddressChanged(e order.OrderAddressChanged) orderAddressChangedData {
	return orderAddressChangedData{OrderID: e.OrderID, ShipToCountry: e.ShipToCountry}
}

type orderEditedData struct {
	OrderID string        `json:"order_id"`
	EditID  string        `json:"edit_id"`
	Changes []orderChange `json:"changes" nullable:"false"`
	Totals  orderTotals   `json:"totals"`
	Delta   money         `json:"delta" doc:"What the order costs more than before; may be negative."`
}

type orderChange struct {
	LineID       string `json:"line_id"`
	SKU          string `json:"sku"`
	Title        string `json:"title"`
	QuantityFrom int    `json:"quantity_from"`
	QuantityTo   int    `json:"quantity_to" doc:"The amounts are those of so many units."`
	UnitPrice    money  `json:"unit_price"`
	Discount     money  `json:"discount"`
	Tax          money  `json:"tax"`
	Total        money  `json:"total"`
}

func orderEdited(e order.OrderEdited) orderEditedData {
	data := orderEditedData{
		OrderID: e.OrderID, EditID: e.EditID, Changes: make([]orderChange, len(e.Changes)), Totals: totals(e.Totals), Delta: money(e.Delta),
	}
	for i, c := range e.Changes {
		data.Changes[i] = orderChange{
			LineID: c.LineID, SKU: c.SKU, Title: c.Title, QuantityFrom: c.QuantityFrom, QuantityTo: c.QuantityTo,
			UnitPrice: money(c.UnitPrice), Discount: money(c.Discount), Tax: money(c.Tax), Total: money(c.Total),
		}
	}
	return data
}

type orderCancelRequestedData struct {
	OrderID   string `json:"order_id"`
	RequestID string `json:"request_id"`
	Reason    string `json:"reason" doc:"A word." example:"customer_changed_mind"`
}

func orderCancelRequested(e order.OrderCancelRequested) orderCancelRequestedData {
	return orderCancelRequestedData{OrderID: e.OrderID, RequestID: e.RequestID, Reason: e.Reason}
}

type orderCancelledData struct {
	OrderID  string  `json:"order_id"`
	Reason   string  `json:"reason" doc:"That of the request."`
	Refunded money   `json:"refunded" doc:"Had been captured, and was given back."`
	Voided   money   `json:"voided" doc:"Had been authorised, and was let go of."`
	Lines    []units `json:"lines,omitempty" nullable:"false" doc:"The units that were cancelled."`
}

func orderCancelled(e order.OrderCancelled) orderCancelledData {
	return orderCancelledData{
		OrderID: e.OrderID, Reason: e.Reason, Refunded: money(e.Refunded), Voided: money(e.Voided), Lines: unitsOf(e.Lines),
	}
}

type orderCancelRefusedData struct {
	OrderID string `json:"order_id"`
	Reason  string `json:"reason" doc:"A word; shipped where the goods had left." example:"shipped"`
}

func orderCancelRefused(e order.OrderCancelRefused) orderCancelRefusedData {
	return orderCancelRefusedData(e)
}

type orderCompletedData struct {
	OrderID     string    `json:"order_id"`
	CompletedAt time.Time `json:"completed_at"`
}

func orderCompleted(e order.OrderCompleted) orderCompletedData {
	return orderCompletedData{OrderID: e.OrderID, CompletedAt: e.At}
}

type orderReopenedData struct {
	OrderID string `json:"order_id"`
	Reason  string `json:"reason" doc:"A word." example:"return"`
}

func orderReopened(e order.OrderReopened) orderReopenedData { return orderReopenedData(e) }
