package projections_test

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/projections"
)

// selling makes orders to which something happens, as the domain allows.
type selling struct {
	h      *history
	random *rand.Rand
	orders []order.State
	made   int
}

func (s *selling) next() string { s.made++; return fmt.Sprint("id", s.made) }

func (s *selling) amount(n int64) domain.Money { return eur(1 + s.random.Int64N(n)) }

func (s *selling) line(id string) order.Line {
	l := order.Line{
		LineID: id, SKU: string("ABCD"[s.random.IntN(4)]), Title: "t", Quantity: 1 + s.random.IntN(5), UnitPrice: eur(s.random.Int64N(2000)),
		Location: "main", ReservationID: s.next(), Tax: eur(s.random.Int64N(50)),
	}
	price := l.UnitPrice.Amount * int64(l.Quantity)
	l.Discount = eur(s.random.Int64N(price/2 + 1))
	l.Total = eur(price - l.Discount.Amount + l.Tax.Amount)
	return l
}

func (s *selling) place() {
	id := s.next()
	o := order.OrderPlaced{
		OrderID: id, Number: id, CheckoutID: id, CustomerID: "c", Currency: "EUR", PaymentID: "p" + id,
		PlacedAt: historyStart.Add(time.Duration(s.random.IntN(100)) * time.Hour), ShipToCountry: []string{"", "GB", "FR"}[s.random.IntN(3)],
		Totals: order.Totals{Subtotal: eur(0), Discount: eur(0), Tax: eur(0), Shipping: eur(s.random.Int64N(2) * 490)}, Authorised: eur(1_000_000),
	}
	if s.random.IntN(4) == 0 {
		o.External = order.External{Source: "csv", Ref: id, Time: time.Date(2010, time.Month(1+s.random.IntN(12)), 3, 23, 30, 0, 0, time.FixedZone("", -3600))}
	}
	for i := range 1 + s.random.IntN(4) {
		l := s.line(fmt.Sprint(i + 1))
		o.Lines = append(o.Lines, l)
		o.Totals.Subtotal.Amount += l.UnitPrice.Amount * int64(l.Quantity)
		o.Totals.Discount.Amount += l.Discount.Amount
		o.Totals.Tax.Amount += l.Tax.Amount
	}
	o.Totals.Grand = eur(o.Totals.Subtotal.Amount - o.Totals.Discount.Amount + o.Totals.Tax.Amount + o.Totals.Shipping.Amount)
	s.orders = append(s.orders, order.State{})
	if !s.decide(len(s.orders)-1, order.Place{Order: o}) {
		s.h.tb.Fatalf("not placed: %+v", o)
	}
}

// decide records what comes of a command, if anything does.
func (s *selling) decide(i int, c order.Command) bool {
	events, err := order.Decider.Decide(s.orders[i], c)
	for _, e := range events {
		s.h.record("order-"+order.Decider.Fold(s.orders[i], events...).OrderID, "c", e)
	}
	s.orders[i] = order.Decider.Fold(s.orders[i], events...)
	return err == nil && len(events) > 0
}

func (s *selling) units(o order.State) []order.Units {
	l := o.Lines[s.random.IntN(len(o.Lines))]
	return []order.Units{{LineID: l.LineID, Quantity: 1 + s.random.IntN(l.Quantity)}}
}

func (s *selling) happen(i int) {
	o, id := s.orders[i], s.next()
	switch s.random.IntN(12) {
	case 0:
		l := o.Lines[0]
		switch s.random.IntN(3) {
		case 0:
			l = s.line(id)
		case 1:
			l.Quantity, l.Discount, l.Tax, l.Total = 0, eur(0), eur(0), eur(0)
		default:
			l.Quantity, l.Discount = max(l.Quantity-1, 1), eur(0)
			l.Total = eur(l.UnitPrice.Amount*int64(l.Quantity) + l.Tax.Amount)
		}
		s.decide(i, order.Edit{EditID: id, Lines: []order.Line{l}})
	case 1, 2:
		s.decide(i, order.Ship{ShipmentID: id, Lines: s.units(o), At: historyStart})
	case 3:
		u := s.units(o)[0]
		s.decide(i, order.RequestReturn{ReturnID: id, Kind: order.ForRefund, Lines: []order.ReturnedUnits{{LineID: u.LineID, Quantity: u.Quantity, Reason: "small"}}})
	case 4:
		for _, r := range o.Returns {
			u := r.Requested.Lines[0]
			s.decide(i, order.ReceiveReturn{ReturnID: r.Requested.ReturnID, Lines: []order.ReceivedUnits{{LineID: u.LineID, Quantity: u.Quantity}}})
		}
	case 5:
		s.decide(i, order.RequestCancel{RequestID: id, Reason: "customer", By: "a"})
	case 6:
		s.decide(i, order.Cancel{Released: []string{id}})
	case 7:
		totals := order.PaymentTotals{Authorised: o.Authorised, Captured: eur(50_000), Refunded: eur(0)}
		s.decide(i, order.UpdatePayment{PaymentID: o.PaymentID, Revision: int64(s.made), Kind: order.PaymentCaptured, Ref: id, Amount: eur(50_000), Totals: totals})
	case 8, 9:
		c := order.RequestRefund{RefundID: id, Amount: s.amount(3000), Reason: []string{"late", "returned", order.ReasonCancelled, order.ReasonEdited}[s.random.IntN(4)]}
		if s.random.IntN(2) == 0 {
			c.Lines = s.units(o)
		}
		s.decide(i, c)
	default:
		for _, r := range o.Refunds {
			if s.random.IntN(4) == 0 {
				s.decide(i, order.FailRefund{RefundID: r.Requested.RefundID, Code: "closed"})
			} else {
				s.decide(i, order.CompleteRefund{RefundID: r.Requested.RefundID, Amount: r.Requested.Amount})
			}
		}
	}
}

// sold is what an order sold of a SKU, calculated from the domain's own states.
type sold struct{ orders, units, returned, gross, discount, refunds int64 }

// ledger folds a log once more, another way: what was ordered from how the
// orders are in the end, refunds from how they were then.
func ledger(t *testing.T, h *history, key func(day, currency, country, sku string) string) map[string]sold {
	t.Helper()
	states, refunds := map[string]order.State{}, map[string]map[string]int64{}
	for _, r := range h.events {
		event, err := r.Decode()
		if err != nil {
			t.Fatal(err)
		}
		before := states[r.Stream]
		states[r.Stream] = order.Decider.Evolve(before, event.(order.Event))
		if done, ok := event.(order.OrderRefunded); ok {
			if refunds[r.Stream] == nil {
				refunds[r.Stream] = map[string]int64{}
			}
			for sku, amount := range split(before, done) {
				refunds[r.Stream][sku] += amount
			}
		}
	}
	sums := map[string]sold{}
	for stream, o := range states {
		at := o.PlacedAt
		if !o.External.Time.IsZero() {
			at = o.External.Time
		}
		seen := map[string]bool{}
		add := func(sku string, s sold) {
			k := key(at.UTC().Format(time.DateOnly), o.Currency, o.ShipToCountry, sku)
			if s.units > 0 && !seen[k] {
				s.orders, seen[k] = 1, true
			}
			was := sums[k]
			sums[k] = sold{was.orders + s.orders, was.units + s.units, was.returned + s.returned, was.gross + s.gross, was.discount + s.discount, was.refunds + s.refunds}
		}
		for _, l := range o.Lines {
			p := o.Progress(l.LineID)
			units := int64(l.Quantity - p.Cancelled)
			add(l.SKU, sold{units: units, returned: int64(p.Returned), gross: units * l.UnitPrice.Amount, discount: l.Discount.Amount * units / int64(l.Quantity)})
		}
		for sku, amount := range refunds[stream] {
			add(sku, sold{refunds: amount})
		}
	}
	return sums
}

// split divides a refund among SKUs, so that nothing is lost by rounding.
func split(o order.State, done order.OrderRefunded) map[string]int64 {
	shares := map[string]int64{}
	i := slices.IndexFunc(o.Refunds, func(r order.Refund) bool { return r.Requested.RefundID == done.RefundID })
	asked := o.Refunds[i].Requested
	if asked.Reason == "cancelled" || asked.Reason == "edited" {
		return shares
	}
	var skus []string
	var worth []int64
	whole := int64(0)
	for _, u := range asked.Lines {
		if l, there := o.Line(u.LineID); there {
			w := l.Total.Amount * int64(u.Quantity) / int64(l.Quantity)
			skus, worth, whole = append(skus, l.SKU), append(worth, w), whole+w
		}
	}
	if whole == 0 {
		skus, worth = nil, nil
		for _, l := range o.Lines {
			skus, worth, whole = append(skus, l.SKU), append(worth, l.Total.Amount), whole+l.Total.Amount
		}
	}
	if whole == 0 {
		return map[string]int64{o.Lines[0].SKU: done.Amount.Amount}
	}
	left, leftWorth := done.Amount.Amount, whole
	for i, sku := range slices.Backward(skus) { // from the end: what is before it keeps the floor
		before := new(big.Rat).SetFrac64(done.Amount.Amount*(leftWorth-worth[i]), whole)
		keep := new(big.Int).Quo(before.Num(), before.Denom()).Int64()
		shares[sku] += left - keep
		left, leftWorth = keep, leftWorth-worth[i]
	}
	return shares
}

func TestSalesAreTheSumOfWhatHappenedToOrders(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		everything := projections.SalesFilter{From: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)}
		seen := sold{}
		for seed := range e.Rounds(40) {
			s := &selling{h: newHistory(t), random: rand.New(rand.NewPCG(seed, 5))}
			for range 400 {
				if len(s.orders) == 0 || s.random.IntN(12) == 0 {
					s.place()
				}
				s.happen(s.random.IntN(len(s.orders)))
			}
			r := s.h.open(projections.Sales{}, e.Another(t))
			for i := 0; i < len(s.h.events); i += 50 {
				if err := r.Apply(t.Context(), s.h.page(projections.Sales{}, i, i+50)); err != nil {
					t.Fatal(err)
				}
			}
			if blocked, err := r.Blocked(t.Context()); err != nil || len(blocked) > 0 {
				t.Fatalf("blocked: %+v, %v", blocked, err)
			}
			q := projections.SalesQueries{DB: r.Read()}
			for name, by := range map[string][]projections.SalesGroup{
				"all": nil, "day": {projections.SalesByDay}, "month and country": {projections.SalesByMonth, projections.SalesByCountry},
				"sku": {projections.SalesBySKU}, "all of them": {projections.SalesByDay, projections.SalesByCountry, projections.SalesBySKU},
			} {
				filter := everything
				filter.By = by
				want := ledger(t, s.h, func(day, currency, country, sku string) string {
					return row(by, day[:7], day, currency, country, sku)
				})
				got := map[string]sold{}
				var after projections.SalesRow
				for {
					page, err := q.Sum(t.Context(), filter, after, 7)
					if err != nil {
						t.Fatal(err)
					}
					for _, r := range page {
						got[row(by, r.Month, r.Day, r.Currency, r.Country, r.SKU)] = sold{r.Orders, r.Units, r.Returned, r.Gross.Amount, r.Discount.Amount, r.Refunds.Amount}
						if r.Net.Amount != r.Gross.Amount-r.Discount.Amount-r.Refunds.Amount {
							t.Errorf("net of %+v", r)
						}
					}
					if len(page) < 7 {
						break
					}
					after = page[6]
				}
				for k, s := range got { // what was edited away again
					if s == (sold{}) && want[k] == (sold{}) {
						delete(got, k)
						delete(want, k)
					}
				}
				if diff := cmp.Diff(want, got, cmp.AllowUnexported(sold{})); diff != "" {
					t.Fatalf("seed %d by %s (-want +got):\n%s", seed, name, diff)
				}
				for _, s := range got {
					seen.returned += s.returned
					seen.refunds += s.refunds
				}
			}
			_ = r.Close()
		}
		if seen.returned == 0 || seen.refunds == 0 {
			t.Errorf("the histories hold nothing of interest: %+v", seen)
		}
	})
}

// row names a row by what it is a sum by.
func row(by []projections.SalesGroup, month, day, currency, country, sku string) string {
	var parts []string
	for _, p := range []struct {
		by   projections.SalesGroup
		text string
	}{{projections.SalesByMonth, month}, {projections.SalesByDay, day}, {projections.SalesByCountry, country}, {projections.SalesBySKU, sku}} {
		if slices.Contains(by, p.by) {
			parts = append(parts, p.text)
		}
	}
	return strings.Join(append(parts, currency), "|")
}

func TestSalesRowsDoNotDependOnPages(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		s := &selling{h: newHistory(t), random: rand.New(rand.NewPCG(3, 5))}
		for range 12 {
			s.place()
		}
		for range 300 {
			s.happen(s.random.IntN(12))
		}
		want := s.h.replay(t, e, projections.Sales{}, len(s.h.events), 0)
		for _, size := range []int{1, 7, 100} {
			for _, overlap := range []int{0, 5} {
				if diff := cmp.Diff(want, s.h.replay(t, e, projections.Sales{}, size, overlap)); diff != "" {
					t.Errorf("pages of %d (-want +got):\n%s", size, diff)
				}
			}
		}
	})
}

func TestSalesAreCountedOnceThoughTheRunnerForgets(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		s := &selling{h: newHistory(t), random: rand.New(rand.NewPCG(4, 5))}
		s.place()
		for range 40 {
			s.happen(0)
		}
		r := s.h.open(projections.Sales{}, e.Another(t))
		defer func() { _ = r.Close() }()
		page := s.h.page(projections.Sales{}, 0, len(s.h.events))
		var rows [][]string
		for range 2 {
			if err := r.Apply(t.Context(), page); err != nil {
				t.Fatal(err)
			}
			next := snapshot(t, r.Read())
			rows = append(rows, slices.DeleteFunc(next, func(row string) bool { return strings.HasPrefix(row, "checkpoint") }))
			// The same events once more, as if they had come later.
			page.Events = slices.Clone(page.Events)
			for i := range page.Events {
				page.Events[i].Position += 1_000_000
			}
			page.Through += 1_000_000
		}
		if diff := cmp.Diff(rows[0], rows[1]); diff != "" {
			t.Errorf("the second time (-want +got):\n%s", diff)
		}
	})
}
