// Package order is what a customer bought. It promises that an order has
// lines, that its amounts add up in one currency, and that it is placed once.
// Stock and money are promised by their own aggregates before an order is
// placed.
package order

import (
	"fmt"
	"reflect"
	"time"

	"github.com/waybill-dev/waybill/domain"
)

// Rules an order may refuse a command by.
var (
	ErrNoLines  = domain.Rule("cart-invalid", "an order needs at least one line")
	ErrTotals   = domain.Rule("totals-mismatch", "the order's amounts do not add up")
	ErrIDReused = domain.Rule("id-reused", "the id was used before, with other content")
)

// Command is a wish to change an order.
//
//sumtype:decl
type Command interface{ command() }

// Place makes the order. Placing the same order again, at whatever time,
// changes nothing.
type Place struct{ Order OrderPlaced }

func (Place) command() {}

// Status is where an order is in its life.
type Status string

// StatusPlaced is an order that was placed and nothing else happened to.
const StatusPlaced Status = "placed"

// State is an order. The zero value was never placed.
type State struct {
	Status        Status
	OrderID       string
	Number        string
	CheckoutID    string
	CustomerID    string
	ContactRef    string
	ShipToCountry string
	Currency      string
	Lines         []Line
	Totals        Totals
	PaymentID     string
	Authorised    domain.Money
	External      External
	PlacedAt      time.Time
}

// Decider is the order as an aggregate.
var Decider = domain.Decider[State, Command, Event]{Category: "order", Decide: decide, Evolve: evolve}

func decide(s State, c Command) ([]Event, error) {
	switch c := c.(type) {
	case Place:
		return place(s, c)
	}
	panic(fmt.Sprintf("order: unknown command %T", c))
}

func place(s State, c Place) ([]Event, error) {
	if err := check(c.Order); err != nil {
		return nil, err
	}
	if s.Status == "" {
		return []Event{c.Order}, nil
	}
	if same(s, evolve(State{}, c.Order)) {
		return nil, nil
	}
	return nil, ErrIDReused.With("order_id", c.Order.OrderID)
}

// same compares two orders but for the time of placing them. Times are equal
// in any zone.
func same(s, wanted State) bool {
	if !s.External.Time.Equal(wanted.External.Time) {
		return false
	}
	s.External.Time = wanted.External.Time
	s.Status, s.PlacedAt = wanted.Status, wanted.PlacedAt
	return reflect.DeepEqual(s, wanted)
}

// check calculates every sum again.
func check(o OrderPlaced) error {
	if len(o.Lines) == 0 {
		return ErrNoLines
	}
	zero := domain.Money{Currency: o.Currency}
	want := Totals{Subtotal: zero, Discount: zero, Shipping: o.Totals.Shipping, Tax: zero}
	for _, line := range o.Lines {
		price, err := line.UnitPrice.Mul(int64(line.Quantity))
		if err != nil {
			return err
		}
		sum := sums{}
		total := sum.add(sum.sub(price, line.Discount), line.Tax)
		want.Subtotal = sum.add(want.Subtotal, price)
		want.Discount = sum.add(want.Discount, line.Discount)
		want.Tax = sum.add(want.Tax, line.Tax)
		if sum.err != nil {
			return sum.err
		}
		if total != line.Total || line.Quantity < 1 {
			return ErrTotals.With("line_id", line.LineID)
		}
	}
	sum := sums{}
	want.Grand = sum.add(sum.add(sum.sub(want.Subtotal, want.Discount), want.Shipping), want.Tax)
	if sum.err != nil {
		return sum.err
	}
	if want != o.Totals {
		return ErrTotals.With("total", o.Totals.Grand.String())
	}
	return nil
}

// sums calculates until the first mistake.
type sums struct{ err error }

func (s *sums) add(a, b domain.Money) domain.Money { return s.keep(a.Add(b)) }
func (s *sums) sub(a, b domain.Money) domain.Money { return s.keep(a.Sub(b)) }

func (s *sums) keep(m domain.Money, err error) domain.Money {
	if s.err == nil {
		s.err = err
	}
	return m
}

func evolve(s State, e Event) State {
	switch e := e.(type) {
	case OrderPlaced:
		return State{
			Status: StatusPlaced, OrderID: e.OrderID, Number: e.Number, CheckoutID: e.CheckoutID, CustomerID: e.CustomerID,
			ContactRef: e.ContactRef, ShipToCountry: e.ShipToCountry, Currency: e.Currency, Lines: e.Lines, Totals: e.Totals,
			PaymentID: e.PaymentID, Authorised: e.Authorised, External: e.External, PlacedAt: e.PlacedAt,
		}
	}
	return s
}
