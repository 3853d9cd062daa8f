package order

import (
	"slices"
	"time"

	"github.com/waybill-dev/waybill/domain"
)

// State is an order. The zero value was never placed. A state is never changed
// by what is folded onto it.
type State struct {
	// Status is where the order is in its life; see [Table].
	Status                          Status
	OrderID, Number                 string
	CheckoutID, CustomerID          string
	ContactRef, ShipToRef           string
	BillToRef                       string
	ShipToCountry, Channel          string
	Currency                        string
	Lines                           []Line // as edited
	Totals                          Totals // as edited
	Shipping                        Shipping
	Discounts                       []Discount
	PaymentID                       string       // of the payment it was placed with
	Authorised                      domain.Money // when it was placed
	External                        External
	PlacedAt, DeliveredAt, Finished time.Time // Finished is when it was completed

	// HeldFrom and CancellingFrom are the states to go back to.
	HeldFrom, CancellingFrom Status
	// Holds are those in force, PastHolds those released.
	Holds, PastHolds []OrderHeld
	// Released is the last release of a hold.
	Released OrderHoldReleased
	// CancelRequests are all that were made, the last one last.
	CancelRequests []OrderCancelRequested
	// Cancelled and CancelRefused are how the last cancellation ended.
	Cancelled     OrderCancelled
	CancelRefused OrderCancelRefused
	// Reopened is the last reopening.
	Reopened OrderReopened

	Notes     []OrderNoteAdded
	Tags      []string // sorted
	Edits     []OrderEdited
	Requests  []OrderFulfilmentRequested
	Shipments []Shipment
	Returns   []Return
	Refunds   []Refund
	Payments  []Payment // the one it was placed with first

	Placed  OrderPlaced         // as it was recorded
	PerLine map[string]Progress // by line; copied before it is changed
}

// Progress is how far the units of a line are. Each is part of the next: what
// is returned was shipped, what is shipped was ordered and not cancelled.
type Progress struct {
	Cancelled int
	Requested int // of a warehouse, and not shipped
	Shipped   int
	Delivered int
	Returning int // asked back, and not received or rejected
	Returned  int
}

// Shipment is a parcel.
type Shipment struct {
	Shipped     OrderShipped
	Delivered   bool
	DeliveredAt time.Time
	Failed      string // why, where it failed the last time
}

// ReturnStatus is where a return is.
type ReturnStatus string

// Where a return may be.
const (
	ReturnOpen     ReturnStatus = "requested"
	ReturnReceived ReturnStatus = "received"
	ReturnRejected ReturnStatus = "rejected"
)

// Return is goods that come back.
type Return struct {
	Requested OrderReturnRequested
	Status    ReturnStatus
	Received  []ReceivedUnits
	Reason    string // why it was rejected
}

// RefundStatus is where a refund is.
type RefundStatus string

// Where a refund may be.
const (
	RefundPending RefundStatus = "requested"
	RefundDone    RefundStatus = "refunded"
	RefundFailed  RefundStatus = "failed"
)

// Refund is money that goes back.
type Refund struct {
	Requested OrderRefundRequested
	Status    RefundStatus
	Code      string // why it failed
}

// Progress returns how far the units of a line are.
func (s State) Progress(lineID string) Progress { return s.PerLine[lineID] }

// Line returns a line of the order.
func (s State) Line(lineID string) (Line, bool) {
	if i := s.line(lineID); i >= 0 {
		return s.Lines[i], true
	}
	return Line{}, false
}

func (s State) line(lineID string) int {
	return slices.IndexFunc(s.Lines, func(l Line) bool { return l.LineID == lineID })
}

// Left returns how many units of a line are neither shipped nor cancelled.
func (s State) Left(l Line) int {
	p := s.PerLine[l.LineID]
	return l.Quantity - p.Cancelled - p.Shipped
}

// Open reports whether a return or a refund is under way.
func (s State) Open() bool {
	return slices.ContainsFunc(s.Returns, func(r Return) bool { return r.Status == ReturnOpen }) ||
		slices.ContainsFunc(s.Refunds, func(r Refund) bool { return r.Status == RefundPending })
}

// Underway reports whether a parcel has neither arrived nor come back, or a
// return or a refund is under way.
func (s State) Underway() bool {
	return s.Open() || s.Returnable() && slices.ContainsFunc(s.Shipments, func(p Shipment) bool { return !p.Delivered })
}

// Returnable reports whether units that were shipped have not come back.
func (s State) Returnable() bool { return !s.back() }

// MayCapture returns why money of the order may not be captured, or nil. The
// payment decides how much.
func (s State) MayCapture() error {
	switch s.Status {
	case StatusOnHold:
		return ErrOnHold.With("state", string(s.Status)).With("command", "capture").With("allowed", allowed(s.Status))
	case "", StatusCancelling, StatusCancelled:
		return s.refuse("capture")
	case StatusPlaced, StatusProcessing, StatusPartiallyShipped, StatusShipped, StatusDelivered, StatusReturned, StatusCompleted:
	}
	return nil
}

// count sums something over all lines.
func (s State) count(of func(Line, Progress) int) int {
	n := 0
	for _, l := range s.Lines {
		n += of(l, s.PerLine[l.LineID])
	}
	return n
}

func (s State) left() int { return s.count(func(l Line, _ Progress) int { return s.Left(l) }) }

func (s State) shipped() int { return s.count(func(_ Line, p Progress) int { return p.Shipped }) }

// arrived reports whether nothing is left to ship or under way.
func (s State) arrived() bool {
	return s.left() <= 0 && !slices.ContainsFunc(s.Shipments, func(p Shipment) bool { return !p.Delivered })
}

// back reports whether everything that was shipped has come back.
func (s State) back() bool {
	return s.count(func(_ Line, p Progress) int { return p.Shipped - p.Returned }) <= 0
}
