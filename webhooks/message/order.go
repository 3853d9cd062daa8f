package message

import (
	"time"

	"github.com/waybill-dev/waybill/domain/order"
)

func orderKinds() []Kind {
	return []Kind{
		publish("order.placed", "order", orderPlaced, Kind{
			Personal: true,
			Sent:     "Once, first of every order, when its stock is committed and its money authorised.",
			Promise:  "There is at least one line, every amount is in currency, and the totals are the sums of the lines and the shipping. Titles and prices are those of the checkout and are never looked up again.",
		}),
		publish("order.held", "order", orderHeld, Kind{
			Sent:    "When an order must not go on for the time being.",
			Promise: "It is neither shipped nor captured until order.released or order.cancelled. An order that is held may be held for another reason as well; one release ends all holds.",
		}),
		publish("order.released", "order", orderReleased, Kind{
			Sent:    "When a held order may go on where it was.",
			Promise: "Every hold of the order is over.",
		}),
		publish("order.edited", "order", orderEdited, Kind{
			Sent:    "When lines of an order change before anything of it is asked of a warehouse, or while it is held.",
			Promise: "totals are the sums of all lines after the change, delta is what the order costs more than before. A line with quantity_to 0 is taken out, one with quantity_from 0 is new.",
		}),
		publish("order.address_changed", "order", orderAddressChanged, Kind{
			Personal: true,
			Sent:     "When what is yet to be shipped goes elsewhere.",
			Promise:  "Parcels that left before go where they went. The address itself is only in messages to endpoints that get personal data.",
		}),
		publish("order.payment_updated", "order", orderPaymentUpdated, Kind{
			Sent:    "When something happened to a payment of an order: kind says what, amount how much. An order is paid when what its payments captured is what it costs.",
			Promise: "totals are the sums of this payment so far. Updates of one payment come in the order they happened in.",
		}),
		publish("order.fulfilment_requested", "order", orderFulfilmentRequested, Kind{
			Personal: true,
			Sent:     "When a warehouse is to pick and ship units.",
			Promise:  "The same units are not asked for twice.",
		}),
		publish("order.shipped", "order", orderShipped, Kind{
			Personal: true,
			Sent:     "When a parcel has left. An order may go in several parcels, each is a message.",
			Promise:  "No unit is shipped twice, and none that was cancelled.",
		}),
		publish("order.delivered", "order", orderDelivered, Kind{
			Sent:    "Once for a parcel, when it has arrived.",
			Promise: "Its order.shipped came before.",
		}),
		publish("order.shipment_failed", "order", orderShipmentFailed, Kind{
			Sent:    "When a parcel could not be delivered.",
			Promise: "It may arrive after all: then order.delivered follows. What comes back instead, or is lost, is a return.",
		}),
		publish("order.return_requested", "order", orderReturnRequested, Kind{
			Sent:    "When shipped goods are to come back.",
			Promise: "order.return_received or order.return_rejected ends it.",
		}),
		publish("order.return_received", "order", orderReturnReceived, Kind{
			Sent:    "When goods came back, as many as did.",
			Promise: "What was asked back beyond them is not waited for. The money is another matter: see order.refund_requested.",
		}),
		publish("order.return_rejected", "order", orderReturnRejected, Kind{
			Sent:    "When goods are not taken back.",
			Promise: "Nothing more happens to this return.",
		}),
		publish("order.refund_requested", "order", orderRefundRequested, Kind{
			Sent:    "When money is to be given back, before the payment's gateway is told.",
			Promise: "order.refunded or order.refund_failed follows. All refunds that did not fail are covered by what is captured.",
		}),
		publish("order.refunded", "order", orderRefunded, Kind{
			Sent:    "When the gateway has given back the whole amount of a refund.",
			Promise: "It comes once for a refund.",
		}),
		publish("order.refund_failed", "order", orderRefundFailed, Kind{
			Sent:    "When a refund will not come about.",
			Promise: "Trying again is another refund, with another refund_id.",
		}),
		publish("order.cancel_requested", "order", orderCancelRequested, Kind{
			Sent:    "When somebody wants an order, or what of it is not shipped, to be cancelled. Who ships for the shop should stop.",
			Promise: "order.cancelled or order.cancel_refused follows.",
		}),
		publish("order.cancelled", "order", orderCancelled, Kind{
			Sent:    "When whatever was not shipped is cancelled.",
			Promise: "The stock of lines is free again, and refunded and voided say what became of the money. What had been shipped before can still be delivered and returned.",
		}),
		publish("order.cancel_refused", "order", orderCancelRefused, Kind{
			Sent:    "When it was too late to cancel.",
			Promise: "The order goes on where it was.",
		}),
		publish("order.completed", "order", orderCompleted, Kind{
			Sent:    "When nothing is expected to happen to an order any more: some time after its delivery or return.",
			Promise: "No return and no refund is open. order.reopened follows if something happens after all.",
		}),
		publish("order.reopened", "order", orderReopened, Kind{
			Sent:    "When something happens to a completed order after all.",
			Promise: "With the reason return, order.return_requested follows at once.",
		}),
	}
}

// orderPlacedData is order.placed, version 1. It has no personal data:
// customer_id is a pseudonym, and the country is as much of an address as
// partners get. What is ours alone, such as the keys of reservations and
// payments, is left out.
type orderPlacedData struct {
	OrderID       string          `json:"order_id"`
	Number        string          `json:"number" doc:"The number people use."`
	CustomerID    string          `json:"customer_id" doc:"A pseudonym: the same for all orders of somebody, until they are erased."`
	ShipToCountry string          `json:"ship_to_country,omitempty" doc:"ISO 3166; missing where nobody said." example:"DE"`
	Currency      string          `json:"currency" doc:"ISO 4217, of every amount." example:"EUR"`
	Channel       string          `json:"channel,omitempty" doc:"The sales channel; missing for the shop itself." example:"web"`
	Lines         []orderLine     `json:"lines" nullable:"false"`
	Shipping      orderShipping   `json:"shipping,omitzero" doc:"How the goods go; missing where nobody said."`
	Discounts     []orderDiscount `json:"discounts,omitempty" nullable:"false"`
	Totals        orderTotals     `json:"totals"`
	External      orderExternal   `json:"external,omitzero" doc:"Where it came about; missing for orders placed here."`
	PlacedAt      time.Time       `json:"placed_at"`
}

type orderLine struct {
	LineID    string `json:"line_id"`
	SKU       string `json:"sku" example:"MUG-1"`
	Title     string `json:"title"`
	Quantity  int    `json:"quantity"`
	UnitPrice money  `json:"unit_price"`
	Discount  money  `json:"discount"`
	Tax       money  `json:"tax"`
	Total     money  `json:"total" doc:"What the units cost, less the discount, plus the tax."`
}

type orderShipping struct {
	Method string `json:"method"`
	Price  money  `json:"price"`
	Tax    money  `json:"tax" doc:"Part of the tax of totals."`
}

type orderDiscount struct {
	Code   string `json:"code"`
	Amount money  `json:"amount"`
}

type orderTotals struct {
	Subtotal money `json:"subtotal"`
	Discount money `json:"discount"`
	Shipping money `json:"shipping"`
	Tax      money `json:"tax"`
	Grand    money `json:"grand" doc:"Subtotal less discount plus shipping plus tax."`
}

type orderExternal struct {
	Source string    `json:"source"`
	Ref    string    `json:"ref"`
	Time   time.Time `json:"time"`
}

type money struct {
	Amount   int64  `json:"amount" doc:"In minor units, such as cents." example:"1250"`
	Currency string `json:"currency" doc:"ISO 4217." example:"EUR"`
}

func orderPlaced(e order.OrderPlaced) orderPlacedData {
	data := orderPlacedData{
		OrderID: e.OrderID, Number: e.Number, CustomerID: e.CustomerID, ShipToCountry: e.ShipToCountry, Currency: e.Currency, Channel: e.Channel,
		Lines: make([]orderLine, len(e.Lines)), External: orderExternal(e.External), PlacedAt: e.PlacedAt, Totals: totals(e.Totals),
		Shipping: orderShipping{Method: e.Shipping.Method, Price: money(e.Shipping.Price), Tax: money(e.Shipping.Tax)},
	}
	for i, l := range e.Lines {
		data.Lines[i] = orderLine{
			LineID: l.LineID, SKU: l.SKU, Title: l.Title, Quantity: l.Quantity,
			UnitPrice: money(l.UnitPrice), Discount: money(l.Discount), Tax: money(l.Tax), Total: money(l.Total),
		}
	}
	for _, d := range e.Discounts {
		data.Discounts = append(data.Discounts, orderDiscount{Code: d.Code, Amount: money(d.Amount)})
	}
	return data
}

func totals(t order.Totals) orderTotals {
	return orderTotals{
		Subtotal: money(t.Subtotal), Discount: money(t.Discount), Shipping: money(t.Shipping), Tax: money(t.Tax), Grand: money(t.Grand),
	}
}
