package order

import "github.com/waybill-dev/waybill/domain"

// Change is what becomes of a line. The amounts are those of QuantityTo units.
// A line with QuantityTo 0 is taken out, one with QuantityFrom 0 is new.
type Change struct {
	LineID        string       `json:"line_id"`
	SKU           string       `json:"sku"`
	Title         string       `json:"title"`
	QuantityFrom  int          `json:"quantity_from"`
	QuantityTo    int          `json:"quantity_to"`
	UnitPrice     domain.Money `json:"unit_price"`
	Discount      domain.Money `json:"discount"`
	Tax           domain.Money `json:"tax"`
	Total         domain.Money `json:"total"`
	Location      string       `json:"location"`
	ReservationID string       `json:"reservation_id"`
}

// OrderEdited is recorded when lines of an order change before anything of it
// is asked of a warehouse, or while it is held.
//
// Consumers may rely on Totals being the sums of all lines, on Delta being what
// the order costs more than before, and on no more being owed than is
// authorised. An existing line never gets more units: those are another line,
// with a price and a reservation of its own.
type OrderEdited struct {
	OrderID string       `json:"order_id"`
	EditID  string       `json:"edit_id"`
	Changes []Change     `json:"changes"`
	Totals  Totals       `json:"totals"`
	Delta   domain.Money `json:"delta"`
}

// PaymentKind is what happened to a payment.
type PaymentKind string

// What may happen to a payment.
const (
	PaymentAuthorised  PaymentKind = "authorised"
	PaymentCaptured    PaymentKind = "captured"
	PaymentRefunded    PaymentKind = "refunded"
	PaymentVoided      PaymentKind = "voided"
	PaymentFailed      PaymentKind = "failed"
	PaymentChargedBack PaymentKind = "charged_back"
	PaymentExpired     PaymentKind = "expired"
)

// PaymentTotals are the sums of a payment so far.
type PaymentTotals struct {
	Authorised domain.Money `json:"authorised"`
	Captured   domain.Money `json:"captured"`
	Refunded   domain.Money `json:"refunded"`
}

// OrderPaymentUpdated is recorded when something happened to a payment of the
// order, in whatever state. It is a copy of an event of the payment's stream,
// so that the order can judge alone.
//
// Consumers may rely on PaymentRevision, the place of that event in the
// payment's stream, growing from one update of a payment to the next, and on
// Ref being there for what was captured or refunded. A refund of the order that
// is paid out of several payments is the Ref of all its parts.
type OrderPaymentUpdated struct {
	OrderID         string        `json:"order_id"`
	PaymentID       string        `json:"payment_id"`
	PaymentRevision int64         `json:"payment_revision"`
	Kind            PaymentKind   `json:"kind"`
	Ref             string        `json:"ref,omitempty"` // the id of the capture or refund
	Amount          domain.Money  `json:"amount"`
	Totals          PaymentTotals `json:"totals"`
	// Final says that the payment was captured for the last time: nothing is
	// held any more.
	Final bool `json:"final,omitzero"`
}

// Reasons of refunds for units that the order is not of any more.
const (
	ReasonCancelled = "cancelled"
	ReasonEdited    = "edited"
)

// OrderRefundRequested is recorded when money is to be given back, before the
// payment is told. OrderRefunded or OrderRefundFailed follows.
//
// Consumers may rely on all refunds that did not fail being covered by what is
// captured. Lines, where they are given, are what the refund is for.
type OrderRefundRequested struct {
	OrderID  string       `json:"order_id"`
	RefundID string       `json:"refund_id"`
	Amount   domain.Money `json:"amount"`
	Reason   string       `json:"reason"`
	Lines    []Units      `json:"lines,omitempty"`
}

// OrderRefunded is recorded when the gateway has given back the whole amount
// of a refund.
type OrderRefunded struct {
	OrderID  string       `json:"order_id"`
	RefundID string       `json:"refund_id"`
	Amount   domain.Money `json:"amount"`
}

// OrderRefundFailed is recorded when a refund will not come about. Trying again
// is another refund.
type OrderRefundFailed struct {
	OrderID  string `json:"order_id"`
	RefundID string `json:"refund_id"`
	Code     string `json:"code"`
}

// EventName implements [domain.Event].
func (OrderEdited) EventName() string { return "OrderEdited" }

// EventName implements [domain.Event].
func (OrderPaymentUpdated) EventName() string { return "OrderPaymentUpdated" }

// EventName implements [domain.Event].
func (OrderRefundRequested) EventName() string { return "OrderRefundRequested" }

// EventName implements [domain.Event].
func (OrderRefunded) EventName() string { return "OrderRefunded" }

// EventName implements [domain.Event].
func (OrderRefundFailed) EventName() string { return "OrderRefundFailed" }

func (OrderEdited) event()          {}
func (OrderPaymentUpdated) event()  {}
func (OrderRefundRequested) event() {}
func (OrderRefunded) event()        {}
func (OrderRefundFailed) event()    {}
