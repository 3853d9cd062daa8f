package api

import (
	"fmt"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/order"
)

// orderBody is an order as its stream says it. It holds nothing else, because
// the entity tag is the stream's revision.
type orderBody struct {
	ID         string          `json:"id"`
	Number     string          `json:"number" doc:"For people. Grows, with gaps." example:"100017"`
	Status     string          `json:"status" doc:"placed, and others to come." example:"placed"`
	CheckoutID string          `json:"checkout_id"`
	CustomerID string          `json:"customer_id" doc:"Follows from the e-mail address; the address itself is not shown. Empty for a guest of an imported order."`
	Currency   string          `json:"currency" example:"EUR"`
	Lines      []orderLineBody `json:"lines" nullable:"false"`
	Totals     totalsBody      `json:"totals"`
	Payment    paymentBody     `json:"payment"`
	ShipTo     *addressBody    `json:"ship_to,omitempty"`
	External   *externalBody   `json:"external,omitempty" doc:"Where and when an order came about that did not start here."`
	PlacedAt   time.Time       `json:"placed_at"`
}

type orderLineBody struct {
	ID        string `json:"id" doc:"Of the line, within the order." example:"1"`
	SKU       string `json:"sku" example:"MUG-1"`
	Title     string `json:"title" doc:"As it was when the order was placed." example:"Mug"`
	Quantity  int    `json:"quantity" example:"2"`
	UnitPrice money  `json:"unit_price"`
	Discount  money  `json:"discount"`
	Tax       money  `json:"tax"`
	Total     money  `json:"total"`
	Location  string `json:"location" doc:"Where the goods come from." example:"main"`
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

type addressBody struct {
	Country string `json:"country" doc:"ISO 3166, two capital letters." maxLength:"64" example:"GB"`
}

type externalBody struct {
	Source string    `json:"source" doc:"Which system." maxLength:"255" example:"old-shop"`
	Ref    string    `json:"ref" doc:"Its name there." maxLength:"255" example:"536365"`
	Time   time.Time `json:"time" doc:"When it came about there."`
}

func orderBodyOf(s order.State) orderBody {
	body := orderBody{
		ID: s.OrderID, Number: s.Number, Status: string(s.Status), CheckoutID: s.CheckoutID, CustomerID: s.CustomerID, Currency: s.Currency,
		Lines: each(s.Lines, orderLineBodyOf), Totals: totalsBodyOf(s.Totals),
		Payment: paymentBody{ID: s.PaymentID, Authorised: moneyOf(s.Authorised)}, PlacedAt: s.PlacedAt,
		External: externalBodyOf(s.External),
	}
	if s.ShipToCountry != "" {
		body.ShipTo = &addressBody{Country: s.ShipToCountry}
	}
	return body
}

func orderLineBodyOf(l order.Line) orderLineBody {
	return orderLineBody{
		ID: l.LineID, SKU: l.SKU, Title: l.Title, Quantity: l.Quantity, UnitPrice: moneyOf(l.UnitPrice),
		Discount: moneyOf(l.Discount), Tax: moneyOf(l.Tax), Total: moneyOf(l.Total), Location: l.Location,
	}
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
	ShipTo   *addressBody   `json:"ship_to,omitempty"`
	External *externalBody  `json:"external,omitempty" doc:"Imports an order that came about elsewhere. Needs the scope orders:import."`
}

type customerBody struct {
	ID    string `json:"id,omitempty" doc:"Of the customer elsewhere. Imported orders only." maxLength:"200"`
	Email string `json:"email,omitempty" doc:"Kept encrypted, apart from the order." maxLength:"320" example:"a@example.com"`
	Name  string `json:"name,omitempty" doc:"Kept encrypted, apart from the order." maxLength:"200" example:"A"`
}

type cartLineBody struct {
	SKU       string `json:"sku" maxLength:"128" example:"MUG-1"`
	Quantity  int    `json:"quantity" doc:"1 to 9,999." example:"2"`
	UnitPrice *money `json:"unit_price,omitempty" doc:"The price agreed elsewhere. Needs the scope orders:import."`
}

type payBody struct {
	Method string `json:"method" doc:"For the gateway: sandbox:approved, sandbox:declined, sandbox:timeout or sandbox:error." maxLength:"128" example:"sandbox:approved"`
}

func (c cartLineBody) price() *domain.Money {
	if c.UnitPrice == nil {
		return nil
	}
	price := c.UnitPrice.domain()
	return &price
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
		if line.UnitPrice != nil {
			refuse(fmt.Sprintf("/lines/%d/unit_price", i))
		}
	}
	return only
}
