package stock

import (
	"time"

	"github.com/waybill-dev/waybill/domain"
)

// Event is a fact about a stock item. Refusals are not recorded: a flash sale
// would fill the log with them.
//
//sumtype:decl
type Event interface {
	domain.Event
	event()
}

// StockItemRegistered is recorded once, first in a stock item's stream.
type StockItemRegistered struct {
	SKU      string `json:"sku"`
	Location string `json:"location"`
	Policy   Policy `json:"policy"`
	// BackorderLimit is how many units may be promised beyond those on hand;
	// 0 unless the policy is to backorder.
	BackorderLimit int `json:"backorder_limit"`
}

// StockReceived is recorded when units arrive. Ref is unique within the item.
type StockReceived struct {
	SKU      string `json:"sku"`
	Location string `json:"location"`
	Quantity int    `json:"quantity"`
	Ref      string `json:"ref"`
}

// StockReserved is recorded when units are set aside for a checkout: nobody
// else is promised them until they are released or committed. It may follow
// the release of an expired reservation with the same id, which then stands
// anew.
type StockReserved struct {
	SKU           string    `json:"sku"`
	Location      string    `json:"location"`
	ReservationID string    `json:"reservation_id"`
	CheckoutID    string    `json:"checkout_id"`
	Quantity      int       `json:"quantity"`
	ExpiresAt     time.Time `json:"expires_at"`
	// BackorderedQuantity is how many of the units are not on hand.
	BackorderedQuantity int `json:"backordered_quantity"`
}

// StockReservationExtended is recorded when a reservation is kept for longer.
type StockReservationExtended struct {
	SKU           string    `json:"sku"`
	Location      string    `json:"location"`
	ReservationID string    `json:"reservation_id"`
	ExpiresAt     time.Time `json:"expires_at"`
}

// StockReservationReleased is recorded when units that were set aside are free
// again.
type StockReservationReleased struct {
	SKU           string `json:"sku"`
	Location      string `json:"location"`
	ReservationID string `json:"reservation_id"`
	Quantity      int    `json:"quantity"`
	Reason        Reason `json:"reason"`
	// Committed says that the units had been committed to an order, which then
	// was not placed.
	Committed bool `json:"committed,omitempty"`
}

// StockCommitted is recorded when reserved units belong to an order. They were
// reserved until this event, whatever the reservation's time.
type StockCommitted struct {
	SKU           string `json:"sku"`
	Location      string `json:"location"`
	ReservationID string `json:"reservation_id"`
	OrderID       string `json:"order_id"`
	Quantity      int    `json:"quantity"`
}

// EventName implements [domain.Event].
func (StockItemRegistered) EventName() string { return "StockItemRegistered" }

// EventName implements [domain.Event].
func (StockReceived) EventName() string { return "StockReceived" }

// EventName implements [domain.Event].
func (StockReserved) EventName() string { return "StockReserved" }

// EventName implements [domain.Event].
func (StockReservationExtended) EventName() string { return "StockReservationExtended" }

// EventName implements [domain.Event].
func (StockReservationReleased) EventName() string { return "StockReservationReleased" }

// EventName implements [domain.Event].
func (StockCommitted) EventName() string { return "StockCommitted" }

func (StockItemRegistered) event()      {}
func (StockReceived) event()            {}
func (StockReserved) event()            {}
func (StockReservationExtended) event() {}
func (StockReservationReleased) event() {}
func (StockCommitted) event()           {}

// EventTypes describes the events of a stock item to the codec.
func EventTypes() []domain.EventType {
	return domain.EventTypes(StockItemRegistered{}, StockReceived{}, StockReserved{},
		StockReservationExtended{}, StockReservationReleased{}, StockCommitted{})
}
