package catalog

import (
	"time"

	"github.com/waybill-dev/waybill/domain"
)

// Event is a fact about a product.
//
//sumtype:decl
type Event interface {
	domain.Event
	event()
}

// ProductRegistered is recorded once, first in a product's stream. There is at
// least one price, and one at most for a currency and region.
type ProductRegistered struct {
	SKU          string    `json:"sku"`
	Title        string    `json:"title"`
	Prices       []Price   `json:"prices"`
	RegisteredAt time.Time `json:"registered_at"`
}

// PriceChanged is recorded when a price is set or replaced. The price for the
// same currency and region no longer holds.
type PriceChanged struct {
	SKU       string    `json:"sku"`
	Price     Price     `json:"price"`
	ChangedAt time.Time `json:"changed_at"`
}

// EventName implements [domain.Event].
func (ProductRegistered) EventName() string { return "ProductRegistered" }

// EventName implements [domain.Event].
func (PriceChanged) EventName() string { return "PriceChanged" }

func (ProductRegistered) event() {}
func (PriceChanged) event()      {}

// EventTypes describes the events of a product to the codec.
func EventTypes() []domain.EventType {
	return domain.EventTypes(ProductRegistered{}, PriceChanged{})
}
