package projections_test

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/projections"
)

// Whatever happens to orders, in whatever order: after every event the rows
// say what the orders' own fold says. Repeats change nothing, and a file that
// is filled anew is the same.
func TestTheRowsOfAnOrderAreItsFold(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		seen := map[string]bool{}
		for seed := range e.Rounds(12) {
			random := rand.New(rand.NewPCG(seed, 5))
			h := newHistory(t)
			r := h.open(projections.Orders{}, e.Another(t))
			for n := range 2 {
				live(t, h, r, fmt.Sprintf("o%d", n), random, seen)
			}
			want := snapshot(t, r.Read())
			_ = r.Close()
			for _, size := range []int{7, 512} {
				if diff := cmp.Diff(withoutCheckpoint(want), withoutCheckpoint(h.replay(t, e, projections.Orders{}, size, 3))); diff != "" {
					t.Errorf("filled anew in pages of %d (-want +got):\n%s", size, diff)
				}
			}
		}
		for _, kind := range order.EventTypes() {
			if name := kind.Zero.EventName(); !seen[name] && e.Server == nil { // a few orders have not met them all
				t.Errorf("no order had a %s", name)
			}
		}
	})
}

func withoutCheckpoint(rows []string) []string {
	return slices.DeleteFunc(slices.Clone(rows), func(row string) bool { return strings.HasPrefix(row, "checkpoint") })
}

// live lets an order have a life of random commands.
func live(t *testing.T, h *history, r *projections.Runner, id string, random *rand.Rand, seen map[string]bool) {
	t.Helper()
	o := placedWith(id, "main")
	s := order.State{}
	apply := func(events []order.Event) {
		for _, e := range events {
			seen[e.EventName()] = true
			s = order.Decider.Evolve(s, e)
			h.record("order-"+id, "c", e)
			n := len(h.events)
			if err := r.Apply(t.Context(), h.page(projections.Orders{}, max(n-2, 0), n)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(viewOf(s), storedView(t, r.Read(), id)); diff != "" {
				t.Fatalf("after %#v (-want +got):\n%s", e, diff)
			}
		}
	}
	apply([]order.Event{o})
	money := [3]int64{o.Authorised.Amount}
	for n := range 90 {
		c := anyCommand(random, s, fmt.Sprintf("%s-%d", id, n), &money)
		if events, err := order.Decider.Decide(s, c); err == nil {
			apply(events)
		}
	}
}

func placedWith(id, location string) order.OrderPlaced {
	o := order.OrderPlaced{
		OrderID: id, Number: "N" + id, CheckoutID: "c", CustomerID: "u", Currency: "EUR", PaymentID: "p", Authorised: eur(9000), PlacedAt: noon,
		Totals: order.Totals{Subtotal: eur(3500), Discount: eur(0), Shipping: eur(0), Tax: eur(0), Grand: eur(3500)},
	}
	for i, quantity := range []int{3, 1} {
		o.Lines = append(o.Lines, lineOf(fmt.Sprint(i+1), quantity, int64(1000-500*i), location))
	}
	return o
}

func lineOf(id string, quantity int, price int64, location string) order.Line {
	return order.Line{
		LineID: id, SKU: "MUG-" + id, Title: "Mug", Quantity: quantity, UnitPrice: eur(price), Discount: eur(0), Tax: eur(0),
		Total: eur(price * int64(quantity)), Location: location, ReservationID: "r" + id,
	}
}

// anyCommand makes a command that is often possible.
func anyCommand(random *rand.Rand, s order.State, id string, money *[3]int64) order.Command {
	line := fmt.Sprint(1 + random.IntN(2))
	some := []order.Units{{LineID: line, Quantity: 1 + random.IntN(2)}}
	returned, refunded, shipped := "none", "none", "none"
	for _, r := range s.Returns {
		if r.Status == order.ReturnOpen {
			returned = r.Requested.ReturnID
		}
	}
	for _, r := range s.Refunds {
		if r.Status == order.RefundPending {
			refunded = r.Requested.RefundID
		}
	}
	for _, p := range s.Shipments {
		if !p.Delivered {
			shipped = p.Shipped.ShipmentID
		}
	}
	switch random.IntN(22) {
	case 0:
		return order.Hold{HoldID: id, Reason: []order.HoldReason{order.HoldManual, order.HoldFraud}[random.IntN(2)]}
	case 1, 2:
		return order.ReleaseHold{By: "a"}
	case 3:
		return order.AddNote{NoteID: id, TextRef: "n", Visibility: order.Internal}
	case 4, 5:
		return order.Tag{Add: []string{fmt.Sprint("t", random.IntN(3))}, Remove: []string{fmt.Sprint("t", random.IntN(3))}}
	case 6:
		return order.ChangeAddress{ShipToRef: id}
	case 7:
		edited := []order.Line{lineOf(line, random.IntN(3), 1000-500*int64(line[0]-'1'), "main"), lineOf("e"+id, 1, 200, "main")}
		return order.Edit{EditID: id, Lines: edited[random.IntN(2):]}
	case 8:
		return order.RequestFulfilment{RequestID: id, Location: "main", Lines: some}
	case 9, 10:
		var rest []order.Units
		for _, l := range s.Lines {
			if left := s.Left(l); left > 0 && random.IntN(3) > 0 {
				rest = append(rest, order.Units{LineID: l.LineID, Quantity: left})
			}
		}
		return order.Ship{ShipmentID: id, Lines: [][]order.Units{some, rest}[random.IntN(2)], At: noon}
	case 11, 12:
		return order.MarkDelivered{ShipmentID: shipped, At: noon}
	case 13:
		return order.FailShipment{ShipmentID: shipped, Reason: id}
	case 14:
		return order.RequestReturn{ReturnID: id, Kind: order.ForRefund, Lines: []order.ReturnedUnits{{LineID: line, Quantity: some[0].Quantity, Reason: "r"}}}
	case 15:
		if random.IntN(3) == 0 {
			return order.RejectReturn{ReturnID: returned, Reason: "used"}
		}
		for _, r := range s.Returns {
			if r.Requested.ReturnID == returned {
				u := r.Requested.Lines[0]
				return order.ReceiveReturn{ReturnID: returned, Lines: []order.ReceivedUnits{{LineID: u.LineID, Quantity: 1 + random.IntN(u.Quantity)}}}
			}
		}
		return order.Complete{At: noon}
	case 16:
		if random.IntN(2) == 0 {
			return order.RefuseCancel{Reason: id}
		}
		return order.RequestCancel{RequestID: id, Reason: "r", By: "a"}
	case 17:
		if random.IntN(2) == 0 {
			return order.Cancel{Released: []string{id}}
		}
		return order.Complete{At: noon}
	case 18:
		if random.IntN(4) == 0 {
			return order.Reopen{Reason: id}
		}
		return order.Complete{At: noon}
	case 19:
		return pay(random, id, money)
	case 20:
		return order.RequestRefund{RefundID: id, Amount: eur(1 + random.Int64N(200)), Reason: "late"}
	default:
		for _, r := range s.Refunds {
			if r.Requested.RefundID == refunded && random.IntN(2) == 0 {
				return order.CompleteRefund{RefundID: refunded, Amount: r.Requested.Amount}
			}
		}
		return order.FailRefund{RefundID: refunded, Code: "closed"}
	}
}

// pay is the next word of a payment: of the one the order was placed with, or
// of another.
func pay(random *rand.Rand, id string, money *[3]int64) order.Command {
	c := order.UpdatePayment{PaymentID: "p", Revision: int64(len(id))*1_000_000 + random.Int64N(1_000_000), Ref: id, Amount: eur(1 + random.Int64N(900))}
	switch random.IntN(8) {
	case 0, 1, 2:
		c.Kind = order.PaymentCaptured
		money[1] += c.Amount.Amount
	case 3, 4:
		c.Kind, c.Amount = order.PaymentRefunded, eur(min(c.Amount.Amount, money[1]-money[2]))
		money[2] += c.Amount.Amount
	case 5:
		c.Kind, c.Ref = order.PaymentVoided, ""
	case 6:
		c.Kind, c.Ref = order.PaymentChargedBack, ""
	default:
		c.PaymentID, c.Kind, c.Ref = "p2", order.PaymentAuthorised, ""
		c.Totals = order.PaymentTotals{Authorised: eur(700), Captured: eur(0), Refunded: eur(0)}
		return c
	}
	c.Totals = order.PaymentTotals{Authorised: eur(money[0]), Captured: eur(money[1]), Refunded: eur(money[2])}
	return c
}

// viewOf says of an order what its rows are to say.
func viewOf(s order.State) []string {
	hold := ""
	if len(s.Holds) > 0 {
		hold = string(s.Holds[len(s.Holds)-1].Reason)
	}
	var authorised int64
	for _, p := range s.Payments {
		authorised += p.Totals.Authorised.Amount
	}
	view := []string{
		fmt.Sprintf("%s, %s, %s, held %q, tags %v, %d lines", s.Status, s.PaymentStatus(), s.FulfilmentStatus(), hold, s.Tags, len(s.Lines)),
		fmt.Sprintf("%d authorised, %d captured, %d refunded", authorised, s.Money().Captured.Amount, s.Money().Refunded.Amount),
		fmt.Sprintf("%d - %d + %d + %d = %d", s.Totals.Subtotal.Amount, s.Totals.Discount.Amount, s.Totals.Shipping.Amount, s.Totals.Tax.Amount, s.Totals.Grand.Amount),
	}
	lines := make([]string, 0, len(s.Lines))
	for _, l := range s.Lines {
		p := s.Progress(l.LineID)
		lines = append(lines, fmt.Sprintf("line %s: %d %s for %d, shipped %d, delivered %d, returned %d, cancelled %d",
			l.LineID, l.Quantity, l.SKU, l.Total.Amount, p.Shipped, p.Delivered, p.Returned, p.Cancelled))
	}
	sort.Strings(lines)
	for _, tag := range s.Tags {
		lines = append(lines, "found by tag "+tag)
	}
	return append(view, lines...)
}

func storedView(t *testing.T, db *sql.DB, id string) []string {
	t.Helper()
	q := projections.OrderQueries{DB: db}
	row, err := q.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	view := []string{
		fmt.Sprintf("%s, %s, %s, held %q, tags %v, %d lines", row.Status, row.PaymentStatus, row.FulfilmentStatus, row.HoldReason, row.Tags, row.LineCount),
		fmt.Sprintf("%d authorised, %d captured, %d refunded", row.Authorised.Amount, row.Captured.Amount, row.Refunded.Amount),
		fmt.Sprintf("%d - %d + %d + %d = %d", row.Totals.Subtotal.Amount, row.Totals.Discount.Amount, row.Totals.Shipping.Amount, row.Totals.Tax.Amount, row.Totals.Grand.Amount),
	}
	for _, l := range query(t, db, `SELECT line_id, quantity, sku, total, shipped, delivered, returned, cancelled FROM order_lines WHERE order_id = ? ORDER BY line_id`, id) {
		view = append(view, fmt.Sprintf("line %s: %s %s for %s, shipped %s, delivered %s, returned %s, cancelled %s", l[0], l[1], l[2], l[3], l[4], l[5], l[6], l[7]))
	}
	for _, tag := range []string{"t0", "t1", "t2"} {
		found, err := q.List(t.Context(), projections.OrderFilter{Tag: tag}, nil, 100)
		if err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(found, func(o projections.OrderRow) bool { return o.OrderID == id }) {
			view = append(view, "found by tag "+tag)
		}
	}
	return view
}
