package drafts

import (
	"github.com/waybill-dev/waybill/domain"
	domaincheckout "github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/domain/draft"
)

// Cart is what a draft asks for as an order.
func Cart(d draft.State) domaincheckout.Request {
	cart := domaincheckout.Request{
		CustomerID: d.Details.CustomerID, Currency: d.Currency, ShipToCountry: d.Details.ShipToCountry, Method: d.Details.PaymentMethod,
		Channel: d.Details.Channel, Shipping: domaincheckout.Shipping(d.Details.Shipping),
	}
	for _, discount := range d.Details.Discounts {
		cart.Discounts = append(cart.Discounts, domaincheckout.Discount(discount))
	}
	for _, line := range d.Lines {
		cart.Lines = append(cart.Lines, domaincheckout.RequestLine{
			SKU: line.SKU, Quantity: line.Quantity, Discount: said(line.Discount), Tax: said(line.Tax),
		})
	}
	return cart
}

// said is nil for an amount that nobody said.
func said(amount domain.Money) *domain.Money {
	if amount == (domain.Money{}) {
		return nil
	}
	return &amount
}
