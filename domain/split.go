package domain

import (
	"cmp"
	"math/big"
	"slices"
)

// Split divides an amount by weights, none of which is negative. The parts add
// up to the amount: what is left over by rounding goes in single units to those
// that rounding took most from, of equals to the first. Where all weights are 0
// the first part is everything. No part of an amount that is at most the sum of
// the weights is more than its weight.
func (m Money) Split(weights []int64) []Money {
	parts := make([]Money, len(weights))
	if len(weights) == 0 {
		return parts
	}
	all := new(big.Int)
	for _, w := range weights {
		all.Add(all, big.NewInt(w))
	}
	for i := range parts {
		parts[i].Currency = m.Currency
	}
	if all.Sign() == 0 {
		parts[0].Amount = m.Amount
		return parts
	}
	rests, left := make([]*big.Int, len(weights)), m.Amount
	for i, w := range weights {
		whole, rest := new(big.Int).QuoRem(new(big.Int).Mul(big.NewInt(m.Amount), big.NewInt(w)), all, new(big.Int))
		parts[i].Amount, rests[i] = whole.Int64(), rest.Abs(rest)
		left -= parts[i].Amount
	}
	order := make([]int, len(weights))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return rests[b].Cmp(rests[a]) })
	for _, i := range order[:max(left, -left)] {
		parts[i].Amount += int64(cmp.Compare(left, 0))
	}
	return parts
}
