package order_test

import (
	"github.com/waybill-dev/waybill/domain/order"
)

// two is an order of two lines, 3 of the first and 1 of the second.
func two() order.OrderPlaced {
	return placed(func(o *order.OrderPlaced) {
		o.Lines = []order.Line{line("1", 3, 1000), line("2", 1, 500)}
		o.Totals = order.Totals{Subtotal: eur(3500), Discount: eur(0), Shipping: eur(400), Tax: eur(0), Grand: eur(3900)}
		o.Authorised = eur(3900)
	})
}

func line(id string, quantity int, price int64) order.Line {
	return order.Line{
		LineID: id, SKU: "MUG-" + id, Title: "Mug", Quantity: quantity, UnitPrice: eur(price), Discount: eur(0), Tax: eur(0),
		Total: eur(price * int64(quantity)), Location: "main", ReservationID: "res-" + id,
	}
}

// units are so many of the first line and so many of the second.
func units(first, second int) (all []order.Units) {
	for i, n := range []int{first, second} {
		if n > 0 {
			all = append(all, order.Units{LineID: []string{"1", "2"}[i], Quantity: n})
		}
	}
	return all
}

func requested(id string, first, second int) order.OrderFulfilmentRequested {
	return order.OrderFulfilmentRequested{OrderID: "o", RequestID: id, Location: "main", Lines: units(first, second)}
}

func shipped(id string, first, second int) order.OrderShipped {
	return order.OrderShipped{OrderID: "o", ShipmentID: id, Lines: units(first, second), ShippedAt: noon}
}

func delivered(id string) order.OrderDelivered {
	return order.OrderDelivered{OrderID: "o", ShipmentID: id, At: noon}
}

func asked(id string, first, second int) order.OrderReturnRequested {
	e := order.OrderReturnRequested{OrderID: "o", ReturnID: id, Kind: order.ForRefund}
	for _, u := range units(first, second) {
		e.Lines = append(e.Lines, order.ReturnedUnits{LineID: u.LineID, Quantity: u.Quantity, Reason: "damaged"})
	}
	return e
}

func received(id string, first, second int) order.OrderReturnReceived {
	e := order.OrderReturnReceived{OrderID: "o", ReturnID: id}
	for _, u := range units(first, second) {
		e.Lines = append(e.Lines, order.ReceivedUnits{LineID: u.LineID, Quantity: u.Quantity, Restock: true})
	}
	return e
}

func updated(revision int64, kind order.PaymentKind, ref string, amount, authorised, captured, refunded int64) order.OrderPaymentUpdated {
	return order.OrderPaymentUpdated{
		OrderID: "o", PaymentID: "p", PaymentRevision: revision, Kind: kind, Ref: ref, Amount: eur(amount),
		Totals: order.PaymentTotals{Authorised: eur(authorised), Captured: eur(captured), Refunded: eur(refunded)},
	}
}
