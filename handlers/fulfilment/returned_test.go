package fulfilment_test

import (
	"context"
	"testing"

	domainorder "github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/handlers/fulfilment"
	"github.com/waybill-dev/waybill/handlers/process"
)

// delivered is an order that was shipped and paid for.
func delivered(t *testing.T, c cart) *shop {
	t.Helper()
	s := newWorld(t).shop(t)
	s.place(t, c)
	s.parcel(t, c.id, "a", c.quantities...)
	if err := s.work(t, c.id); err != nil {
		t.Fatal(err)
	}
	return s
}

// All units that come back cost together what was paid for them.
func TestWhatComesBackIsPaidBack(t *testing.T) {
	t.Parallel()
	c := basic("o")
	s := delivered(t, c)
	for i, want := range []int64{333, 333 + 333 + 250, 1501} {
		s.comeBack(t, "o", []string{"a", "b", "c"}[i], domainorder.ForRefund, 1, []int{0, 1, 1}[i])
		if err := s.work(t, "o"); err != nil {
			t.Fatal(err)
		}
		if m := s.order(t, "o").Money(); m.Refunded != eur(want) {
			t.Errorf("after %d returns %s are given back, want %d", i+1, m.Refunded, want)
		}
		s.agree(t, c)
	}
}

func TestReturns(t *testing.T) {
	t.Parallel()
	t.Run("what cannot be sold again is paid back, and not restocked", func(t *testing.T) {
		t.Parallel()
		c := basic("o")
		s := delivered(t, c)
		s.tell(t, "o", domainorder.RequestReturn{ReturnID: "a", Kind: domainorder.ForRefund, Lines: []domainorder.ReturnedUnits{{LineID: "l0", Quantity: 3, Reason: "broken"}}})
		s.tell(t, "o", domainorder.ReceiveReturn{ReturnID: "a", Lines: []domainorder.ReceivedUnits{{LineID: "l0", Quantity: 2, Restock: true}, {LineID: "l0", Quantity: 1}}})
		s.must(t, "o", process.Return, "a")
		if m := s.order(t, "o").Money(); m.Refunded != eur(1000) {
			t.Errorf("%s are given back", m.Refunded)
		}
		s.agree(t, c)
	})
	t.Run("it waits for what was shipped to be captured", func(t *testing.T) {
		t.Parallel()
		s := newWorld(t).shop(t)
		c := basic("o")
		s.place(t, c)
		s.parcel(t, "o", "a", 3, 2)
		s.comeBack(t, "o", "b", domainorder.ForRefund, 1, 0)
		waits(t, s.do(t.Context(), "o", process.Return, "b"))
		if i := s.item(t, "o-0"); i.OnHand != 11 {
			t.Errorf("%d on hand", i.OnHand)
		}
		if err := s.work(t, "o"); err != nil {
			t.Fatal(err)
		}
		if m := s.order(t, "o").Money(); m.Refunded != eur(333) {
			t.Errorf("%s are given back", m.Refunded)
		}
		s.agree(t, c)
	})
	t.Run("never more than was captured and not given back", func(t *testing.T) {
		t.Parallel()
		c := basic("o")
		s := delivered(t, c)
		s.tell(t, "o", refund("goodwill", 1500))
		s.must(t, "o", process.Refund, "goodwill")
		s.comeBack(t, "o", "b", domainorder.ForRefund, 3, 2)
		s.must(t, "o", process.Return, "b")
		if m := s.order(t, "o").Money(); m.Refunded != eur(1901) {
			t.Errorf("%s are given back", m.Refunded)
		}
		s.must(t, "o", process.Return, "b")
		s.agree(t, c)
	})
	t.Run("a refund that is refused is a failure, and another one follows", func(t *testing.T) {
		t.Parallel()
		c := basic("o")
		s := delivered(t, c)
		sandboxed, _ := s.Gateways.Provider("sandbox")
		s.Gateways = gateways{"sandbox": &declinesRefunds{Provider: sandboxed, left: 2}}
		s.comeBack(t, "o", "b", domainorder.ForRefund, 3, 0)
		for range 2 {
			if err := s.do(t.Context(), "o", process.Return, "b"); err == nil {
				t.Error("that is a failure")
			}
		}
		s.must(t, "o", process.Return, "b")
		s.must(t, "o", process.Return, "b")
		if o := s.order(t, "o"); len(o.Refunds) != 3 || o.Money().Refunded != eur(1000) {
			t.Errorf("%+v", o.Refunds)
		}
		s.agree(t, c)
	})
	t.Run("out of two payments", func(t *testing.T) {
		t.Parallel()
		_, s, c := twoPayments(t, "o")
		s.comeBack(t, "o", "b", domainorder.ForRefund, 3, 2)
		s.must(t, "o", process.Return, "b")
		if o := s.order(t, "o"); o.Money().Refunded != eur(1501) || o.Refunds[0].Status != domainorder.RefundDone {
			t.Errorf("%+v", o.Refunds)
		}
		s.agree(t, c)
	})
}

// sent are replacements.
type sent []fulfilment.Replacement

func (s *sent) Replace(_ context.Context, r fulfilment.Replacement) error {
	*s = append(*s, r)
	return nil
}

func TestAnExchange(t *testing.T) {
	t.Parallel()
	c := basic("o")
	s := delivered(t, c)
	s.comeBack(t, "o", "b", domainorder.ForExchange, 2, 0)
	if err := s.do(t.Context(), "o", process.Return, "b"); err == nil {
		t.Error("nobody sends anything, and nobody is told")
	}
	var orders sent
	s.Replacements = &orders
	s.must(t, "o", process.Return, "b")
	if len(orders) != 1 || orders[0].ReturnID != "b" || orders[0].Lines[0] != (fulfilment.ReplacementLine{SKU: "o-0", Quantity: 2}) {
		t.Errorf("%+v", orders)
	}
	s.comeBack(t, "o", "r", domainorder.ForRefund, 1, 0)
	s.must(t, "o", process.Return, "r")
	if m := s.order(t, "o").Money(); m.Refunded != eur(333) {
		t.Errorf("%s are given back", m.Refunded)
	}
	s.agree(t, c)
}
