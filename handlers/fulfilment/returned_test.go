package fulfilment_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/uuid"

	domaincatalog "github.com/waybill-dev/waybill/domain/catalog"
	domainorder "github.com/waybill-dev/waybill/domain/order"
	domainstock "github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/handlers/catalog"
	"github.com/waybill-dev/waybill/handlers/checkout"
	"github.com/waybill-dev/waybill/handlers/fulfilment"
	"github.com/waybill-dev/waybill/handlers/numbers"
	"github.com/waybill-dev/waybill/handlers/process"
	"github.com/waybill-dev/waybill/handlers/stock"
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

// checkouts places orders as the program does.
func (s *shop) checkouts(tb testing.TB, skus ...string) *checkout.Service {
	tb.Helper()
	products, err := catalog.New(s.Store, 0)
	if err != nil {
		tb.Fatal(err)
	}
	for _, sku := range skus {
		price := domaincatalog.Price{Money: eur(1250)}
		_, err := products.Register(tb.Context(), meta("register", sku), domaincatalog.Register{SKU: sku, Title: sku, Prices: []domaincatalog.Price{price}, At: noon})
		if err != nil {
			tb.Fatal(err)
		}
	}
	return &checkout.Service{
		Store: s.Store, Pricer: checkout.Prices{Products: products}, Stock: s.Stock, Gateways: s.Gateways, Now: s.Now, NewID: uuid.NewString,
		Numbers: &numbers.Allocator{Store: s.Store, Tenant: "default", NewID: uuid.NewString},
	}
}

// Many processes that send other goods for the same return send them once.
func TestAnExchangeIsSentOnceByMany(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, processes := range []int{2, 6, 12} {
		c := basic(fmt.Sprint("o", processes))
		s := w.shop(t)
		s.place(t, c)
		s.exchanges(t, c.sku(0), c.sku(1))
		s.parcel(t, c.id, "a", 3, 2)
		s.comeBack(t, c.id, "b", domainorder.ForExchange, 2, 1)
		together(processes, func(int) {
			next := s.again(t)
			for range 3 {
				_ = next.do(t.Context(), c.id, process.Return, "b") // others win
			}
		})
		s.eventually(t, c.id, process.Return, "b")
		sent := s.order(t, s.replacement(t, c.id+"/b/1"))
		if len(sent.Lines) != 2 || sent.Totals.Grand != eur(0) || sent.External.Ref != "b" {
			t.Errorf("%d processes sent %+v", processes, sent)
		}
		for i, n := range []int{2, 1} {
			if item := s.item(t, c.sku(i)); item.Reserved != 0 || item.Committed-c.quantities[i] != n && item.Committed != n {
				t.Errorf("%d processes: of %s %d are committed, %d reserved", processes, c.sku(i), item.Committed, item.Reserved)
			}
		}
	}
}

func TestAnExchange(t *testing.T) {
	t.Parallel()
	c := basic("o")
	s := newWorld(t).shop(t)
	s.place(t, c)
	s.tell(t, "o", domainorder.ChangeAddress{ShipToRef: "elsewhere"})
	s.parcel(t, "o", "a", 3, 2)
	if err := s.work(t, "o"); err != nil {
		t.Fatal(err)
	}
	s.comeBack(t, "o", "b", domainorder.ForExchange, 2, 0)
	if err := s.do(t.Context(), "o", process.Return, "b"); err == nil {
		t.Error("nobody sends anything, and nobody is told")
	}
	places := s.checkouts(t, "o-0", "o-1")
	s.Replacements = fulfilment.Exchanges{Checkout: places}
	take := func(delta int, ref string) {
		t.Helper()
		item := stock.Item{Location: "main", SKU: "o-0"}
		if _, err := s.writer.Handle(t.Context(), meta(ref), item, domainstock.Adjust{Delta: delta, Reason: "counted", Ref: ref}); err != nil {
			t.Fatal(err)
		}
	}
	take(-9, "lost")
	if err := s.do(t.Context(), "o", process.Return, "b"); !errors.Is(err, domainstock.ErrOutOfStock) {
		t.Errorf("there is nothing to send: %v", err)
	}
	take(9, "found")
	fault := errors.New("fault")
	s.Fault = func(step string) error {
		if step == "replaced" {
			return fault
		}
		return nil
	}
	if err := s.do(t.Context(), "o", process.Return, "b"); !errors.Is(err, fault) {
		t.Fatal(err)
	}
	s.Fault = nil
	s.must(t, "o", process.Return, "b")
	s.must(t, "o", process.Return, "b")
	id := s.replacement(t, "o/b/2")
	o := s.order(t, id)
	if o.External.Source != "exchange" || o.External.Ref != "b" || o.Totals.Grand != eur(0) || len(o.Lines) != 1 || o.Lines[0].Quantity != 2 || o.ShipToRef != "elsewhere" {
		t.Errorf("the replacement is %+v", o)
	}
	if i := s.item(t, "o-0"); i.OnHand != 9 || i.Committed != 2 {
		t.Errorf("%d on hand, %d committed", i.OnHand, i.Committed)
	}
	s.tell(t, id, domainorder.Ship{ShipmentID: "z", Lines: []domainorder.Units{{LineID: "1", Quantity: 2}}, At: noon})
	s.must(t, id, process.ShipStock, "z")
	s.must(t, id, process.Capture, "z")
	s.comeBack(t, "o", "r", domainorder.ForRefund, 1, 0)
	s.must(t, "o", process.Return, "r")
	if m := s.order(t, "o").Money(); m.Refunded != eur(333) {
		t.Errorf("%s are given back", m.Refunded)
	}
}
