package customer

import (
	"time"

	"github.com/waybill-dev/waybill/domain"
)

// Event is what can have happened to a customer.
//
//sumtype:decl
type Event interface {
	domain.Event
	event()
}

// CustomerRegistered is recorded when a customer is made known without an
// order. ContactRef is a key into the vault.
type CustomerRegistered struct {
	CustomerID   string    `json:"customer_id"`
	ContactRef   string    `json:"contact_ref"`
	RegisteredAt time.Time `json:"registered_at"`
}

// CustomerContactChanged is recorded when a registered customer is reached
// otherwise. ContactRef is a key into the vault.
type CustomerContactChanged struct {
	CustomerID string    `json:"customer_id"`
	ContactRef string    `json:"contact_ref"`
	At         time.Time `json:"at"`
}

// CustomerErasureBegun is recorded when the customer's data is about to be
// erased and no new order is taken. CustomerErased or CustomerErasureStopped
// follows.
type CustomerErasureBegun struct {
	CustomerID string    `json:"customer_id"`
	KeyID      string    `json:"key_id"` // of the key that will be destroyed
	At         time.Time `json:"at"`
}

// CustomerErasureStopped is recorded when the data has to stay for now, because
// orders or checkouts are open.
type CustomerErasureStopped struct {
	CustomerID  string    `json:"customer_id"`
	OrderIDs    []string  `json:"order_ids"`
	CheckoutIDs []string  `json:"checkout_ids"`
	At          time.Time `json:"at"`
}

// CustomerErased is recorded once, after the key of the customer's data was
// destroyed. Consumers may rely on nothing of it being readable any more, and
// should forget what they know of the customer themselves.
type CustomerErased struct {
	CustomerID string    `json:"customer_id"`
	KeyID      string    `json:"key_id"` // of the key that was destroyed
	At         time.Time `json:"at"`
}

// CustomerDataExported is recorded when everything known of the customer was
// put together for somebody. ExportID is a key into the vault.
type CustomerDataExported struct {
	CustomerID string    `json:"customer_id"`
	ExportID   string    `json:"export_id"`
	At         time.Time `json:"at"`
}

// EventName implements [domain.Event].
func (CustomerRegistered) EventName() string { return "CustomerRegistered" }

// EventName implements [domain.Event].
func (CustomerContactChanged) EventName() string { return "CustomerContactChanged" }

// EventName implements [domain.Event].
func (CustomerErasureBegun) EventName() string { return "CustomerErasureBegun" }

// EventName implements [domain.Event].
func (CustomerErasureStopped) EventName() string { return "CustomerErasureStopped" }

// EventName implements [domain.Event].
func (CustomerErased) EventName() string { return "CustomerErased" }

// EventName implements [domain.Event].
func (CustomerDataExported) EventName() string { return "CustomerDataExported" }

func (CustomerRegistered) event()     {}
func (CustomerContactChanged) event() {}
func (CustomerErasureBegun) event()   {}
func (CustomerErasureStopped) event() {}
func (CustomerErased) event()         {}
func (CustomerDataExported) event()   {}

// EventTypes describes every stored event of this package.
func EventTypes() []domain.EventType {
	return domain.EventTypes(
		CustomerRegistered{}, CustomerContactChanged{}, CustomerErasureBegun{}, CustomerErasureStopped{}, CustomerErased{}, CustomerDataExported{},
	)
}
