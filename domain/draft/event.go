package draft

import (
	"time"

	"github.com/waybill-dev/waybill/domain"
)

// Event is what can have happened to a draft.
//
//sumtype:decl
type Event interface {
	domain.Event
	event()
}

// DraftOpened is recorded once, first in every draft's stream.
type DraftOpened struct {
	DraftID  string    `json:"draft_id"`
	Currency string    `json:"currency"`
	At       time.Time `json:"at"`
}

// DraftLineSet is recorded when there are to be so many units of a SKU in all.
type DraftLineSet struct {
	DraftID string `json:"draft_id"`
	Line
	At time.Time `json:"at"`
}

// DraftLineRemoved is recorded when a SKU is no longer wanted.
type DraftLineRemoved struct {
	DraftID string    `json:"draft_id"`
	SKU     string    `json:"sku"`
	At      time.Time `json:"at"`
}

// DraftDetailsSet is recorded when it is said who a draft is for and how it will
// be paid. It replaces what was said before.
type DraftDetailsSet struct {
	DraftID string `json:"draft_id"`
	Details
	At time.Time `json:"at"`
}

// DraftPlacementBegun is recorded before a checkout is made of a draft's
// content. DraftPlaced or DraftPlacementEnded follows, and nothing else.
type DraftPlacementBegun struct {
	DraftID       string    `json:"draft_id"`
	CheckoutID    string    `json:"checkout_id"`
	RequestID     string    `json:"request_id"`
	Fingerprint   string    `json:"fingerprint"`
	PaymentMethod string    `json:"payment_method"`
	ReturnURL     string    `json:"return_url,omitempty"`
	At            time.Time `json:"at"`
}

// DraftPlacementEnded is recorded when the checkout came to nothing: the draft
// may be changed and placed again. Reason is a code.
type DraftPlacementEnded struct {
	DraftID    string    `json:"draft_id"`
	CheckoutID string    `json:"checkout_id"`
	Reason     string    `json:"reason"`
	At         time.Time `json:"at"`
}

// DraftPlaced is recorded once, when there is an order. It is the last event.
type DraftPlaced struct {
	DraftID    string    `json:"draft_id"`
	CheckoutID string    `json:"checkout_id"`
	OrderID    string    `json:"order_id"`
	At         time.Time `json:"at"`
}

// DraftDiscarded is recorded once, when there will be no order. It is the last
// event.
type DraftDiscarded struct {
	DraftID string    `json:"draft_id"`
	Reason  Reason    `json:"reason"`
	At      time.Time `json:"at"`
}

// EventName implements [domain.Event].
func (DraftOpened) EventName() string { return "DraftOpened" }

// EventName implements [domain.Event].
func (DraftLineSet) EventName() string { return "DraftLineSet" }

// EventName implements [domain.Event].
func (DraftLineRemoved) EventName() string { return "DraftLineRemoved" }

// EventName implements [domain.Event].
func (DraftDetailsSet) EventName() string { return "DraftDetailsSet" }

// EventName implements [domain.Event].
func (DraftPlacementBegun) EventName() string { return "DraftPlacementBegun" }

// EventName implements [domain.Event].
func (DraftPlacementEnded) EventName() string { return "DraftPlacementEnded" }

// EventName implements [domain.Event].
func (DraftPlaced) EventName() string { return "DraftPlaced" }

// EventName implements [domain.Event].
func (DraftDiscarded) EventName() string { return "DraftDiscarded" }

func (DraftOpened) event()         {}
func (DraftLineSet) event()        {}
func (DraftLineRemoved) event()    {}
func (DraftDetailsSet) event()     {}
func (DraftPlacementBegun) event() {}
func (DraftPlacementEnded) event() {}
func (DraftPlaced) event()         {}
func (DraftDiscarded) event()      {}

// EventTypes describes every stored event of this package.
func EventTypes() []domain.EventType {
	return domain.EventTypes(
		DraftOpened{}, DraftLineSet{}, DraftLineRemoved{}, DraftDetailsSet{},
		DraftPlacementBegun{}, DraftPlacementEnded{}, DraftPlaced{}, DraftDiscarded{},
	)
}
