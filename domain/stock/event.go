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

// StockPolicyChanged is recorded when it changes what may be promised beyond the
// units on hand. What was promised before stays promised; where it is more than
// the policy allows now, a StockShortfallDetected follows.
type StockPolicyChanged struct {
	SKU      string `json:"sku"`
	Location string `json:"location"`
	Policy   Policy `json:"policy"`
	// BackorderLimit is as in StockItemRegistered.
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
// again. One that was released as expired may be made again, or be released
// once more for another reason: then Quantity is 0, because its units were free
// already, and nothing makes it again.
type StockReservationReleased struct {
	SKU           string `json:"sku"`
	Location      string `json:"location"`
	ReservationID string `json:"reservation_id"`
	Quantity      int    `json:"quantity"`
	Reason        Reason `json:"reason"`
	// Committed says that the units had been committed to an order, which then
	// was not placed or was cancelled. What was shipped before is not released.
	Committed bool `json:"committed,omitempty"`
	// Kept is how many units the reservation still has, shipped ones included,
	// where only some were released: then it stands.
	Kept int `json:"kept,omitempty"`
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

// StockAdjusted is recorded when a count, a loss or a find corrects what is on
// hand. Delta is never 0. Ref is unique among the item's adjustments.
type StockAdjusted struct {
	SKU      string `json:"sku"`
	Location string `json:"location"`
	Delta    int    `json:"delta"`
	Reason   string `json:"reason"` // a word, such as "damaged" or "counted"
	Ref      string `json:"ref"`
}

// StockShipped is recorded when units of an order leave the location: they are
// on hand no more, and no more committed. An order's units may leave in several
// shipments; ShipmentID is unique within the reservation.
type StockShipped struct {
	SKU           string `json:"sku"`
	Location      string `json:"location"`
	ReservationID string `json:"reservation_id"`
	ShipmentID    string `json:"shipment_id"`
	Quantity      int    `json:"quantity"`
}

// StockReturned is recorded when units that were shipped are on hand again. It
// is not recorded for returned goods that cannot be sold. ReturnID is unique
// within the item.
type StockReturned struct {
	SKU      string `json:"sku"`
	Location string `json:"location"`
	ReturnID string `json:"return_id"`
	Quantity int    `json:"quantity"`
}

// StockShortfallDetected is recorded, right behind the adjustment or the change
// of policy that caused it, when more units are promised than there are or may
// be. A later one does not add to it: it tells the whole shortfall anew.
type StockShortfallDetected struct {
	SKU      string `json:"sku"`
	Location string `json:"location"`
	Quantity int    `json:"quantity"` // units that are promised and not there
	// Reservations are the newest ones, newest first, as many as it takes to
	// cover Quantity, but at most 1,000.
	Reservations []Shortfall `json:"reservations"`
}

// Shortfall is a reservation that cannot be kept.
type Shortfall struct {
	ReservationID string `json:"reservation_id"`
	CheckoutID    string `json:"checkout_id"`
	OrderID       string `json:"order_id,omitempty"` // where it is committed
	Quantity      int    `json:"quantity"`           // not shipped
}

// EventName implements [domain.Event].
func (StockItemRegistered) EventName() string { return "StockItemRegistered" }

// EventName implements [domain.Event].
func (StockPolicyChanged) EventName() string { return "StockPolicyChanged" }

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

// EventName implements [domain.Event].
func (StockAdjusted) EventName() string { return "StockAdjusted" }

// EventName implements [domain.Event].
func (StockShipped) EventName() string { return "StockShipped" }

// EventName implements [domain.Event].
func (StockReturned) EventName() string { return "StockReturned" }

// EventName implements [domain.Event].
func (StockShortfallDetected) EventName() string { return "StockShortfallDetected" }

func (StockItemRegistered) event()      {}
func (StockPolicyChanged) event()       {}
func (StockReceived) event()            {}
func (StockReserved) event()            {}
func (StockReservationExtended) event() {}
func (StockReservationReleased) event() {}
func (StockCommitted) event()           {}
func (StockAdjusted) event()            {}
func (StockShipped) event()             {}
func (StockReturned) event()            {}
func (StockShortfallDetected) event()   {}

// EventTypes describes the events of a stock item to the codec, and what is
// stored beside them.
func EventTypes() []domain.EventType {
	return domain.EventTypes(StockItemRegistered{}, StockPolicyChanged{}, StockReceived{}, StockReserved{},
		StockReservationExtended{}, StockReservationReleased{}, StockCommitted{},
		StockAdjusted{}, StockShipped{}, StockReturned{}, StockShortfallDetected{}, StockSnapshotTaken{})
}
