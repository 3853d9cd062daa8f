package domain_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/domain"
)

func TestAnAmountIsSplit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		amount  int64
		weights []int64
		want    []int64
	}{
		"evenly":                              {90, []int64{1, 1, 1}, []int64{30, 30, 30}},
		"what is left over goes to the first": {100, []int64{1, 1, 1}, []int64{34, 33, 33}},
		"what is left over goes to the largest rest": {10, []int64{10, 3, 3}, []int64{6, 2, 2}},
		"less than nothing":                          {-100, []int64{1, 1, 1}, []int64{-34, -33, -33}},
		"a weight of nothing":                        {7, []int64{0, 5, 0}, []int64{0, 7, 0}},
		"nothing weighs anything":                    {7, []int64{0, 0}, []int64{7, 0}},
		"into nothing":                               {7, nil, []int64{}},
		"as much as there is":                        {math.MaxInt64, []int64{math.MaxInt64, math.MaxInt64}, []int64{math.MaxInt64/2 + 1, math.MaxInt64 / 2}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := []int64{}
			for _, part := range eur(c.amount).Split(c.weights) {
				got = append(got, part.Amount)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// The parts add up, and of something that is at most the sum of the weights
// none is more than its weight.
func TestPartsAddUp(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 5_000 {
		var weights []int64
		var all int64
		for range 1 + random.IntN(9) {
			w := random.Int64N(1 << random.IntN(40))
			weights, all = append(weights, w), all+w
		}
		amount, sum := domain.Money{Amount: random.Int64N(all + 1), Currency: "EUR"}, int64(0)
		for i, part := range amount.Split(weights) {
			if sum += part.Amount; part.Amount < 0 || part.Amount > weights[i] || part.Currency != "EUR" {
				t.Fatalf("%v by %v: part %d is %v", amount, weights, i, part)
			}
		}
		if sum != amount.Amount {
			t.Fatalf("%v by %v adds up to %d", amount, weights, sum)
		}
	}
}
