package order

import (
	"time"

	"github.com/waybill-dev/waybill/domain"
)

// Command is a wish to change an order. Ids come in, and tell a repeat, which
// changes nothing, from something else under the same id, which is refused.
//
//sumtype:decl
type Command interface{ command() }

// Place makes the order. Placing the same order again, at whatever time,
// changes nothing.
type Place struct{ Order OrderPlaced }

// Hold stops an order, or adds a reason to one that is stopped.
type Hold struct {
	HoldID  string
	Reason  HoldReason
	NoteRef string
	Until   time.Time // zero where nobody has said
}

// ReleaseHold lets a held order go on, whatever it was held for.
type ReleaseHold struct{ By, NoteRef string }

// AddNote attaches a note whose text is in the vault.
type AddNote struct {
	NoteID, TextRef string
	Visibility      Visibility
}

// Tag changes the tags of an order.
type Tag struct{ Add, Remove []string }

// ChangeAddress sends what is yet to be shipped elsewhere. The country is that
// of the address, ISO 3166, or empty.
type ChangeAddress struct{ ShipToRef, ShipToCountry string }

// Edit changes lines. Each line is as it shall be, with its amounts; quantity 0
// takes it out; a line that is not mentioned stays.
type Edit struct {
	EditID string
	Lines  []Line
}

// UpdatePayment copies what happened to a payment. Updates of one payment come
// in the order of its stream: an older one than the last changes nothing.
type UpdatePayment struct {
	PaymentID string
	Revision  int64 // of the event in the payment's stream
	Kind      PaymentKind
	Ref       string // the id of the capture or refund
	Amount    domain.Money
	Totals    PaymentTotals
	Final     bool // nothing is held any more, after a capture
}

// RequestFulfilment asks a warehouse for units.
type RequestFulfilment struct {
	RequestID, Location string
	Lines               []Units
}

// Ship records that a parcel has left. A repeat may tell another time. While
// the order is being cancelled it ends that: it is too late.
type Ship struct {
	ShipmentID        string
	Lines             []Units
	Carrier, Tracking string
	At                time.Time
}

// MarkDelivered records that a parcel has arrived.
type MarkDelivered struct {
	ShipmentID string
	At         time.Time
}

// FailShipment records that a parcel could not be delivered.
type FailShipment struct{ ShipmentID, Reason string }

// RequestReturn asks for goods to come back. It reopens a completed order.
type RequestReturn struct {
	ReturnID string
	Lines    []ReturnedUnits
	Kind     ReturnKind
	External External // of one that came about elsewhere
}

// ReceiveReturn records which goods came back. It ends the return.
type ReceiveReturn struct {
	ReturnID string
	Lines    []ReceivedUnits
}

// RejectReturn ends a return whose goods are not taken back.
type RejectReturn struct{ ReturnID, Reason string }

// RequestRefund asks for money to be given back.
type RequestRefund struct {
	RefundID string
	Amount   domain.Money
	Reason   string
	Lines    []Units // what it is for, if that is known
}

// CompleteRefund records that the gateway gave the money back.
type CompleteRefund struct {
	RefundID string
	Amount   domain.Money
}

// FailRefund records that the money could not be given back.
type FailRefund struct{ RefundID, Code string }

// RequestCancel asks for whatever is not shipped to be cancelled. An order that
// is being cancelled, or is cancelled, needs no asking.
type RequestCancel struct{ RequestID, Reason, By string }

// Cancel records that the cancellation is done, and what was undone for it. No
// amount means that there was nothing to undo.
type Cancel struct {
	Refunded, Voided domain.Money
	Released         []string
}

// RefuseCancel records that it was too late to cancel.
type RefuseCancel struct{ Reason string }

// Complete records that nothing more is expected of the order.
type Complete struct{ At time.Time }

// Reopen undoes that.
type Reopen struct{ Reason string }

func (Place) command()             {}
func (Hold) command()              {}
func (ReleaseHold) command()       {}
func (AddNote) command()           {}
func (Tag) command()               {}
func (ChangeAddress) command()     {}
func (Edit) command()              {}
func (UpdatePayment) command()     {}
func (RequestFulfilment) command() {}
func (Ship) command()              {}
func (MarkDelivered) command()     {}
func (FailShipment) command()      {}
func (RequestReturn) command()     {}
func (ReceiveReturn) command()     {}
func (RejectReturn) command()      {}
func (RequestRefund) command()     {}
func (CompleteRefund) command()    {}
func (FailRefund) command()        {}
func (RequestCancel) command()     {}
func (Cancel) command()            {}
func (RefuseCancel) command()      {}
func (Complete) command()          {}
func (Reopen) command()            {}
