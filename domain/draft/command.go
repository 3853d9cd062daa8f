package draft

import "time"

// Command is what may be asked of a draft.
//
//sumtype:decl
type Command interface{ command() }

// OpenDraft begins a draft, with what is known of it.
type OpenDraft struct {
	DraftID, Currency string
	Lines             []Line
	Details           Details
	At                time.Time
}

// SetLine says how many units of a SKU are wanted.
type SetLine struct {
	Line
	At time.Time
}

// RemoveLine takes a SKU out.
type RemoveLine struct {
	SKU string
	At  time.Time
}

// SetDetails replaces all details.
type SetDetails struct {
	Details Details
	At      time.Time
}

// BeginPlacement closes the draft to changes while a checkout is made of it.
type BeginPlacement struct{ Attempt Attempt }

// EndPlacement says that a checkout came to nothing, and why.
type EndPlacement struct {
	CheckoutID, Reason string
	At                 time.Time
}

// Place says that a checkout came to an order.
type Place struct {
	CheckoutID, OrderID string
	At                  time.Time
}

// Discard throws the draft away.
type Discard struct {
	Reason Reason
	At     time.Time
}

func (OpenDraft) command()      {}
func (SetLine) command()        {}
func (RemoveLine) command()     {}
func (SetDetails) command()     {}
func (BeginPlacement) command() {}
func (EndPlacement) command()   {}
func (Place) command()          {}
func (Discard) command()        {}
