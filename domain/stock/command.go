package stock

import "time"

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

// SetPolicy says what happens when all units are promised. An item nobody
// registered is registered by it.
type SetPolicy struct {
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

// Adjust corrects how many units are on hand. If fewer are left than are
// promised, the shortfall is recorded with it. A Ref that was used before with
// the same Delta changes nothing.
type Adjust struct {
	Delta  int
	Reason string // a word, see [domain.ValidWord]
	Ref    string
}

// Reserve sets units aside for a checkout. ReservationID names it for ever; a
// repeat has the same ExpiresAt, by which one that is too old to be remembered
// is told from a new one.
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
// placed or was cancelled, as far as they are not shipped. One that expired
// cannot be made again after it. Releasing what is not there changes nothing.
type Release struct {
	ReservationID string
	Reason        Reason
	// Keep, if any, is how many units the reservation shall still have, shipped
	// ones included. Where it has no more there is nothing to release.
	Keep int
}

// Commit gives reserved units to an order. A reservation that was released as
// expired is made again, if the units are still free.
type Commit struct {
	ReservationID string
	OrderID       string
	At            time.Time
}

// Sweep releases reservations that have expired, the oldest first, up to 250.
// Where more have, it is to be repeated.
type Sweep struct{ At time.Time }

// Ship takes committed units out of the location. A ShipmentID that took the
// same quantity of the reservation before changes nothing. It does not ask
// whether they are on hand: they have left.
type Ship struct {
	ReservationID string
	ShipmentID    string
	Quantity      int
}

// Return puts shipped units back. A ReturnID that brought the same quantity
// before changes nothing. An item nobody registered is registered by it, as by
// Receive.
type Return struct {
	Location, SKU string
	ReturnID      string
	Quantity      int
}

func (Register) command()  {}
func (SetPolicy) command() {}
func (Receive) command()   {}
func (Adjust) command()    {}
func (Reserve) command()   {}
func (Extend) command()    {}
func (Release) command()   {}
func (Commit) command()    {}
func (Sweep) command()     {}
func (Ship) command()      {}
func (Return) command()    {}
