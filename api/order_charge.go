package api

import (
	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/domain/draft"
	"github.com/waybill-dev/waybill/domain/order"
)

// ChargesBody is what the shop decides about an order beside its lines: there
// are no rules of shipping, vouchers and taxes here. It is exported because huma
// looks into nothing else.
type ChargesBody struct {
	Channel   string         `json:"channel,omitempty" doc:"The sales channel, a label: partners get the orders of theirs. Missing is the shop itself." maxLength:"100" example:"web"`
	Shipping  *shippingBody  `json:"shipping,omitempty" doc:"How the goods go, and what the shop takes for it. It is paid with the first parcel."`
	Discounts []discountBody `json:"discounts,omitempty" nullable:"false" doc:"What was taken off, and why. Where no line says its own discount they are spread over the lines by what those cost; otherwise both add up to the same." maxItems:"200"`
}

type shippingBody struct {
	Method string `json:"method" doc:"Of your making, a label." maxLength:"100" example:"express"`
	Price  money  `json:"price"`
	Tax    *money `json:"tax,omitempty" doc:"On top of the price; nothing if missing."`
}

type discountBody struct {
	Code   string `json:"code" doc:"Of the voucher or the campaign, a label." maxLength:"100" example:"SUMMER"`
	Amount money  `json:"amount"`
}

// said is what is said of the shipping. Without a tax it has none, in a currency.
func (b *shippingBody) said(untaxed string) checkout.Shipping {
	shipping := checkout.Shipping{Method: b.Method, Price: b.Price.domain(), Tax: domain.Money{Currency: untaxed}}
	if b.Tax != nil {
		shipping.Tax = b.Tax.domain()
	}
	return shipping
}

// put hands over what is said to a cart.
func (b placeOrderBody) put(cart *checkout.Request) {
	cart.Channel = b.Channel
	if b.Shipping != nil {
		cart.Shipping = b.Shipping.said(b.Currency)
	}
	for _, d := range b.Discounts {
		cart.Discounts = append(cart.Discounts, checkout.Discount{Code: d.Code, Amount: d.Amount.domain()})
	}
}

// draftCharges hands over what is said to a draft. Without a tax of its own the
// shipping has none, in the currency of its price.
func (b ChargesBody) draftCharges() (shipping draft.Shipping, discounts []draft.Discount) {
	if b.Shipping != nil {
		shipping = draft.Shipping(b.Shipping.said(b.Shipping.Price.Currency))
	}
	for _, d := range b.Discounts {
		discounts = append(discounts, draft.Discount{Code: d.Code, Amount: d.Amount.domain()})
	}
	return shipping, discounts
}

func shippingBodyOf(s order.Shipping) *shippingBody {
	if s == (order.Shipping{}) {
		return nil
	}
	tax := moneyOf(s.Tax)
	return &shippingBody{Method: s.Method, Price: moneyOf(s.Price), Tax: &tax}
}

func discountBodyOf(d order.Discount) discountBody {
	return discountBody{Code: d.Code, Amount: moneyOf(d.Amount)}
}
