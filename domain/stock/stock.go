// Package stock is one SKU at one location: what is there, what is set aside
// for checkouts and what belongs to orders. It promises never to promise more
// units than are on hand plus the backorder limit, whatever the order of
// commands, and that every command may be repeated.
package stock

import (
	"iter"
	"time"

	"github.com/waybill-dev/waybill/domain"
)

// MaxReceived is how many units may arrive at once.
const MaxReceived = 1_000_000_000

// Policy says what happens when all units are promised.
type Policy string

// What may happen when all units are promised.
const (
	Deny      Policy = "deny"
	Backorder Policy = "backorder"
)

// Reason says why a reservation was released.
type Reason string

// Why a reservation is released.
const (
	Expired      Reason = "expired"
	Declined     Reason = "declined"
	Cancelled    Reason = "cancelled"
	Compensation Reason = "compensation"
)

// Rules a stock item may refuse a command by.
var (
	ErrInvalid    = domain.Rule("stock-invalid", "the stock command has mistakes")
	ErrOutOfStock = domain.Rule("out-of-stock", "there are not enough units left")
	ErrConflict   = domain.Rule("reservation-conflict", "the reservation exists with other content")
	ErrExpired    = domain.Rule("reservation-expired", "the reservation expired and its units are gone")
	ErrIDReused   = domain.Rule("id-reused", "the id was used before, with other content")
)

// Command is a wish to change a stock item.
//
//sumtype:decl
type Command interface{ command() }

// Register sets an item up. An item that receives stock first is registered by
// that, to deny what is not there.
type Register struct {
	Location, SKU  string
	Policy         Policy
	BackorderLimit int
}

// Receive adds units. A Ref that was received before with the same quantity
// changes nothing.
type Receive struct {
	Location, SKU string
	Quantity      int
	Ref           string
}

// Reserve sets units aside for a checkout.
type Reserve struct {
	Location, SKU string
	ReservationID string
	CheckoutID    string
	Quantity      int
	ExpiresAt     time.Time
	At            time.Time
}

// Extend keeps a reservation until a later time. If it has been released as
// expired it is made again, if the units are still free.
type Extend struct {
	ReservationID string
	ExpiresAt     time.Time
	At            time.Time
}

// Release frees reserved units, also those committed to an order that was not
// placed. Releasing what is not there changes nothing.
type Release struct {
	ReservationID string
	Reason        Reason
}

// Commit gives reserved units to an order. A reservation that was released as
// expired is made again, if the units are still free.
type Commit struct {
	ReservationID string
	OrderID       string
	At            time.Time
}

func (Register) command() {}
func (Receive) command()  {}
func (Reserve) command()  {}
func (Extend) command()   {}
func (Release) command()  {}
func (Commit) command()   {}

// Status is where a reservation is.
type Status string

// Where a reservation may be.
const (
	StatusReserved  Status = "reserved"
	StatusCommitted Status = "committed"
	StatusReleased  Status = "released"
)

// Reservation is a number of units for one checkout.
type Reservation struct {
	Status     Status
	CheckoutID string
	OrderID    string // once committed
	Quantity   int
	ExpiresAt  time.Time
	Reason     Reason // once released
}

// State is a stock item. The zero value is not registered and has nothing. A
// state is never changed by what is folded onto it.
type State struct {
	Location, SKU  string
	Policy         Policy
	BackorderLimit int
	OnHand         int // received and not shipped
	Reserved       int // set aside for checkouts
	Committed      int // of orders, and not shipped

	receipts     trie[int]
	reservations trie[*Reservation]
	open         trie[time.Time] // of StatusReserved: when each expires
	nextExpiry   time.Time       // no open reservation expires before
}

// Known reports whether the item is registered.
func (s State) Known() bool { return s.SKU != "" }

// Available returns how many units may still be promised.
func (s State) Available() int { return s.OnHand + s.BackorderLimit - s.Reserved - s.Committed }

// Reservation returns a reservation that was ever made.
func (s State) Reservation(id string) (Reservation, bool) {
	if r, made := s.reservations.get(id); made {
		return *r, true
	}
	return Reservation{}, false
}

// Reservations yields every reservation that was ever made, by id.
func (s State) Reservations() iter.Seq2[string, Reservation] {
	return func(yield func(string, Reservation) bool) {
		for id, r := range s.reservations.all() {
			if !yield(id, *r) {
				return
			}
		}
	}
}

// Decider is the stock item as an aggregate; see [ID].
var Decider = domain.Decider[State, Command, Event]{Category: "stock", Decide: decide, Evolve: evolve}

// ID returns the id of the item of a SKU at a location.
func ID(location, sku string) string { return location + "." + sku }
