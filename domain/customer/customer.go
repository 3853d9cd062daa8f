// Package customer is a person who orders, by a pseudonym: what was done with
// the personal data, which itself is in the vault. A customer need not be
// registered: somebody who ordered has an id too. It promises that what was
// erased stays erased.
package customer

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/domain"
)

// Status is where a customer is.
type Status string

// Where a customer may be. One of whom nothing is recorded but orders has no
// status.
const (
	Registered Status = "registered"
	Erasing    Status = "erasing"
	Erased     Status = "erased"
)

// Rules a command about a customer may be refused by.
var (
	ErrNotFound    = domain.Rule("customer-not-found", "there is no such customer")
	ErrErased      = domain.Rule("customer-erased", "the customer's data was erased")
	ErrErasing     = domain.Rule("customer-erasing", "the customer's data is being erased")
	ErrOpenOrders  = domain.Rule("open-orders", "the customer has orders that are not over")
	ErrIsCustomers = domain.Rule("order-of-customer", "the order is a customer's, whose data is erased as a whole")
	ErrNotErasing  = domain.Rule("erasure-not-begun", "the customer's data is not being erased")
)

// guest begins the ids of customers who are known by one order alone.
const guest = "order:"

// Guest is the id under which the personal data of an order without a customer
// is kept.
func Guest(orderID string) string { return guest + orderID }

// GuestOf returns the one order of a guest.
func GuestOf(customerID string) (orderID string, is bool) {
	return strings.CutPrefix(customerID, guest)
}

// Command is what may be asked of a customer.
//
//sumtype:decl
type Command interface{ command() }

// Register keeps how a customer can be reached; again, it changes that.
type Register struct {
	CustomerID, ContactRef string
	At                     time.Time
}

// BeginErasure says that no new order of the customer is taken, and which key
// is going to be destroyed.
type BeginErasure struct {
	CustomerID, KeyID string
	At                time.Time
}

// StopErasure takes that back, because of orders and checkouts that are open.
type StopErasure struct {
	OrderIDs, CheckoutIDs []string
	At                    time.Time
}

// FinishErasure says that the key was destroyed.
type FinishErasure struct{ At time.Time }

// NoteExport says that the customer's data was put together.
type NoteExport struct {
	CustomerID, ExportID string
	At                   time.Time
}

func (Register) command()      {}
func (BeginErasure) command()  {}
func (StopErasure) command()   {}
func (FinishErasure) command() {}
func (NoteExport) command()    {}

// State is a customer.
type State struct {
	CustomerID   string
	Status       Status
	ContactRef   string
	RegisteredAt time.Time
	KeyID        string // that is being, or was, destroyed
	ErasedAt     time.Time
	Exports      []CustomerDataExported
}

// Decider is the customer as an aggregate: stream customer-{customer_id}.
var Decider = domain.Decider[State, Command, Event]{Category: "customer", Decide: decide, Evolve: evolve}

func decide(s State, c Command) ([]Event, error) {
	switch c := c.(type) {
	case Register:
		return register(s, c)
	case BeginErasure:
		if s.Status == Erased || s.Status == Erasing {
			return nil, nil
		}
		return []Event{CustomerErasureBegun(c)}, nil
	case StopErasure:
		return stopErasure(s, c)
	case FinishErasure:
		return finishErasure(s, c)
	case NoteExport:
		return noteExport(s, c)
	}
	panic(fmt.Sprintf("customer: unknown command %T", c))
}

func register(s State, c Register) ([]Event, error) {
	switch {
	case s.Status == Erased:
		return nil, ErrErased
	case s.Status == Erasing:
		return nil, ErrErasing
	case s.ContactRef == c.ContactRef:
		return nil, nil
	case s.RegisteredAt.IsZero():
		return []Event{CustomerRegistered{CustomerID: c.CustomerID, ContactRef: c.ContactRef, RegisteredAt: c.At}}, nil
	}
	return []Event{CustomerContactChanged(c)}, nil
}

func stopErasure(s State, c StopErasure) ([]Event, error) {
	switch s.Status {
	case Erased:
		return nil, ErrErased
	case Erasing:
		return []Event{CustomerErasureStopped{CustomerID: s.CustomerID, OrderIDs: c.OrderIDs, CheckoutIDs: c.CheckoutIDs, At: c.At}}, nil
	default:
		return nil, nil
	}
}

func finishErasure(s State, c FinishErasure) ([]Event, error) {
	switch s.Status {
	case Erased:
		return nil, nil
	case Erasing:
		return []Event{CustomerErased{CustomerID: s.CustomerID, KeyID: s.KeyID, At: c.At}}, nil
	default:
		return nil, ErrNotErasing
	}
}

func noteExport(s State, c NoteExport) ([]Event, error) {
	for _, done := range s.Exports {
		if done.ExportID == c.ExportID {
			return nil, nil
		}
	}
	if s.Status == Erased {
		return nil, ErrErased
	}
	return []Event{CustomerDataExported(c)}, nil
}

func evolve(s State, e Event) State {
	switch e := e.(type) {
	case CustomerRegistered:
		s.CustomerID, s.Status, s.ContactRef, s.RegisteredAt = e.CustomerID, Registered, e.ContactRef, e.RegisteredAt
	case CustomerContactChanged:
		s.ContactRef = e.ContactRef
	case CustomerErasureBegun:
		s.CustomerID, s.Status, s.KeyID = e.CustomerID, Erasing, e.KeyID
	case CustomerErasureStopped:
		s.Status, s.KeyID = "", ""
		if !s.RegisteredAt.IsZero() {
			s.Status = Registered
		}
	case CustomerErased:
		s.Status, s.ErasedAt = Erased, e.At
	case CustomerDataExported:
		s.CustomerID = e.CustomerID
		s.Exports = append(slices.Clip(s.Exports), e)
	}
	return s
}
