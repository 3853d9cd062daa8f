package order

import (
	"time"

	"github.com/waybill-dev/waybill/domain"
)

// HoldReason is why an order is held.
type HoldReason string

// Why an order may be held.
const (
	HoldFraud          HoldReason = "fraud"
	HoldManual         HoldReason = "manual"
	HoldAddress        HoldReason = "address"
	HoldStockShortfall HoldReason = "stock_shortfall"
)

// Visibility is who may read a note.
type Visibility string

// Who may read a note.
const (
	Internal    Visibility = "internal"
	ForCustomer Visibility = "customer"
)

// OrderHeld is recorded when an order must not go on for the time being: it is
// neither shipped nor captured until OrderHoldReleased. An order that is held
// already may be held for another reason as well; one release ends all holds.
//
// Until, where it is given, is when somebody should have looked. The text of a
// note is in the vault.
type OrderHeld struct {
	OrderID string     `json:"order_id"`
	HoldID  string     `json:"hold_id"`
	Reason  HoldReason `json:"reason"`
	NoteRef string     `json:"note_ref,omitempty"`
	Until   time.Time  `json:"until,omitzero"`
}

// OrderHoldReleased is recorded when a held order may go on where it was. It
// ends every hold there is.
type OrderHoldReleased struct {
	OrderID string `json:"order_id"`
	By      string `json:"by"` // an actor's id or a process's name
	NoteRef string `json:"note_ref,omitempty"`
}

// OrderNoteAdded is recorded when somebody wrote something down about an
// order, in whatever state. The text itself is in the vault.
type OrderNoteAdded struct {
	OrderID    string     `json:"order_id"`
	NoteID     string     `json:"note_id"`
	TextRef    string     `json:"text_ref"`
	Visibility Visibility `json:"visibility"`
}

// OrderTagged is recorded when an order's tags change, in whatever state.
//
// Consumers may rely on Add being new to the order, on Remove having been
// there, and on at least one of them.
type OrderTagged struct {
	OrderID string   `json:"order_id"`
	Add     []string `json:"add,omitempty"`
	Remove  []string `json:"remove,omitempty"`
}

// OrderAddressChanged is recorded when what is yet to be shipped goes
// elsewhere. The address is in the vault; its country is empty where nobody
// said.
type OrderAddressChanged struct {
	OrderID       string `json:"order_id"`
	ShipToRef     string `json:"ship_to_ref"`
	ShipToCountry string `json:"ship_to_country,omitempty"`
}

// OrderCancelRequested is recorded when somebody wants an order, or what of it
// is not shipped, to be cancelled. OrderCancelled or OrderCancelRefused
// follows, once the warehouse has answered and everything is undone.
type OrderCancelRequested struct {
	OrderID   string `json:"order_id"`
	RequestID string `json:"request_id"`
	Reason    string `json:"reason"`
	By        string `json:"by"`
}

// OrderCancelled is recorded when whatever was not shipped is cancelled, and
// says what was undone for it. What had been shipped before can still be
// delivered and returned.
type OrderCancelled struct {
	OrderID  string       `json:"order_id"`
	Reason   string       `json:"reason"`             // that of the request
	Refunded domain.Money `json:"refunded"`           // captured, and given back
	Voided   domain.Money `json:"voided"`             // authorised, and let go of
	Released []string     `json:"released,omitempty"` // reservation ids
	Lines    []Units      `json:"lines,omitempty"`
}

// OrderCancelRefused is recorded when it was too late to cancel. The order goes
// on where it was. With the reason "shipped" it follows at once on the
// OrderShipped that made it too late.
type OrderCancelRefused struct {
	OrderID string `json:"order_id"`
	Reason  string `json:"reason"`
}

// OrderCompleted is recorded when nothing is expected to happen to an order any
// more: some time after its delivery or return, with no return or refund open.
type OrderCompleted struct {
	OrderID string    `json:"order_id"`
	At      time.Time `json:"at"`
}

// OrderReopened is recorded when something happens to a completed order after
// all. With the reason "return" a return of the order follows at once.
type OrderReopened struct {
	OrderID string `json:"order_id"`
	Reason  string `json:"reason"`
}

// EventName implements [domain.Event].
func (OrderHeld) EventName() string { return "OrderHeld" }

// EventName implements [domain.Event].
func (OrderHoldReleased) EventName() string { return "OrderHoldReleased" }

// EventName implements [domain.Event].
func (OrderNoteAdded) EventName() string { return "OrderNoteAdded" }

// EventName implements [domain.Event].
func (OrderTagged) EventName() string { return "OrderTagged" }

// EventName implements [domain.Event].
func (OrderAddressChanged) EventName() string { return "OrderAddressChanged" }

// EventName implements [domain.Event].
func (OrderCancelRequested) EventName() string { return "OrderCancelRequested" }

// EventName implements [domain.Event].
func (OrderCancelled) EventName() string { return "OrderCancelled" }

// EventName implements [domain.Event].
func (OrderCancelRefused) EventName() string { return "OrderCancelRefused" }

// EventName implements [domain.Event].
func (OrderCompleted) EventName() string { return "OrderCompleted" }

// EventName implements [domain.Event].
func (OrderReopened) EventName() string { return "OrderReopened" }

func (OrderHeld) event()            {}
func (OrderHoldReleased) event()    {}
func (OrderNoteAdded) event()       {}
func (OrderTagged) event()          {}
func (OrderAddressChanged) event()  {}
func (OrderCancelRequested) event() {}
func (OrderCancelled) event()       {}
func (OrderCancelRefused) event()   {}
func (OrderCompleted) event()       {}
func (OrderReopened) event()        {}
