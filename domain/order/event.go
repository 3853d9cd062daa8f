package order

import (
	"time"

	"github.com/waybill-dev/waybill/domain"
)

// Event is a fact about an order.
//
//sumtype:decl
type Event interface {
	domain.Event
	event()
}

// OrderPlaced is recorded once, first in every order's stream, after the stock
// is committed and the money authorised. Titles and prices are those of the
// checkout: they are copied here and never looked up again.
//
// Consumers may rely on at least one line, on every amount being in Currency,
// and on the totals being the sums of the lines and the shipping. There is no
// personal data: what ends in Ref is a key into the vault.
type OrderPlaced struct {
	OrderID       string       `json:"order_id"`
	Number        string       `json:"number"`
	CheckoutID    string       `json:"checkout_id"`
	CustomerID    string       `json:"customer_id"`
	ContactRef    string       `json:"contact_ref,omitempty"`
	ShipToRef     string       `json:"ship_to_ref,omitempty"`
	BillToRef     string       `json:"bill_to_ref,omitempty"`
	ShipToCountry string       `json:"ship_to_country,omitempty"`
	Currency      string       `json:"currency"`
	Lines         []Line       `json:"lines"`
	Shipping      Shipping     `json:"shipping,omitzero"`
	Discounts     []Discount   `json:"discounts,omitempty"`
	Totals        Totals       `json:"totals"`
	PaymentID     string       `json:"payment_id"`
	Authorised    domain.Money `json:"authorised"`
	Channel       string       `json:"channel,omitempty"`
	External      External     `json:"external,omitzero"`
	Capture       Capture      `json:"capture,omitempty"`
	PlacedAt      time.Time    `json:"placed_at"`
}

// Capture is when the money of an order is taken.
type Capture string

// When the money of an order may be taken.
const (
	CaptureShipped Capture = ""       // with each shipment, what it is worth
	CapturePlaced  Capture = "placed" // all of it, as soon as the order is placed
)

// Line is one line of an order. Total is what the units cost, less the
// discount, plus the tax.
type Line struct {
	LineID        string       `json:"line_id"`
	SKU           string       `json:"sku"`
	Title         string       `json:"title"`
	Quantity      int          `json:"quantity"`
	UnitPrice     domain.Money `json:"unit_price"`
	Discount      domain.Money `json:"discount"`
	Tax           domain.Money `json:"tax"`
	Total         domain.Money `json:"total"`
	Location      string       `json:"location"`
	ReservationID string       `json:"reservation_id"` // shared by the lines of one SKU
}

// Shipping is how the goods go and what that costs. Where it is given, Price
// is the shipping of the totals, and Tax is part of their tax.
type Shipping struct {
	Method string       `json:"method"`
	Price  domain.Money `json:"price"`
	Tax    domain.Money `json:"tax"`
}

// Discount is what a code took off the order. Where there are any, they add
// up to the discount of the totals.
type Discount struct {
	Code   string       `json:"code"`
	Amount domain.Money `json:"amount"`
}

// Totals are the sums of an order: Grand is subtotal less discount plus
// shipping plus tax.
type Totals struct {
	Subtotal domain.Money `json:"subtotal"`
	Discount domain.Money `json:"discount"`
	Shipping domain.Money `json:"shipping"`
	Tax      domain.Money `json:"tax"`
	Grand    domain.Money `json:"grand"`
}

// External says where and when an order or a return came about that did not
// start here.
type External struct {
	Source string    `json:"source"`
	Ref    string    `json:"ref"`
	Time   time.Time `json:"time"`
}

// EventName implements [domain.Event].
func (OrderPlaced) EventName() string { return "OrderPlaced" }

func (OrderPlaced) event() {}

// EventTypes describes the events of an order to the codec.
func EventTypes() []domain.EventType {
	return domain.EventTypes(
		OrderPlaced{},
		OrderHeld{}, OrderHoldReleased{}, OrderNoteAdded{}, OrderTagged{}, OrderAddressChanged{}, OrderEdited{},
		OrderPaymentUpdated{},
		OrderFulfilmentRequested{}, OrderShipped{}, OrderDelivered{}, OrderShipmentFailed{},
		OrderReturnRequested{}, OrderReturnReceived{}, OrderReturnRejected{},
		OrderRefundRequested{}, OrderRefunded{}, OrderRefundFailed{},
		OrderCancelRequested{}, OrderCancelled{}, OrderCancelRefused{},
		OrderCompleted{}, OrderReopened{},
	)
}
