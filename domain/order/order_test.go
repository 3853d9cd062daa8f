package order_test

import (
	"math"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/decidertest"
	"github.com/waybill-dev/waybill/domain/order"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

func eur(amount int64) domain.Money { return domain.Money{Amount: amount, Currency: "EUR"} }

func placed(change ...func(*order.OrderPlaced)) order.OrderPlaced {
	o := order.OrderPlaced{
		OrderID: "o", Number: "100001", CheckoutID: "c", CustomerID: "u", Currency: "EUR", PaymentID: "p", Authorised: eur(2950), PlacedAt: noon,
		Lines: []order.Line{
			{LineID: "1", SKU: "MUG-1", Title: "Mug", Quantity: 2, UnitPrice: eur(1250), Discount: eur(50), Tax: eur(100), Total: eur(2550), Location: "main", ReservationID: "r"},
		},
		Totals: order.Totals{Subtotal: eur(2500), Discount: eur(50), Shipping: eur(400), Tax: eur(100), Grand: eur(2950)},
	}
	for _, c := range change {
		c(&o)
	}
	return o
}

func TestPlacing(t *testing.T) {
	t.Parallel()
	type row = decidertest.Case[order.Command, order.Event]
	line := func(change func(*order.Line)) order.Place {
		return order.Place{Order: placed(func(o *order.OrderPlaced) { change(&o.Lines[0]) })}
	}
	decidertest.Run(t, order.Decider, []row{
		{Name: "an order is placed", When: order.Place{Order: placed()}, Then: []order.Event{placed()}},
		{
			Name: "placing it again later changes nothing", Given: []order.Event{placed()},
			When: order.Place{Order: placed(func(o *order.OrderPlaced) { o.PlacedAt = noon.Add(time.Hour) })},
		},
		{
			Name: "nor under another policy of taking money", Given: []order.Event{placed()},
			When: order.Place{Order: placed(func(o *order.OrderPlaced) { o.Capture = order.CapturePlaced })},
		},
		{
			Name: "there is no other policy", When: order.Place{Order: placed(func(o *order.OrderPlaced) { o.Capture = "never" })},
			Refused: order.ErrInvalid,
		},
		{
			Name: "another order under the same id is refused", Given: []order.Event{placed()},
			When:    order.Place{Order: placed(func(o *order.OrderPlaced) { o.CustomerID = "v" })},
			Refused: order.ErrIDReused,
		},
		{
			Name: "another external time makes another order", Given: []order.Event{placed()},
			When:    order.Place{Order: placed(func(o *order.OrderPlaced) { o.External.Time = noon })},
			Refused: order.ErrIDReused,
		},
		{Name: "an order has lines", When: order.Place{Order: placed(func(o *order.OrderPlaced) { o.Lines = nil })}, Refused: order.ErrNoLines},
		{Name: "a line's total is its sum", When: line(func(l *order.Line) { l.Total = eur(1) }), Refused: order.ErrTotals},
		{Name: "a line has units", When: line(func(l *order.Line) { l.Quantity, l.Total = 0, eur(50) }), Refused: order.ErrTotals},
		{Name: "the totals are the sums of the lines", When: order.Place{Order: placed(func(o *order.OrderPlaced) { o.Totals.Grand = eur(2500) })}, Refused: order.ErrTotals},
		{Name: "an order has one currency", When: line(func(l *order.Line) { l.Tax.Currency = "GBP" }), Refused: domain.ErrCurrencyMismatch},
		{Name: "shipping has the order's currency", When: order.Place{Order: placed(func(o *order.OrderPlaced) { o.Totals.Shipping.Currency = "GBP" })}, Refused: domain.ErrCurrencyMismatch},
		{Name: "there is not that much money", When: line(func(l *order.Line) { l.UnitPrice = eur(math.MaxInt64) }), Refused: domain.ErrAmountOverflow},
	})
}

func TestGolden(t *testing.T) {
	t.Parallel()
	decidertest.Golden(t, order.EventTypes())
}
