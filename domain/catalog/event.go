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

// ProductTitleChanged is recorded when a product gets another title. Orders keep
// the one they were placed with.
type ProductTitleChanged struct {
	SKU       string    `json:"sku"`
	Title     string    `json:"title"`
	ChangedAt time.Time `json:"changed_at"`
}

// ProductWithdrawn is recorded when a product is not to be ordered any more.
// Orders and checkouts that have it go on.
type ProductWithdrawn struct {
	SKU         string    `json:"sku"`
	WithdrawnAt time.Time `json:"withdrawn_at"`
}

// ProductRelisted is recorded when a withdrawn product can be ordered again,
// under the title and at the prices it has.
type ProductRelisted struct {
	SKU        string    `json:"sku"`
	RelistedAt time.Time `json:"relisted_at"`
}

// EventName implements [domain.Event].
func (ProductRegistered) EventName() string { return "ProductRegistered" }

// EventName implements [domain.Event].
func (PriceChanged) EventName() string { return "PriceChanged" }

// EventName implements [domain.Event].
func (ProductTitleChanged) EventName() string { return "ProductTitleChanged" }

// EventName implements [domain.Event].
func (ProductWithdrawn) EventName() string { return "ProductWithdrawn" }

// EventName implements [domain.Event].
func (ProductRelisted) EventName() string { return "ProductRelisted" }

func (ProductRegistered) event()   {}
func (PriceChanged) event()        {}
func (ProductTitleChanged) event() {}
func (ProductWithdrawn) event()    {}
func (ProductRelisted) event()     {}

// EventTypes describes the events of a product to the codec.
func EventTypes() []domain.EventType {
	return domain.EventTypes(ProductRegistered{}, PriceChanged{}, ProductTitleChanged{}, ProductWithdrawn{}, ProductRelisted{})
}
