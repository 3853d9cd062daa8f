package message

import (
	"slices"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/catalog"
	"github.com/waybill-dev/waybill/domain/checkoutfailure"
	"github.com/waybill-dev/waybill/domain/creditnote"
	"github.com/waybill-dev/waybill/domain/customer"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
)

// Attributes are what endpoints choose messages by. They follow from the events
// of the message's own stream, up to its own event: a later one changes nothing
// about it. They are never changed, only replaced.
type Attributes struct {
	Channel    string // of an order
	Currency   string
	Country    string // where an order goes by then
	CustomerID string
	Number     string
	Source     string // of an import
	Total      int64  // minor units, as edited
	Quantity   int64  // units, as edited
	SKUs       []string

	// Tenant owns the endpoint that an operational message is about.
	Tenant string
	// Contact, ShipTo and BillTo are references into the vault. No expression
	// sees them.
	Contact, ShipTo, BillTo string

	lines []attributedLine
}

type attributedLine struct {
	id, sku  string
	quantity int64
}

// Fold returns the attributes after an event of the stream, which are those
// before it where it does not matter.
func Fold(before *Attributes, event domain.Event) *Attributes {
	switch e := event.(type) {
	case order.OrderPlaced:
		return placed(e)
	case order.OrderEdited:
		return before.edited(e)
	case order.OrderAddressChanged:
		after := *before
		after.ShipTo = e.ShipToRef
		if e.ShipToCountry != "" {
			after.Country = e.ShipToCountry
		}
		return &after
	case catalog.ProductRegistered:
		return &Attributes{SKUs: []string{e.SKU}}
	case customer.CustomerErased:
		return &Attributes{CustomerID: e.CustomerID}
	case creditnote.CreditNoteRecorded:
		return credited(e)
	case checkoutfailure.CheckoutFailureAnnounced:
		return gaveUp(e)
	case endpoint.Created:
		return &Attributes{Tenant: e.TenantID}
	}
	return before
}

// Matters says whether [Fold] has a use for an event of a stored name.
func Matters(stored string) bool {
	switch stored {
	case order.OrderPlaced{}.EventName(), order.OrderEdited{}.EventName(), order.OrderAddressChanged{}.EventName(),
		catalog.ProductRegistered{}.EventName(), customer.CustomerErased{}.EventName(), creditnote.CreditNoteRecorded{}.EventName(),
		checkoutfailure.CheckoutFailureAnnounced{}.EventName(),
		endpoint.Created{}.EventName():
		return true
	}
	return false
}

func placed(e order.OrderPlaced) *Attributes {
	after := &Attributes{
		Channel: e.Channel, Currency: e.Currency, Country: e.ShipToCountry, CustomerID: e.CustomerID, Number: e.Number,
		Source: e.External.Source, Total: e.Totals.Grand.Amount, Contact: e.ContactRef, ShipTo: e.ShipToRef, BillTo: e.BillToRef,
	}
	for _, l := range e.Lines {
		after.lines = append(after.lines, attributedLine{l.LineID, l.SKU, int64(l.Quantity)})
	}
	after.count()
	return after
}

func (a *Attributes) edited(e order.OrderEdited) *Attributes {
	after := *a
	after.Total = e.Totals.Grand.Amount
	after.lines = slices.Clone(a.lines)
	for _, c := range e.Changes {
		after.lines = slices.DeleteFunc(after.lines, func(l attributedLine) bool { return l.id == c.LineID })
		if c.QuantityTo > 0 {
			after.lines = append(after.lines, attributedLine{c.LineID, c.SKU, int64(c.QuantityTo)})
		}
	}
	after.count()
	return &after
}

func credited(e creditnote.CreditNoteRecorded) *Attributes {
	after := &Attributes{
		Currency: e.Currency, Country: e.ShipToCountry, CustomerID: e.CustomerID, Source: e.External.Source, Total: e.Total.Amount,
	}
	for _, l := range e.Lines {
		after.lines = append(after.lines, attributedLine{"", l.SKU, int64(l.Quantity)})
	}
	after.count()
	return after
}

// count sums up the lines.
func (a *Attributes) count() {
	a.SKUs, a.Quantity = []string{}, 0
	for _, l := range a.lines {
		a.SKUs, a.Quantity = append(a.SKUs, l.sku), a.Quantity+l.quantity
	}
	slices.Sort(a.SKUs)
	a.SKUs = slices.Compact(a.SKUs)
}

// Detail returns what kind of its type an event is.
func Detail(event domain.Event) string {
	switch e := event.(type) {
	case order.OrderPaymentUpdated:
		return string(e.Kind)
	case order.OrderHeld:
		return string(e.Reason)
	case order.OrderReturnRequested:
		return string(e.Kind)
	case order.OrderReturnRejected:
		return e.Reason
	case order.OrderShipmentFailed:
		return e.Reason
	case order.OrderRefundRequested:
		return e.Reason
	case order.OrderRefundFailed:
		return e.Code
	case order.OrderCancelRequested:
		return e.Reason
	case order.OrderCancelled:
		return e.Reason
	case order.OrderCancelRefused:
		return e.Reason
	case order.OrderReopened:
		return e.Reason
	case endpoint.Disabled:
		return e.Reason
	case checkoutfailure.CheckoutFailureAnnounced:
		return e.Reason
	}
	return ""
}
