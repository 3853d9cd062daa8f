// Package stock is one SKU at one location: what is there, what is set aside
// for checkouts and what belongs to orders. It promises never to promise more
// units than are on hand plus the backorder limit, whatever the order of
// commands, and that every command may be repeated. What is over is forgotten
// after a while, so that an item does not grow with its history; where a
// command might repeat something forgotten the answer is [ErrForgotten], and
// whoever asked looks it up in the log, see [Memory].
package stock

import (
	"errors"
	"iter"
	"time"

	"github.com/waybill-dev/waybill/domain"
)

// MaxReceived is how many units may arrive at once.
const MaxReceived = 1_000_000_000

// Remembered is how many reservations that are over an item knows, the last
// ones, as many that expired, and as many references of deliveries, adjustments
// and returns.
const Remembered = 1_000

// Lasting is for how long an item knows a reservation that is over for good,
// although it is among the last ones. Time goes by as the item's own events tell:
// it is the latest time that any reservation was to expire when it was made, which
// for all of them is about as long after that.
const Lasting = time.Minute

// Policy says what happens when all units are promised.
type Policy string

// What may happen when all units are promised.
const (
	Deny      Policy = "deny"
	Backorder Policy = "backorder"
)

// ForEdit begins the ids of reservations that are made for new lines of an
// order, so that those can be found that never came to belong to one.
const ForEdit = "edit:"

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

// Answers that are for the program that asked, and not for its caller.
var (
	// ErrForgotten says that the command may repeat something that is no
	// longer known: decide it again with what the log tells, see [Forgotten].
	ErrForgotten = errors.New("the log is to be asked")
	// ErrCrowded says that there is not enough, but that there are expired
	// reservations, perhaps more than one command releases: let [Sweep] release
	// them, and decide the command again.
	ErrCrowded = errors.New("expired reservations are to be released first")
)

// Status is where a reservation is.
type Status string

// Where a reservation may be.
const (
	StatusReserved  Status = "reserved"
	StatusCommitted Status = "committed" // part of it may be shipped
	StatusReleased  Status = "released"
	StatusShipped   Status = "shipped" // all of it
)

// Reservation is a number of units for one checkout.
type Reservation struct {
	Status     Status
	CheckoutID string
	OrderID    string // once committed
	Quantity   int
	Shipped    int // of Quantity
	ExpiresAt  time.Time
	Reason     Reason // once released

	shipments *shipment // newest first
	until     time.Time // the latest it was ever to expire
	over      time.Time // the item's time when it was over for good
	number    int       // in the order in which they were made
}

// lapsed reports whether its units may be taken again: an item that forgets such
// a reservation soon would not learn that it is given up for good.
func (r Reservation) lapsed() bool { return r.Status == StatusReleased && r.Reason == Expired }

// shipment is what left at once, and what had left before. It is never changed.
type shipment struct {
	id       string
	quantity int
	before   *shipment
}

// Open reports whether units are held for the reservation.
func (r Reservation) Open() bool { return r.Status == StatusReserved || r.Status == StatusCommitted }

// Left returns how many of its units have not left.
func (r Reservation) Left() int { return r.Quantity - r.Shipped }

// State is a stock item. The zero value is not registered and has nothing. A
// state is never changed by what is folded onto it.
type State struct {
	Location, SKU  string
	Policy         Policy
	BackorderLimit int
	OnHand         int // received and not shipped; below 0 if backorders left before they arrived
	Reserved       int // set aside for checkouts
	Committed      int // of orders, and not shipped

	open    trie[*Reservation]   // units are held for these
	expiry  order                // of those reserved
	lapsed  recent[*Reservation] // released as expired
	closed  recent[*Reservation] // released for another reason, or shipped in full
	horizon horizon              // of what is forgotten
	latest  time.Time            // the item's time: the latest that a reservation was to expire when it was made
	refs    recent[int]          // of deliveries, adjustments and returns, with their quantity
	faded   filter               // refs that are forgotten
	made    int                  // reservations so far
	memory  *Memory              // what the log said, while a command is decided
	keep    int                  // what is remembered of each; 0 is Remembered
	lasting time.Duration        // of what is over for good; 0 is Lasting
}

// Known reports whether the item is registered.
func (s State) Known() bool { return s.SKU != "" }

// Available returns how many units may still be promised.
func (s State) Available() int { return s.OnHand + s.BackorderLimit - s.Reserved - s.Committed }

// Size returns how many reservations and references are remembered.
func (s State) Size() int {
	return s.open.size + s.lapsed.values.size + s.closed.values.size + s.refs.values.size
}

// Expired reports whether a reservation is over its time.
func (s State) Expired(at time.Time) bool {
	first, any := s.expiry.first()
	return any && !first.at.After(at)
}

// Reservation returns a reservation that is open or remembered.
func (s State) Reservation(id string) (Reservation, bool) {
	if r, there := s.open.get(id); there {
		return *r, true
	}
	if r, there := s.lapsed.get(id); there {
		return *r, true
	}
	if r, there := s.closed.get(id); there {
		return *r, true
	}
	return Reservation{}, false
}

// Reservations yields every reservation that is open or remembered.
func (s State) Reservations() iter.Seq2[string, Reservation] {
	return func(yield func(string, Reservation) bool) {
		for id, r := range s.open.all() {
			if !yield(id, *r) {
				return
			}
		}
		for id, r := range s.lapsed.all() {
			if !yield(id, *r) {
				return
			}
		}
		for id, r := range s.closed.all() {
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
