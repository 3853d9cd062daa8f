package fulfilment_test

import (
	"context"
	"testing"

	domainorder "github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/gateways/payment"
	"github.com/waybill-dev/waybill/handlers/process"
)

// tens moves no amount that does not end in 0.
type tens struct{ payment.Provider }

func (g tens) Capture(ctx context.Context, c payment.Capture) (payment.Movement, error) {
	if c.Amount.Amount%10 != 0 {
		return payment.Movement{Kind: payment.Captures, ID: c.ID, Status: payment.Failed, Amount: c.Amount, Code: "amount-not-representable"}, nil
	}
	return g.Provider.Capture(ctx, c)
}

func (g tens) Refund(ctx context.Context, r payment.Refund) (payment.Movement, error) {
	if r.Amount.Amount%10 != 0 {
		return payment.Movement{Kind: payment.Refunds, ID: r.ID, Status: payment.Failed, Amount: r.Amount, Code: "amount-not-representable"}, nil
	}
	return g.Provider.Refund(ctx, r)
}

// The parts of an order in dinars are what a gateway can move, and add up to the
// whole: 3 mugs for 10.000, shipped one by one, or not all of them.
func TestPartsOfAnOrderCanBePaid(t *testing.T) {
	t.Parallel()
	parcels := func(n int) func(*testing.T, *shop) {
		return func(t *testing.T, s *shop) {
			t.Helper()
			for i := range n {
				s.parcel(t, "o", string(rune('a'+i)), 1)
			}
		}
	}
	cancelRest := func(t *testing.T, s *shop) { t.Helper(); s.tell(t, "o", cancelled) }
	back := func(name string) func(*testing.T, *shop) {
		return func(t *testing.T, s *shop) { t.Helper(); s.comeBack(t, "o", name, domainorder.ForRefund, 1) }
	}
	atOnce := func(t *testing.T, s *shop) { t.Helper(); s.eventually(t, "o", process.Capture, "order") }
	for name, c := range map[string]struct {
		steps              []func(*testing.T, *shop)
		captured, refunded int64
	}{
		"shipped one by one":               {[]func(*testing.T, *shop){parcels(3)}, 10_500, 0},
		"one shipped, the rest not":        {[]func(*testing.T, *shop){parcels(1), cancelRest}, 3_830, 0},
		"paid at once, one shipped":        {[]func(*testing.T, *shop){atOnce, parcels(1), cancelRest}, 10_500, 6_670},
		"two came back, one by one":        {[]func(*testing.T, *shop){parcels(3), back("x"), back("y")}, 10_500, 6_660},
		"all of them come back one by one": {[]func(*testing.T, *shop){parcels(3), back("x"), back("y"), back("z")}, 10_500, 10_000},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newWorld(t).shop(t)
			sandboxed, err := s.Gateways.Provider("sandbox")
			if err != nil {
				t.Fatal(err)
			}
			s.Gateways = gateways{"sandbox": tens{sandboxed}}
			dinars := cart{id: "o", method: "sandbox:approved", quantities: []int{3}, totals: []int64{10_000}, shipping: 500, received: 10, currency: "KWD"}
			s.place(t, dinars)
			for _, step := range c.steps {
				step(t, s)
				if err := s.work(t, "o"); err != nil {
					t.Fatal(err)
				}
			}
			if m := s.order(t, "o").Money(); m.Captured.Amount != c.captured || m.Refunded.Amount != c.refunded {
				t.Errorf("%s captured, %s given back; want %d, %d", m.Captured, m.Refunded, c.captured, c.refunded)
			}
			s.agree(t, dinars)
		})
	}
}
