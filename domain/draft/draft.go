// Package draft is an order that somebody is putting together: lines, who it is
// for, how it will be paid. Nothing of it is reserved or paid. It promises that
// a draft comes to at most one order, and that it does not change while it is
// being placed. It must not know how an order is placed.
package draft

import (
	"reflect"
	"time"

	"github.com/waybill-dev/waybill/domain"
)

// Status is where a draft is.
type Status string

// Where a draft may be. One nobody opened has no status.
const (
	Open      Status = "open"
	Placing   Status = "placing" // a checkout of its content may come to an order
	Placed    Status = "placed"
	Discarded Status = "discarded"
)

// Limits of a draft. An order is checked again when the draft is placed.
const (
	MaxLines    = 2_000
	MaxQuantity = 9_999
	// MaxDiscounts is how many discounts it may have beside those of lines.
	MaxDiscounts = 100
)

// Rules a command to a draft may be refused by.
var (
	ErrNotFound  = domain.Rule("draft-not-found", "there is no such draft")
	ErrInvalid   = domain.Rule("draft-invalid", "the change of the draft has mistakes")
	ErrPlacing   = domain.Rule("draft-placing", "the draft is being placed and cannot be changed")
	ErrPlaced    = domain.Rule("draft-placed", "the draft was placed: change the order")
	ErrDiscarded = domain.Rule("draft-discarded", "the draft was discarded")
)

// Reason is why a draft was discarded.
type Reason string

// Why a draft may be discarded.
const (
	Requested      Reason = "requested"
	CustomerErased Reason = "customer_erased"
)

// Line is so many units of a SKU. There is one line of each. Discount and Tax
// are those of the whole line; without a currency they are none.
type Line struct {
	SKU      string       `json:"sku"`
	Quantity int          `json:"quantity"`
	Discount domain.Money `json:"discount,omitzero"`
	Tax      domain.Money `json:"tax,omitzero"`
}

// Shipping is how the goods go, and what the shop takes for that.
type Shipping struct {
	Method string       `json:"method"`
	Price  domain.Money `json:"price"`
	Tax    domain.Money `json:"tax"`
}

// Discount is what a code takes off.
type Discount struct {
	Code   string       `json:"code"`
	Amount domain.Money `json:"amount"`
}

// Details are who a draft is for, how it will go and be paid, and what the shop
// takes and takes off for that. There is no personal data in it: what ends in
// Ref is a key into the vault.
type Details struct {
	CustomerID    string `json:"customer_id,omitempty"`
	ContactRef    string `json:"contact_ref,omitempty"`
	ShipToRef     string `json:"ship_to_ref,omitempty"`
	BillToRef     string `json:"bill_to_ref,omitempty"`
	ShipToCountry string `json:"ship_to_country,omitempty"`
	PaymentMethod string `json:"payment_method,omitempty"`
	// Channel is the sales channel; empty is the shop itself.
	Channel   string     `json:"channel,omitempty"`
	Shipping  Shipping   `json:"shipping,omitzero"`
	Discounts []Discount `json:"discounts,omitempty"`
}

func (d Details) equal(other Details) bool { return reflect.DeepEqual(d, other) }

// Attempt is a checkout of a draft's content. At most the last one is not over.
type Attempt struct {
	CheckoutID    string
	RequestID     string // of the request that began it
	Fingerprint   string // of its content
	PaymentMethod string
	ReturnURL     string
	BegunAt       time.Time
}

// State is a draft.
type State struct {
	DraftID, Currency   string
	Status              Status
	Lines               []Line // in the order they were first set
	Details             Details
	Attempts            []Attempt
	OrderID             string // once placed
	OpenedAt, ChangedAt time.Time
}

// Last returns the last attempt to place the draft, the zero value if there was
// none.
func (s State) Last() Attempt {
	if len(s.Attempts) == 0 {
		return Attempt{}
	}
	return s.Attempts[len(s.Attempts)-1]
}

// Decider is the draft as an aggregate: stream draft-{draft_id}.
var Decider = domain.Decider[State, Command, Event]{Category: "draft", Decide: decide, Evolve: evolve}
