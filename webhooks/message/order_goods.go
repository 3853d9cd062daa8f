package message

import (
	"time"

	"github.com/waybill-dev/waybill/domain/order"
)

// units are a number of units of one line of the order.
type units struct {
	LineID   string `json:"line_id"`
	Quantity int    `json:"quantity"`
}

func unitsOf(lines []order.Units) []units {
	list := make([]units, len(lines))
	for i, l := range lines {
		list[i] = units(l)
	}
	return list
}

type orderFulfilmentRequestedData struct {
	OrderID   string  `json:"order_id"`
	RequestID string  `json:"request_id"`
	Location  string  `json:"location" doc:"The warehouse that is asked." example:"main"`
	Lines     []units `json:"lines" nullable:"false"`
}

func orderFulfilmentRequested(e order.OrderFulfilmentRequested) orderFulfilmentRequestedData {
	return orderFulfilmentRequestedData{OrderID: e.OrderID, RequestID: e.RequestID, Location: e.Location, Lines: unitsOf(e.Lines)}
}

type orderShippedData struct {
	OrderID    string    `json:"order_id"`
	ShipmentID string    `json:"shipment_id"`
	Lines      []units   `json:"lines" nullable:"false"`
	Carrier    string    `json:"carrier,omitempty"`
	Tracking   string    `json:"tracking,omitempty" doc:"The carrier's number of the parcel."`
	ShippedAt  time.Time `json:"shipped_at"`
}

func orderShipped(e order.OrderShipped) orderShippedData {
	return orderShippedData{
		OrderID: e.OrderID, ShipmentID: e.ShipmentID, Lines: unitsOf(e.Lines), Carrier: e.Carrier, Tracking: e.Tracking, ShippedAt: e.ShippedAt,
	}
}

type orderDeliveredData struct {
	OrderID     string    `json:"order_id"`
	ShipmentID  string    `json:"shipment_id"`
	DeliveredAt time.Time `json:"delivered_at"`
}

func orderDelivered(e order.OrderDelivered) orderDeliveredData {
	return orderDeliveredData{OrderID: e.OrderID, ShipmentID: e.ShipmentID, DeliveredAt: e.At}
}

type orderShipmentFailedData struct {
	OrderID    string `json:"order_id"`
	ShipmentID string `json:"shipment_id"`
	Reason     string `json:"reason" doc:"A word." example:"address_unknown"`
}

func orderShipmentFailed(e order.OrderShipmentFailed) orderShipmentFailedData {
	return orderShipmentFailedData(e)
}

type orderReturnRequestedData struct {
	OrderID  string          `json:"order_id"`
	ReturnID string          `json:"return_id"`
	Kind     string          `json:"kind" doc:"refund or exchange: what the customer wants; more may come."`
	Lines    []returnedUnits `json:"lines" nullable:"false"`
	External orderExternal   `json:"external,omitzero" doc:"Where the goods came back; missing for returns made here."`
}

type returnedUnits struct {
	LineID   string `json:"line_id"`
	Quantity int    `json:"quantity"`
	Reason   string `json:"reason" doc:"A word." example:"too_small"`
}

func orderReturnRequested(e order.OrderReturnRequested) orderReturnRequestedData {
	data := orderReturnRequestedData{
		OrderID: e.OrderID, ReturnID: e.ReturnID, Kind: string(e.Kind), Lines: make([]returnedUnits, len(e.Lines)), External: orderExternal(e.External),
	}
	for i, l := range e.Lines {
		data.Lines[i] = returnedUnits(l)
	}
	return data
}

type orderReturnReceivedData struct {
	OrderID  string          `json:"order_id"`
	ReturnID string          `json:"return_id"`
	Lines    []receivedUnits `json:"lines" nullable:"false"`
}

type receivedUnits struct {
	LineID   string `json:"line_id"`
	Quantity int    `json:"quantity"`
	Restock  bool   `json:"restock" doc:"The units can be sold again."`
}

func orderReturnReceived(e order.OrderReturnReceived) orderReturnReceivedData {
	data := orderReturnReceivedData{OrderID: e.OrderID, ReturnID: e.ReturnID, Lines: make([]receivedUnits, len(e.Lines))}
	for i, l := range e.Lines {
		data.Lines[i] = receivedUnits(l)
	}
	return data
}

type orderReturnRejectedData struct {
	OrderID  string `json:"order_id"`
	ReturnID string `json:"return_id"`
	Reason   string `json:"reason" doc:"A word." example:"worn"`
}

func orderReturnRejected(e order.OrderReturnRejected) orderReturnRejectedData {
	return orderReturnRejectedData(e)
}
