package fulfilment_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	domainorder "github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/handlers/process"
)

// byHand is a refund of an amount for units of the first line.
func byHand(id string, amount int64, units int) domainorder.RequestRefund {
	return domainorder.RequestRefund{
		RefundID: id, Amount: eur(amount), Reason: "damaged", Lines: []domainorder.Units{{LineID: "l0", Quantity: units}},
	}
}

// The first line is 3 mugs for 10.00. What was refunded by hand for mugs is not
// paid once more when they come back.
func TestUnitsAreNotPaidForTwice(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before   []domainorder.RequestRefund
		returned []int // mugs of one return after another
		want     int64 // given back in all
	}{
		"nothing by hand":                          {nil, []int{1, 1, 1}, 1000},
		"one by hand, and it comes back":           {[]domainorder.RequestRefund{byHand("h", 333, 1)}, []int{1}, 333},
		"one by hand, and two come back":           {[]domainorder.RequestRefund{byHand("h", 333, 1)}, []int{2}, 666},
		"one by hand, and all come back singly":    {[]domainorder.RequestRefund{byHand("h", 333, 1)}, []int{1, 1, 1}, 1000},
		"two by hand, and all come back singly":    {[]domainorder.RequestRefund{byHand("h", 666, 2)}, []int{1, 1, 1}, 1000},
		"a part of one by hand":                    {[]domainorder.RequestRefund{byHand("h", 100, 1)}, []int{1}, 333},
		"more than one costs is goodwill":          {[]domainorder.RequestRefund{byHand("h", 500, 1)}, []int{1}, 500},
		"all by hand":                              {[]domainorder.RequestRefund{byHand("h", 1000, 3)}, []int{3}, 1000},
		"by hand, and for no units: that is extra": {[]domainorder.RequestRefund{refund("h", 333)}, []int{1}, 666},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newWorld(t).shop(t)
			s.place(t, basic("o"))
			s.parcel(t, "o", "a", 3, 2)
			if err := s.work(t, "o"); err != nil {
				t.Fatal(err)
			}
			for _, r := range c.before {
				s.tell(t, "o", r)
			}
			for i, n := range c.returned {
				id := fmt.Sprint("back", i)
				s.comeBack(t, "o", id, domainorder.ForRefund, n, 0)
				s.must(t, "o", process.Return, id)
				s.must(t, "o", process.Return, id)
			}
			if err := s.work(t, "o"); err != nil {
				t.Fatal(err)
			}
			if m := s.order(t, "o").Money(); m.Refunded != eur(c.want) {
				t.Errorf("%s given back, want %d", m.Refunded, c.want)
			}
			s.agree(t, basic("o"))
		})
	}
}

// Refunds by hand and returns in any order, at random: what is given back for
// the units of a line is never more than they cost and, once all came back, no
// less.
func TestWhatIsGivenBackForUnitsIsWhatTheyCost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for seed := range uint64(25) {
		random := rand.New(rand.NewPCG(seed, 11)) //nolint:gosec // a test
		s, id := w.shop(t), fmt.Sprint("o", seed)
		c := basic(id)
		c.totals[0] = 1 + random.Int64N(2000)
		s.place(t, c)
		s.parcel(t, id, "a", 3, 2)
		if err := s.work(t, id); err != nil {
			t.Fatal(err)
		}
		hands, left := int64(0), 3
		for i := 0; left > 0; i++ {
			if n := 1 + random.IntN(3); random.IntN(2) == 0 {
				amount := c.totals[0] * int64(n) / 3
				if hands+amount > c.totals[0] || amount == 0 || amount > s.order(t, id).Refundable().Amount {
					continue
				}
				hands += amount
				s.tell(t, id, byHand(fmt.Sprint("h", i), amount, n))
				continue
			}
			n := 1 + random.IntN(left)
			left -= n
			s.comeBack(t, id, fmt.Sprint("back", i), domainorder.ForRefund, n, 0)
			if random.IntN(2) == 0 {
				if err := s.work(t, id); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := s.work(t, id); err != nil {
			t.Fatal(err)
		}
		got := s.order(t, id).Money().Refunded.Amount
		// A refund by hand for units that were paid for before is the shop's own.
		if got < c.totals[0] || got > c.totals[0]+hands {
			t.Errorf("seed %d: %d given back, %d of it by hand, for mugs of %d", seed, got, hands, c.totals[0])
		}
		s.agree(t, c)
	}
}

// The first line is 3 mugs for 10.00, and everything is paid for. What was
// refunded by hand for mugs is not paid once more when they are taken out of
// the order, or the rest of it is cancelled; nor is it forgotten for that when
// a mug comes back.
func TestWhatLeavesTheOrderIsNotPaidForTwice(t *testing.T) {
	t.Parallel()
	hand := func(id string, amount int64, units int) func(*testing.T, *shop) {
		return func(t *testing.T, s *shop) { t.Helper(); s.tell(t, "o", byHand(id, amount, units)) }
	}
	extra := func(t *testing.T, s *shop) { t.Helper(); s.tell(t, "o", refund("extra", 333)) }
	sent := func(mugs int) func(*testing.T, *shop) {
		return func(t *testing.T, s *shop) { t.Helper(); s.parcel(t, "o", "a", mugs, 2) }
	}
	edited := func(id string, mugs int) func(*testing.T, *shop) {
		return func(t *testing.T, s *shop) { t.Helper(); s.editLine(t, id, 0, mugs) }
	}
	cancelRest := func(t *testing.T, s *shop) { t.Helper(); s.tell(t, "o", cancelled) }
	back := func(t *testing.T, s *shop) { t.Helper(); s.comeBack(t, "o", "back", domainorder.ForRefund, 1, 0) }
	for name, c := range map[string]struct {
		steps []func(*testing.T, *shop)
		want  int64 // given back in all
	}{
		"all mugs by hand, and cancelled":                 {[]func(*testing.T, *shop){sent(0), hand("h", 1000, 3), cancelRest}, 1000},
		"one by hand, and all cancelled":                  {[]func(*testing.T, *shop){sent(0), hand("h", 333, 1), cancelRest}, 1000},
		"a part of one by hand, and all cancelled":        {[]func(*testing.T, *shop){sent(0), hand("h", 100, 1), cancelRest}, 1000},
		"by hand for no units: that is extra":             {[]func(*testing.T, *shop){sent(0), extra, cancelRest}, 1333},
		"all mugs by hand, and taken out":                 {[]func(*testing.T, *shop){hand("h", 1000, 3), edited("e", 0)}, 1000},
		"one by hand, and two taken out one by one":       {[]func(*testing.T, *shop){hand("h", 333, 1), edited("e", 2), edited("f", 1)}, 667},
		"one by hand, all taken out, the rest cancelled":  {[]func(*testing.T, *shop){hand("h", 333, 1), edited("e", 0), cancelRest}, 1901},
		"one by hand, the rest cancelled, one comes back": {[]func(*testing.T, *shop){sent(1), hand("h", 333, 1), cancelRest, back}, 1000},
		"the rest cancelled, one by hand comes back":      {[]func(*testing.T, *shop){sent(1), cancelRest, hand("h", 333, 1), back}, 1000},
		"two by hand, the rest cancelled, one comes back": {[]func(*testing.T, *shop){sent(1), hand("h", 666, 2), cancelRest, back}, 1000},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newWorld(t).shop(t)
			s.place(t, basic("o"))
			s.eventually(t, "o", process.Capture, "order")
			for _, step := range c.steps {
				step(t, s)
				if err := s.work(t, "o"); err != nil {
					t.Fatal(err)
				}
			}
			if m := s.order(t, "o").Money(); m.Refunded != eur(c.want) {
				t.Errorf("%s given back, want %d", m.Refunded, c.want)
			}
			s.agree(t, basic("o"))
		})
	}
}
