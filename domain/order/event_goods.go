package order

import "time"

// Units are a number of units of one line.
type Units struct {
	LineID   string `json:"line_id"`
	Quantity int    `json:"quantity"`
}

// OrderFulfilmentRequested is recorded when a warehouse is to pick and ship
// units. The same units are not asked for twice.
type OrderFulfilmentRequested struct {
	OrderID   string  `json:"order_id"`
	RequestID string  `json:"request_id"`
	Location  string  `json:"location"`
	Lines     []Units `json:"lines"`
}

// OrderShipped is recorded when a parcel has left.
//
// Consumers may rely on no unit being shipped twice, and none that was
// cancelled.
type OrderShipped struct {
	OrderID    string    `json:"order_id"`
	ShipmentID string    `json:"shipment_id"`
	Lines      []Units   `json:"lines"`
	Carrier    string    `json:"carrier,omitempty"`
	Tracking   string    `json:"tracking,omitempty"`
	ShippedAt  time.Time `json:"shipped_at"`
}

// OrderDelivered is recorded once for a parcel, when it has arrived.
type OrderDelivered struct {
	OrderID    string    `json:"order_id"`
	ShipmentID string    `json:"shipment_id"`
	At         time.Time `json:"at"`
}

// OrderShipmentFailed is recorded when a parcel could not be delivered. It may
// arrive after all: then OrderDelivered follows. What comes back instead, or is
// lost, is a return.
type OrderShipmentFailed struct {
	OrderID    string `json:"order_id"`
	ShipmentID string `json:"shipment_id"`
	Reason     string `json:"reason"`
}

// ReturnKind is what the customer wants for goods that come back.
type ReturnKind string

// What a customer may want for goods that come back.
const (
	ForRefund   ReturnKind = "refund"
	ForExchange ReturnKind = "exchange"
)

// ReturnedUnits are units of a line that somebody wants to send back.
type ReturnedUnits struct {
	LineID   string `json:"line_id"`
	Quantity int    `json:"quantity"`
	Reason   string `json:"reason"`
}

// ReceivedUnits are units of a line that came back. Restock says whether they
// can be sold again.
type ReceivedUnits struct {
	LineID   string `json:"line_id"`
	Quantity int    `json:"quantity"`
	Restock  bool   `json:"restock"`
}

// OrderReturnRequested is recorded when shipped goods are to come back.
// OrderReturnReceived or OrderReturnRejected ends it.
type OrderReturnRequested struct {
	OrderID  string          `json:"order_id"`
	ReturnID string          `json:"return_id"`
	Lines    []ReturnedUnits `json:"lines"`
	Kind     ReturnKind      `json:"kind"`
	// External is set where the goods came back elsewhere, before the order was
	// imported: what is given back for them belongs to that time.
	External External `json:"external,omitzero"`
}

// OrderReturnReceived is recorded when goods came back, as many as did. What
// was asked back beyond them is not waited for. The money is another matter:
// see OrderRefundRequested.
type OrderReturnReceived struct {
	OrderID  string          `json:"order_id"`
	ReturnID string          `json:"return_id"`
	Lines    []ReceivedUnits `json:"lines"`
}

// OrderReturnRejected is recorded when goods are not taken back.
type OrderReturnRejected struct {
	OrderID  string `json:"order_id"`
	ReturnID string `json:"return_id"`
	Reason   string `json:"reason"`
}

// EventName implements [domain.Event].
func (OrderFulfilmentRequested) EventName() string { return "OrderFulfilmentRequested" }

// EventName implements [domain.Event].
func (OrderShipped) EventName() string { return "OrderShipped" }

// EventName implements [domain.Event].
func (OrderDelivered) EventName() string { return "OrderDelivered" }

// EventName implements [domain.Event].
func (OrderShipmentFailed) EventName() string { return "OrderShipmentFailed" }

// EventName implements [domain.Event].
func (OrderReturnRequested) EventName() string { return "OrderReturnRequested" }

// EventName implements [domain.Event].
func (OrderReturnReceived) EventName() string { return "OrderReturnReceived" }

// EventName implements [domain.Event].
func (OrderReturnRejected) EventName() string { return "OrderReturnRejected" }

func (OrderFulfilmentRequested) event() {}
func (OrderShipped) event()             {}
func (OrderDelivered) event()           {}
func (OrderShipmentFailed) event()      {}
func (OrderReturnRequested) event()     {}
func (OrderReturnReceived) event()      {}
func (OrderReturnRejected) event()      {}
