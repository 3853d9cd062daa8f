package fulfilment_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	domainorder "github.com/waybill-dev/waybill/domain/order"
	domainpayment "github.com/waybill-dev/waybill/domain/payment"
	domainstock "github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers/fulfilment"
	"github.com/waybill-dev/waybill/handlers/process"
)

// edited leaves a random line fewer units, of an order that was paid for by
// hand, or at once, or not yet.
func edited() saga {
	return saga{
		kind: process.Edit, ref: "e",
		begin: func(t *testing.T, s *shop, c cart, random *rand.Rand) {
			t.Helper()
			o := s.order(t, c.id)
			switch random.IntN(4) {
			case 0:
				s.eventually(t, c.id, process.Capture, "order")
			case 1:
				s.pay(t, "p1-"+c.id, domainpayment.RequestCapture{CaptureID: "by-hand-" + c.id, Amount: eur(1 + random.Int64N(o.Totals.Grand.Amount))})
				if err := s.work(t, c.id); err != nil {
					t.Fatal(err)
				}
			default:
			}
			if most := s.order(t, c.id).Refundable().Amount; most > 0 && random.IntN(3) == 0 {
				s.tell(t, c.id, refund("goodwill", 1+random.Int64N(most)))
			}
			i := random.IntN(len(c.quantities))
			if quantity := random.IntN(c.quantities[i]); quantity > 0 || len(c.quantities) > 1 {
				s.tell(t, c.id, fewer(o.Lines[i], "e", quantity))
			}
		},
		ended: func(t *testing.T, s *shop, c cart) {
			t.Helper()
			o := s.order(t, c.id)
			m, goodwill := o.Money(), int64(0)
			for _, r := range o.Refunds {
				if r.Requested.Reason == "goodwill" {
					goodwill = r.Requested.Amount.Amount
				}
			}
			want := m.Captured.Amount
			if costs := o.Totals.Grand.Amount; want > costs {
				want = max(costs, goodwill)
			}
			if kept := m.Captured.Amount - m.Refunded.Amount + goodwill; kept != want {
				t.Errorf("the shop keeps %d of %s, for an order of %s", kept, m.Captured, o.Totals.Grand)
			}
		},
	}
}

// renewed has an authorisation that runs out, or has run out, of an order that
// may be shipped in part.
func renewed() saga {
	return saga{
		kind: process.Reauthorise,
		begin: func(t *testing.T, s *shop, c cart, random *rand.Rand) {
			t.Helper()
			anyPast(t, s, c, random)
			holds := "p1-" + c.id
			for id, p := range s.chain(t, s.order(t, c.id)) {
				if p.Capturable().Amount > 0 {
					holds = id
				}
			}
			s.also = []process.Task{{OrderID: c.id, Kind: process.Reauthorise, Ref: holds, Cause: "cause", OpenedAt: s.openedAt()}}
			if random.IntN(3) == 0 {
				s.world.advance(week + 1)
			}
		},
		ended: func(t *testing.T, s *shop, c cart) {
			t.Helper()
			o := s.order(t, c.id)
			var held, captured int64
			holding := 0
			for _, p := range s.chain(t, o) {
				captured += p.Captured().Amount
				if n := p.Capturable().Amount; n > 0 {
					held += n
					holding++
				}
			}
			// What is captured after the gateway has promised more, and before the
			// process lives again, makes that too much.
			if want := o.Totals.Grand.Amount - captured; holding > 1 || held < want || held > o.Totals.Grand.Amount || want < 0 {
				t.Errorf("%d payments hold %d, and %d is captured, for an order of %s", holding, held, captured, o.Totals.Grand)
			}
		},
	}
}

// exchanges sends replacements by checkouts that are killed with the process.
func (s *shop) exchanges(tb testing.TB, skus ...string) {
	tb.Helper()
	places := s.checkouts(tb, skus...)
	places.Fault = func(step string) error {
		if s.Fault == nil {
			return nil
		}
		return s.Fault(step)
	}
	s.sells, s.Replacements = skus, fulfilment.Exchanges{Checkout: places}
}

// exchanged sends other goods through a checkout that is killed as well.
func exchanged() saga {
	return saga{
		kind: process.Return, ref: "back",
		begin: func(t *testing.T, s *shop, c cart, random *rand.Rand) {
			t.Helper()
			skus := []string{}
			for _, l := range s.order(t, c.id).Lines {
				skus = append(skus, l.SKU)
			}
			s.exchanges(t, skus...)
			shipAll(t, s, c, random)
			quantities := make([]int, len(c.quantities))
			for i, n := range c.quantities {
				quantities[i] = random.IntN(n + 1)
			}
			if i := random.IntN(len(quantities)); slices.Max(quantities) == 0 {
				quantities[i] = 1
			}
			s.comeBack(t, c.id, "back", domainorder.ForExchange, quantities...)
		},
		ended: func(t *testing.T, s *shop, c cart) {
			t.Helper()
			want := map[string]int{}
			for _, u := range s.order(t, c.id).Returns[0].Received {
				l, _ := s.order(t, c.id).Line(u.LineID)
				want[l.SKU] += u.Quantity
			}
			orders := map[string]bool{}
			s.sent = map[string]int{}
			for sku := range want {
				for _, r := range s.item(t, sku).Reservations() {
					if r.Status == domainstock.StatusCommitted && r.OrderID != c.id {
						s.sent[sku] += r.Quantity
						orders[r.OrderID] = true
					}
				}
			}
			if len(orders) != 1 || fmt.Sprint(s.sent) != fmt.Sprint(want) {
				t.Errorf("%v was sent by %d orders, want %v by one", s.sent, len(orders), want)
			}
			for id := range orders {
				o, _, err := eventstore.Load(t.Context(), s.Store, domainorder.Decider, id)
				if err != nil || o.External.Ref != "back" || o.Totals.Grand.Amount != 0 {
					t.Errorf("the replacement is %+v, %v", o, err)
				}
			}
			if m := s.order(t, c.id).Money(); m.Refunded.Amount != 0 {
				t.Errorf("%s was given back beside", m.Refunded)
			}
		},
	}
}
