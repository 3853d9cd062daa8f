package message

import (
	"time"

	"github.com/waybill-dev/waybill/domain/order"
)

// orderPlacedData is order.placed, version 1. It has no personal data:
// customer_id is a pseudonym, and the country is as much of an address as
// partners get. What is ours alone, such as the keys of reservations and
// payments, is left out.
type orderPlacedData struct {
	OrderID       string        `json:"order_id"`
	Number        string        `json:"number"`
	CustomerID    string        `json:"customer_id"`
	ShipToCountry string        `json:"ship_to_country,omitempty"`
	Currency      string        `json:"currency"`
	Lines         []orderLine   `json:"lines"`
	Totals        orderTotals   `json:"totals"`
	External      orderExternal `json:"external,omitzero"`
	PlacedAt      time.Time     `json:"placed_at"`
}

type orderLine struct {
	LineID    string `json:"line_id"`
	SKU       string `json:"sku"`
	Title     string `json:"title"`
	Quantity  int    `json:"quantity"`
	UnitPrice money  `json:"unit_price"`
	Discount  money  `json:"discount"`
	Tax       money  `json:"tax"`
	Total     money  `json:"total"`
}

type orderTotals struct {
	Subtotal money `json:"subtotal"`
	Discount money `json:"discount"`
	Shipping money `json:"shipping"`
	Tax      money `json:"tax"`
	Grand    money `json:"grand"`
}

type orderExternal struct {
	Source string    `json:"source"`
	Ref    string    `json:"ref"`
	Time   time.Time `json:"time"`
}

type money struct {
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
}

func orderPlaced(e order.OrderPlaced) any {
	data := orderPlacedData{
		OrderID: e.OrderID, Number: e.Number, CustomerID: e.CustomerID, ShipToCountry: e.ShipToCountry, Currency: e.Currency,
		Lines: make([]orderLine, len(e.Lines)), External: orderExternal(e.External), PlacedAt: e.PlacedAt,
		Totals: orderTotals{
			Subtotal: money(e.Totals.Subtotal), Discount: money(e.Totals.Discount), Shipping: money(e.Totals.Shipping),
			Tax: money(e.Totals.Tax), Grand: money(e.Totals.Grand),
		},
	}
	for i, l := range e.Lines {
		data.Lines[i] = orderLine{
			LineID: l.LineID, SKU: l.SKU, Title: l.Title, Quantity: l.Quantity,
			UnitPrice: money(l.UnitPrice), Discount: money(l.Discount), Tax: money(l.Tax), Total: money(l.Total),
		}
	}
	return data
}
