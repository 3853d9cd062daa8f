package fulfilment

import (
	"math/big"
	"slices"

	"github.com/waybill-dev/waybill/domain/order"
)

// owed is what a return is paid for: what its units cost, coming back after
// those of the returns before it, so that all of them together cost what was
// paid. What was given back by hand for units of a line counts for those of its
// units that come back first: no unit is paid for twice.
func (r *run) owed(back order.Return) (n int64) {
	through, given := map[string]int{}, r.byHand()
	add := func(one order.Return) (own map[string]int64) {
		lines := received(one)
		own = r.costs(lines, through)
		for _, u := range lines {
			through[u.LineID] += u.Quantity
		}
		return own
	}
	for _, other := range r.before(back) {
		spread(r.given(ReasonReturned, other.Requested.ReturnID), add(other), given)
	}
	for id, cost := range add(back) {
		line, _ := r.order.Line(id)
		n += max(0, min(cost, share(line, through[id])-given[id]))
	}
	return n
}

// before lists the returns whose units count as come back before those of
// another one: first those that are being paid for, then those asked for
// earlier.
func (r *run) before(back order.Return) (begun []order.Return) {
	var waiting []order.Return
	earlier := true
	for _, other := range r.order.Returns {
		switch {
		case other.Requested.ReturnID == back.Requested.ReturnID:
			earlier = false
		case other.Requested.Kind != order.ForRefund || other.Status != order.ReturnReceived:
		case len(r.corrections(ReasonReturned, other.Requested.ReturnID)) > 0:
			begun = append(begun, other)
		case earlier:
			waiting = append(waiting, other)
		}
	}
	return append(begun, waiting...)
}

// costs is what units cost that come back after so many of their lines.
func (r *run) costs(lines []order.Units, before map[string]int) map[string]int64 {
	costs := map[string]int64{}
	for _, u := range lines {
		if l, known := r.order.Line(u.LineID); known {
			costs[u.LineID] = share(l, before[u.LineID]+u.Quantity) - share(l, before[u.LineID])
		}
	}
	return costs
}

// byHand is what was given back by hand for units of each line, but for those
// that left the order before they were shipped.
func (r *run) byHand() map[string]int64 {
	given := r.handed()
	for id, n := range r.covered(r.excess(r.price())) {
		given[id] -= n
	}
	return given
}

// excess is what was captured beyond a cost and not given back because of an
// edit or a cancellation.
func (r *run) excess(cost int64) int64 {
	return r.order.Money().Captured.Amount - r.corrected() - cost
}

// over is the excess that nobody has given back by hand for the units that left
// the order.
func (r *run) over(cost int64) int64 {
	n := r.excess(cost)
	return n - sum(r.covered(n))
}

// covered is what was given back by hand, of each line, for units that an edit
// or a cancellation took out of the order: as much as there is excess. Once the
// rest is given back too, exactly that is left as excess, so that later refunds
// by hand change nothing.
func (r *run) covered(excess int64) map[string]int64 {
	given, covered := r.handed(), map[string]int64{}
	for _, l := range r.ordered() {
		if n := min(given[l.LineID], r.gone(l), excess); n > 0 {
			covered[l.LineID] = n
			excess -= n
		}
	}
	return covered
}

// ordered lists every line that the order ever had, as it was first.
func (r *run) ordered() []order.Line {
	lines := slices.Clone(r.order.Placed.Lines)
	for _, e := range r.order.Edits {
		for _, c := range e.Changes {
			if c.QuantityFrom == 0 {
				lines = append(lines, order.Line{LineID: c.LineID, Quantity: c.QuantityTo, Total: c.Total})
			}
		}
	}
	return lines
}

// gone is what those units of a line cost that left the order unshipped.
func (r *run) gone(first order.Line) int64 {
	l, _ := r.order.Line(first.LineID)
	left := l.Total.Amount
	if s := r.order.Status; s == order.StatusCancelling || s == order.StatusCancelled {
		left = share(l, r.order.Progress(first.LineID).Shipped)
	}
	return first.Total.Amount - left
}

// handed is what was given back for units of each line by refunds that do not
// follow from a return. What one gave beyond what its units cost is goodwill.
func (r *run) handed() map[string]int64 {
	follows := map[string]bool{}
	for _, back := range r.order.Returns {
		for _, refund := range r.corrections(ReasonReturned, back.Requested.ReturnID) {
			follows[refund.Requested.RefundID] = true
		}
	}
	given := map[string]int64{}
	for _, refund := range r.order.Refunds {
		if follows[refund.Requested.RefundID] {
			continue
		}
		amount := refund.Requested.Amount.Amount
		if refund.Status == order.RefundFailed {
			amount = r.order.Reported(refund.Requested.RefundID)
		}
		costs := r.costsAtFirst(refund.Requested.Lines)
		spread(min(amount, sum(costs)), costs, given)
	}
	return given
}

// costsAtFirst is what units cost before any edit.
func (r *run) costsAtFirst(lines []order.Units) map[string]int64 {
	costs := map[string]int64{}
	for _, l := range r.ordered() {
		for _, u := range lines {
			if u.LineID == l.LineID {
				costs[u.LineID] = share(l, u.Quantity)
			}
		}
	}
	return costs
}

// spread adds to each line its part of an amount, by what its units cost. Parts
// are rounded up: the shop does not pay the rest twice.
func spread(amount int64, costs, into map[string]int64) {
	all := sum(costs)
	if all == 0 {
		return
	}
	for id, cost := range costs {
		part := new(big.Int).Mul(big.NewInt(amount), big.NewInt(cost))
		part.Add(part, big.NewInt(all-1)).Quo(part, big.NewInt(all))
		into[id] += part.Int64()
	}
}

func sum(costs map[string]int64) (all int64) {
	for _, cost := range costs {
		all += cost
	}
	return all
}
