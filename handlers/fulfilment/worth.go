package fulfilment

import (
	"math/big"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/order"
)

// share is what the first n of a line's units cost. It grows with n, so that
// the prices of single units add up to the line's total: the last one takes
// what is left. Until then they are what can be paid, see [domain.Step].
func share(l order.Line, n int) int64 {
	switch {
	case l.Quantity == 0:
		return 0
	case n >= l.Quantity:
		return l.Total.Amount
	}
	x := big.NewInt(l.Total.Amount)
	x.Mul(x, big.NewInt(int64(n)))
	return payable(x.Quo(x, big.NewInt(int64(l.Quantity))).Int64(), l.Total.Currency)
}

// payable is as much of an amount as can be paid.
func payable(amount int64, currency string) int64 { return amount - amount%domain.Step(currency) }

// shipping is what shipping costs, with its tax.
func shipping(s order.State) int64 { return s.Totals.Shipping.Amount + s.Shipping.Tax.Amount }

// worth is what the goods of the first shipments cost, and the shipping, which
// is paid with the first one.
func worth(s order.State, shipments int) int64 {
	if shipments == 0 {
		return 0
	}
	units := map[string]int{}
	for _, p := range s.Shipments[:shipments] {
		for _, u := range p.Shipped.Lines {
			units[u.LineID] += u.Quantity
		}
	}
	total := shipping(s)
	for _, l := range s.Lines {
		total += share(l, units[l.LineID])
	}
	return total
}

// left is how many units are neither shipped nor cancelled.
func left(s order.State) int {
	n := 0
	for _, l := range s.Lines {
		n += s.Left(l)
	}
	return n
}
