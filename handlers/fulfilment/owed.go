package fulfilment

import (
	"math/big"

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

// byHand is what was given back for units of each line by refunds that do not
// follow from a return. What one gave beyond what its units cost is goodwill.
func (r *run) byHand() map[string]int64 {
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
			amount = r.reported(refund.Requested.RefundID)
		}
		costs := r.costs(refund.Requested.Lines, nil)
		spread(min(amount, sum(costs)), costs, given)
	}
	return given
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
