package order

import (
	"reflect"

	"github.com/waybill-dev/waybill/domain"
)

func place(s State, c Place) ([]Event, error) {
	c.Order.Discounts = some(c.Order.Discounts)
	if err := check(c.Order); err != nil {
		return nil, err
	}
	if s.Status == "" {
		return []Event{c.Order}, nil
	}
	if same(s.Placed, c.Order) {
		return nil, nil
	}
	return nil, ErrIDReused.With("order_id", c.Order.OrderID)
}

// same compares two orders but for the time of placing them, and when their
// money is taken, which is the shop's policy of the moment. Times are equal in
// any zone.
func same(recorded, wanted OrderPlaced) bool {
	if !recorded.External.Time.Equal(wanted.External.Time) {
		return false
	}
	recorded.External.Time, recorded.PlacedAt, recorded.Capture = wanted.External.Time, wanted.PlacedAt, wanted.Capture
	return reflect.DeepEqual(recorded, wanted)
}

// check calculates every sum again.
func check(o OrderPlaced) error {
	if len(o.Lines) == 0 {
		return ErrNoLines
	}
	if o.Capture != CaptureShipped && o.Capture != CapturePlaced {
		return ErrInvalid.With("capture", string(o.Capture))
	}
	for _, line := range o.Lines {
		if line.Quantity < 1 {
			return ErrTotals.With("line_id", line.LineID)
		}
	}
	shippingTax := domain.Money{Currency: o.Currency}
	if o.Shipping != (Shipping{}) {
		shippingTax = o.Shipping.Tax
		if o.Shipping.Price != o.Totals.Shipping {
			return ErrTotals.With("shipping", o.Shipping.Price.String())
		}
	}
	want, err := total(o.Currency, o.Lines, o.Totals.Shipping, shippingTax)
	if err != nil {
		return err
	}
	if want != o.Totals {
		return ErrTotals.With("total", o.Totals.Grand.String())
	}
	return checkDiscounts(o)
}

func checkDiscounts(o OrderPlaced) error {
	if len(o.Discounts) == 0 {
		return nil
	}
	sum, discount := sums{}, domain.Money{Currency: o.Currency}
	for _, d := range o.Discounts {
		discount = sum.add(discount, d.Amount)
	}
	if sum.err != nil {
		return sum.err
	}
	if discount != o.Totals.Discount {
		return ErrTotals.With("discount", o.Totals.Discount.String())
	}
	return nil
}

// total adds up lines, each of which must add up in itself.
func total(currency string, lines []Line, shipping, shippingTax domain.Money) (Totals, error) {
	zero := domain.Money{Currency: currency}
	totals := Totals{Subtotal: zero, Discount: zero, Shipping: shipping}
	sum := sums{}
	totals.Tax = sum.add(zero, shippingTax)
	for _, line := range lines {
		price, err := line.UnitPrice.Mul(int64(line.Quantity))
		if err != nil {
			return Totals{}, err
		}
		wanted := sum.add(sum.sub(price, line.Discount), line.Tax)
		totals.Subtotal = sum.add(totals.Subtotal, price)
		totals.Discount = sum.add(totals.Discount, line.Discount)
		totals.Tax = sum.add(totals.Tax, line.Tax)
		if sum.err != nil {
			return Totals{}, sum.err
		}
		if wanted != line.Total {
			return Totals{}, ErrTotals.With("line_id", line.LineID)
		}
	}
	totals.Grand = sum.add(sum.add(sum.sub(totals.Subtotal, totals.Discount), totals.Shipping), totals.Tax)
	return totals, sum.err
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
