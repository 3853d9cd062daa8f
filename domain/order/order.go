// Package order is what a customer bought, from placing to the last refund. It
// promises that an order is placed once and moves only as its table of states
// says; that its amounts add up in one currency; that no more is shipped than
// was ordered, returned than was shipped and refunded than was captured; and
// that every command may be repeated.
//
// Stock and money are promised by their own aggregates. An order knows of them
// what is copied into its stream, so that it can judge alone.
package order

import "github.com/waybill-dev/waybill/domain"

// Limits of an order.
const (
	MaxLines    = 2_000
	MaxQuantity = 9_999
)

// Rules an order may refuse a command by.
var (
	ErrNoLines           = domain.Rule("cart-invalid", "an order needs at least one line")
	ErrTotals            = domain.Rule("totals-mismatch", "the order's amounts do not add up")
	ErrIDReused          = domain.Rule("id-reused", "the id was used before, with other content")
	ErrInvalid           = domain.Rule("order-invalid", "the command has mistakes")
	ErrUnknown           = domain.Rule("reference-unknown", "the order has nothing with this id")
	ErrTransition        = domain.Rule("invalid-transition", "the order is not in a state that allows this")
	ErrOnHold            = domain.Rule("order-on-hold", "an order on hold is neither shipped nor captured")
	ErrQuantity          = domain.Rule("quantity-exceeded", "there are not that many units")
	ErrExceedsAuthorised = domain.Rule("amount-exceeds-authorised", "the amount is more than is authorised")
	ErrExceedsCaptured   = domain.Rule("amount-exceeds-captured", "the amount is more than is captured and not given back")
	ErrHandedOver        = domain.Rule("address-handed-over", "a warehouse has been told where the parcel goes")
	ErrStillOpen         = domain.Rule("order-still-open", "a return or a refund of the order is still open")
)

// Decider is the order as an aggregate.
var Decider = domain.Decider[State, Command, Event]{Category: "order", Decide: decide, Evolve: evolve}
