package api

import (
	"fmt"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/domain/order"
)

// orderBody is an order as its stream says it. It holds nothing else, because
// the entity tag is the stream's revision.
type orderBody struct {
	ID               string           `json:"id"`
	Number           string           `json:"number" doc:"For people. Grows, with gaps." example:"100017"`
	Status           string           `json:"status" doc:"placed, on_hold, processing, partially_shipped, shipped, delivered, cancelling, cancelled, returned or completed." example:"placed"`
	PaymentStatus    string           `json:"payment_status" doc:"authorised, partially_captured, captured, partially_refunded, refunded, voided, expired or charged_back." example:"authorised"`
	FulfilmentStatus string           `json:"fulfilment_status" doc:"unfulfilled, partial, fulfilled, delivered, partially_returned or returned." example:"unfulfilled"`
	CheckoutID       string           `json:"checkout_id"`
	CustomerID       string           `json:"customer_id" doc:"Follows from the e-mail address; the address itself is not shown. Empty for a guest of an imported order; order: and an id for one that replaces the goods of such an order."`
	Currency         string           `json:"currency" example:"EUR"`
	Lines            []orderLineBody  `json:"lines" nullable:"false"`
	Totals           totalsBody       `json:"totals"`
	Payment          paymentBody      `json:"payment" doc:"The one it was placed with, as it was then."`
	Payments         []paymentPart    `json:"payments" nullable:"false" doc:"What the order knows of its payments: a moment behind the payments themselves."`
	Tags             []string         `json:"tags" nullable:"false" example:"[\"gift\"]"`
	Holds            []holdPart       `json:"holds" nullable:"false" doc:"Those in force."`
	Fulfilments      []fulfilmentPart `json:"fulfilments" nullable:"false" doc:"What warehouses were asked for."`
	Shipments        []shipmentPart   `json:"shipments" nullable:"false"`
	Returns          []returnPart     `json:"returns" nullable:"false"`
	Refunds          []refundPart     `json:"refunds" nullable:"false"`
	Notes            []noteReference  `json:"notes" nullable:"false" doc:"Without their texts, which are personal data."`
	Cancellation     *cancelPart      `json:"cancellation,omitempty" doc:"The last one that was asked for."`
	ShipTo           *countryBody     `json:"ship_to,omitempty" doc:"The country given when it was placed; the address is below address."`
	Channel          string           `json:"channel,omitempty" doc:"The sales channel; missing for the shop itself." example:"web"`
	Shipping         *shippingBody    `json:"shipping,omitempty" doc:"How the goods go."`
	Discounts        []discountBody   `json:"discounts,omitempty" nullable:"false" doc:"As it was placed: what they took off is in the lines."`
	External         *externalBody    `json:"external,omitempty" doc:"Where and when an order came about that did not start here."`
	PlacedAt         time.Time        `json:"placed_at"`
	CompletedAt      *time.Time       `json:"completed_at,omitempty"`
}

type orderLineBody struct {
	ID        string `json:"id" doc:"Of the line, within the order." example:"1"`
	SKU       string `json:"sku" example:"MUG-1"`
	Title     string `json:"title" doc:"As it was when the order was placed." example:"Mug"`
	Quantity  int    `json:"quantity" example:"2"`
	Cancelled int    `json:"cancelled" doc:"Of quantity, as what follows." example:"0"`
	Requested int    `json:"requested" doc:"Asked of a warehouse, and not shipped." example:"0"`
	Shipped   int    `json:"shipped" example:"0"`
	Delivered int    `json:"delivered" example:"0"`
	Returning int    `json:"returning" doc:"Asked back, and neither received nor rejected." example:"0"`
	Returned  int    `json:"returned" example:"0"`
	UnitPrice money  `json:"unit_price"`
	Discount  money  `json:"discount"`
	Tax       money  `json:"tax"`
	Total     money  `json:"total"`
	Location  string `json:"location" doc:"Where the goods come from." example:"main"`
}

type paymentPart struct {
	ID          string `json:"id"`
	Status      string `json:"status" enum:"open,voided,expired" example:"open"`
	Authorised  money  `json:"authorised"`
	Captured    money  `json:"captured"`
	Refunded    money  `json:"refunded"`
	ChargedBack money  `json:"charged_back"`
}

type noteReference struct {
	ID         string `json:"id"`
	Visibility string `json:"visibility" example:"internal"`
}

type cancelPart struct {
	ID      string `json:"id"`
	Status  string `json:"status" enum:"requested,cancelled,refused" example:"requested"`
	Reason  string `json:"reason" example:"customer_changed_mind"`
	Refusal string `json:"refusal,omitempty" doc:"Why it was too late." example:"shipped"`
}

type totalsBody struct {
	Subtotal money `json:"subtotal"`
	Discount money `json:"discount"`
	Shipping money `json:"shipping"`
	Tax      money `json:"tax"`
	Grand    money `json:"grand"`
}

type paymentBody struct {
	ID         string `json:"id"`
	Authorised money  `json:"authorised"`
}

type countryBody struct {
	Country string `json:"country" doc:"ISO 3166, two capital letters." maxLength:"64" example:"GB"`
}

type externalBody struct {
	Source string    `json:"source" doc:"Which system." maxLength:"255" example:"old-shop"`
	Ref    string    `json:"ref" doc:"Its name there." maxLength:"255" example:"536365"`
	Time   time.Time `json:"time" doc:"When it came about there."`
}

func orderBodyOf(s order.State) orderBody {
	body := orderBody{
		ID: s.OrderID, Number: s.Number, Status: string(s.Status), PaymentStatus: string(s.PaymentStatus()), FulfilmentStatus: string(s.FulfilmentStatus()),
		CheckoutID: s.CheckoutID, CustomerID: s.CustomerID, Currency: s.Currency, Totals: totalsBodyOf(s.Totals),
		Lines:   each(s.Lines, func(l order.Line) orderLineBody { return orderLineBodyOf(l, s.Progress(l.LineID)) }),
		Payment: paymentBody{ID: s.PaymentID, Authorised: moneyOf(s.Authorised)}, Payments: each(s.Payments, paymentPartOf),
		Tags: each(s.Tags, func(tag string) string { return tag }), Holds: each(s.Holds, holdPartOf), Fulfilments: each(s.Requests, fulfilmentPartOf),
		Shipments: each(s.Shipments, shipmentPartOf), Returns: each(s.Returns, returnPartOf), Refunds: each(s.Refunds, refundPartOf),
		Notes:        each(s.Notes, func(n order.OrderNoteAdded) noteReference { return noteReference{n.NoteID, string(n.Visibility)} }),
		Cancellation: cancelPartOf(s), External: externalBodyOf(s.External), PlacedAt: s.PlacedAt,
		Channel: s.Channel, Shipping: shippingBodyOf(s.Shipping), Discounts: each(s.Discounts, discountBodyOf),
	}
	if s.ShipToCountry != "" {
		body.ShipTo = &countryBody{Country: s.ShipToCountry}
	}
	if s.Status == order.StatusCompleted {
		body.CompletedAt = timeOrNil(s.Finished)
	}
	return body
}

func orderLineBodyOf(l order.Line, p order.Progress) orderLineBody {
	return orderLineBody{
		ID: l.LineID, SKU: l.SKU, Title: l.Title, Quantity: l.Quantity, UnitPrice: moneyOf(l.UnitPrice),
		Discount: moneyOf(l.Discount), Tax: moneyOf(l.Tax), Total: moneyOf(l.Total), Location: l.Location,
		Cancelled: p.Cancelled, Requested: p.Requested, Shipped: p.Shipped, Delivered: p.Delivered, Returning: p.Returning, Returned: p.Returned,
	}
}

func paymentPartOf(p order.Payment) paymentPart {
	part := paymentPart{
		ID: p.PaymentID, Status: "open", Authorised: moneyOf(p.Totals.Authorised), Captured: moneyOf(p.Totals.Captured),
		Refunded: moneyOf(p.Totals.Refunded), ChargedBack: moneyOf(p.ChargedBack),
	}
	switch {
	case p.Expired:
		part.Status = "expired"
	case p.Voided:
		part.Status = "voided"
	}
	return part
}

func cancelPartOf(s order.State) *cancelPart {
	if len(s.CancelRequests) == 0 {
		return nil
	}
	last := s.CancelRequests[len(s.CancelRequests)-1]
	part := &cancelPart{ID: last.RequestID, Status: "requested", Reason: last.Reason}
	switch {
	case s.Status == order.StatusCancelled:
		part.Status = "cancelled"
	case s.CancelRefused.Reason != "":
		part.Status, part.Refusal = "refused", s.CancelRefused.Reason
	}
	return part
}

func totalsBodyOf(t order.Totals) totalsBody {
	return totalsBody{
		Subtotal: moneyOf(t.Subtotal), Discount: moneyOf(t.Discount), Shipping: moneyOf(t.Shipping), Tax: moneyOf(t.Tax), Grand: moneyOf(t.Grand),
	}
}

// placeOrderBody is the body of POST /v1/orders. What a cart may hold is said
// by the domain, which finds every mistake at once: the limits here are for
// readers.
type placeOrderBody struct {
	Customer *customerBody  `json:"customer,omitempty" doc:"Who orders. Only an imported order may do without, or name an id instead."`
	Currency string         `json:"currency" doc:"Of the whole order: ISO 4217." maxLength:"64" example:"EUR"`
	Lines    []cartLineBody `json:"lines" nullable:"false" doc:"1 to 2,000 lines." maxItems:"4000"`
	Payment  payBody        `json:"payment"`
	ShipTo   *address       `json:"ship_to,omitempty" doc:"The country alone will do where nothing is sent. All but the country is kept encrypted, apart from the order."`
	BillTo   *address       `json:"bill_to,omitempty" doc:"Where the bill goes, if elsewhere. Kept encrypted, apart from the order."`
	External *externalBody  `json:"external,omitempty" doc:"Imports an order that came about elsewhere. Needs the scope orders:import."`

	ChargesBody
}

type customerBody struct {
	ID    string `json:"id,omitempty" doc:"Of the customer elsewhere. Imported orders only." maxLength:"200"`
	Email string `json:"email,omitempty" doc:"Kept encrypted, apart from the order." maxLength:"320" example:"a@example.com"`
	Name  string `json:"name,omitempty" doc:"Kept encrypted, apart from the order." maxLength:"200" example:"A"`
	Phone string `json:"phone,omitempty" doc:"Kept encrypted, apart from the order." maxLength:"64" example:"+44 20 7946 0000"`

	Language string `json:"language,omitempty" maxLength:"35" pattern:"^[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*$" doc:"The language of mails and documents to the customer, BCP 47; en and de have texts. Missing: that of the country." example:"de-AT"`
}

type cartLineBody struct {
	SKU       string `json:"sku" maxLength:"128" example:"MUG-1"`
	Quantity  int    `json:"quantity" doc:"1 to 9,999." example:"2"`
	UnitPrice *money `json:"unit_price,omitempty" doc:"The price that the shopper saw: where it is another one today, the order is refused. With external, the price agreed elsewhere."`
	Discount  *money `json:"discount,omitempty" doc:"Off the whole line; nothing if missing."`
	Tax       *money `json:"tax,omitempty" doc:"On the whole line, after its discount; nothing if missing. Prices that have their tax in them need none."`
}

type payBody struct {
	Method    string `json:"method" doc:"The gateway's name and its reference for the method, never the number of a card: sandbox:approved, sandbox:declined, sandbox:timeout, sandbox:error, sandbox:action, or stripe:pm_…" maxLength:"128" example:"sandbox:approved"`
	ReturnURL string `json:"return_url,omitempty" doc:"Where the shopper comes back to after confirming the payment, as 3-D Secure wants it. Without it, a payment that needs that is declined. It is kept with the order: no personal data in it." maxLength:"2000" example:"https://shop.example/thanks"`
}

func (c cartLineBody) line() checkout.RequestLine {
	return checkout.RequestLine{SKU: c.SKU, Quantity: c.Quantity, UnitPrice: c.UnitPrice.ifSaid(), Discount: c.Discount.ifSaid(), Tax: c.Tax.ifSaid()}
}

// imported lists what only an importer may say.
func (b placeOrderBody) imported() []domain.Mistake {
	var only []domain.Mistake
	refuse := func(pointer string) {
		only = append(only, domain.Mistake{Pointer: pointer, Code: "scope-missing", Detail: "needs the scope orders:import"})
	}
	if b.External != nil {
		refuse("/external")
	}
	if b.Customer != nil && b.Customer.ID != "" {
		refuse("/customer/id")
	}
	for i, line := range b.Lines {
		if line.UnitPrice != nil && b.External != nil {
			refuse(fmt.Sprintf("/lines/%d/unit_price", i))
		}
	}
	return only
}
