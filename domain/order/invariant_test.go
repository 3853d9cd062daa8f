package order_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/domain/order"
)

// Whatever the order of commands, the order does what a simple model says:
// it accepts the same commands, is in the same state, and has the same units
// and the same money. An accepted command that is repeated at once, or, where
// it has an id, at any time, causes nothing. No state is changed by what is
// folded onto it.
func TestOrdersFollowTheModel(t *testing.T) {
	t.Parallel()
	reached := make(chan string, 100_000)
	t.Run("seeds", func(t *testing.T) {
		t.Parallel()
		for seed := range uint64(200) {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				run(t, rand.New(rand.NewPCG(seed, 11)), reached)
			})
		}
	})
	t.Cleanup(func() {
		close(reached)
		states := map[string]int{}
		for state := range reached {
			states[state]++
		}
		if len(states) != 10 {
			t.Errorf("the commands reached %v only", states)
		}
	})
}

func run(t *testing.T, random *rand.Rand, reached chan<- string) {
	t.Helper()
	m := newModel()
	s := order.Decider.Fold(order.State{}, order.Event(two()))
	var accepted []order.Command
	for n := range 120 {
		c, expected := m.command(random, fmt.Sprint("id", n))
		before := view(s)
		events, err := order.Decider.Decide(s, c)
		next := order.Decider.Fold(s, events...)
		if view(s) != before {
			t.Fatalf("%d: %#v changed the state it was decided on", n, c)
		}
		if got := err == nil && len(events) > 0; got != expected {
			t.Fatalf("%d: %#v in %s: %v, %v; the model says %v", n, c, s.Status, events, err, expected)
		}
		if err == nil {
			if again, err := order.Decider.Decide(next, c); err != nil || len(again) > 0 {
				t.Fatalf("%d: %#v again: %v, %v", n, c, again, err)
			}
			if identified(c) && expected {
				accepted = append(accepted, c)
			}
		}
		if len(accepted) > 0 {
			old := accepted[random.IntN(len(accepted))]
			if again, err := order.Decider.Decide(next, old); err != nil || len(again) > 0 {
				t.Fatalf("%d: %#v long after: %v, %v", n, old, again, err)
			}
		}
		s = next
		if got, want := view(s), m.view(); got != want {
			t.Fatalf("%d: after %#v it is\n%s, the model says\n%s", n, c, got, want)
		}
		reached <- m.status
	}
}

// identified commands can be told from others long after.
func identified(c order.Command) bool {
	return !slices.Contains([]string{"ReleaseHold", "RefuseCancel", "Cancel", "Reopen", "ChangeAddress", "Complete"},
		strings.TrimPrefix(fmt.Sprintf("%T", c), "order."))
}

func view(s order.State) string {
	var b strings.Builder
	fmt.Fprint(&b, s.Status)
	for i, id := range []string{"1", "2"} {
		l, _ := s.Line(id)
		p := s.Progress(id)
		fmt.Fprintf(&b, "; line %d: %d, cancelled %d, asked for %d, shipped %d, delivered %d, asked back %d, back %d", i, l.Quantity,
			p.Cancelled, p.Requested, p.Shipped, p.Delivered, p.Returning, p.Returned)
	}
	fmt.Fprintf(&b, "; captured %d, to give back %d, %d holds, at %s", s.Money().Captured.Amount, s.Refundable().Amount, len(s.Holds), s.ShipToRef)
	return b.String()
}

type pair [2]int

func (p pair) units() []order.Units { return units(p[0], p[1]) }

// sum adds n times another.
func (p *pair) sum(q pair, n int) {
	for i := range p {
		p[i] += n * q[i]
	}
}

// model is an order in the plainest form.
type model struct {
	status, heldFrom, cancelFrom        string
	address                             string
	holds                               int
	quantity, cancelled, requested      pair
	shipped, delivered, askedBack, back pair
	parcels, returns                    map[string]pair  // under way
	refunds                             map[string]int64 // not done
	unseen                              map[string]int64 // not reported by the payment
	captured, refunded                  int64            // as the payment reported
	revision                            int64            // of the payment
}

func newModel() *model {
	return &model{
		status: "placed", quantity: pair{3, 1}, parcels: map[string]pair{}, returns: map[string]pair{},
		refunds: map[string]int64{}, unseen: map[string]int64{},
	}
}

func (m *model) view() string {
	var b strings.Builder
	fmt.Fprint(&b, m.status)
	for i := range m.quantity {
		fmt.Fprintf(&b, "; line %d: %d, cancelled %d, asked for %d, shipped %d, delivered %d, asked back %d, back %d", i, m.quantity[i],
			m.cancelled[i], m.requested[i], m.shipped[i], m.delivered[i], m.askedBack[i], m.back[i])
	}
	fmt.Fprintf(&b, "; captured %d, to give back %d, %d holds, at %s", m.captured, m.refundable(), m.holds, m.address)
	return b.String()
}

func (m *model) left() pair {
	l := m.quantity
	l.sum(m.cancelled, -1)
	l.sum(m.shipped, -1)
	return l
}

// says is the cell of the specified table.
func (m *model) says(column string) string {
	lines := strings.Split(strings.TrimSpace(specified), "\n")
	i := slices.Index(cells(lines[0]), column)
	for _, line := range lines[1:] {
		row := cells(line)
		if row[0] != m.status {
			continue
		}
		if row[i] == "same" {
			i--
		}
		cell, _, _ := strings.Cut(row[i], " (")
		return cell
	}
	panic(m.status)
}

// goes moves to where the table says, and reports whether it lets.
func (m *model) goes(column string) bool {
	switch cell := m.says(column); cell {
	case "x", "done":
		return false
	case "=":
		return true
	default:
		m.status = cell
		return true
	}
}

func (m *model) in(states ...string) bool { return slices.Contains(states, m.status) }

func atMost(p, limit pair) bool { return p[0] <= limit[0] && p[1] <= limit[1] }

func anyUnits(random *rand.Rand) pair {
	p := pair{random.IntN(4), random.IntN(2)}
	if p == (pair{}) {
		p[0] = 1
	}
	return p
}

// command makes a command and says whether it is accepted and causes
// something; if so, the model has changed.
func (m *model) command(random *rand.Rand, id string) (order.Command, bool) {
	switch random.IntN(22) {
	case 0, 1:
		return order.Hold{HoldID: id, Reason: order.HoldManual}, m.hold()
	case 2, 3, 4:
		return order.ReleaseHold{By: id}, m.release()
	case 5:
		u := anyUnits(random)
		return order.RequestFulfilment{RequestID: id, Location: "main", Lines: u.units()}, m.request(u)
	case 6, 7:
		u := anyUnits(random)
		return order.Ship{ShipmentID: id, Lines: u.units(), At: noon}, m.ship(id, u)
	case 8, 9:
		parcel := one(random, m.parcels)
		return order.MarkDelivered{ShipmentID: parcel, At: noon}, m.deliver(parcel)
	case 10:
		u := anyUnits(random)
		return order.RequestReturn{ReturnID: id, Kind: order.ForRefund, Lines: asked(id, u[0], u[1]).Lines}, m.ask(id, u)
	case 11, 12:
		back := one(random, m.returns)
		u := m.returns[back]
		if u[0] > 1 && random.IntN(2) == 0 {
			u[0]--
		}
		return order.ReceiveReturn{ReturnID: back, Lines: received(back, u[0], u[1]).Lines}, m.receive(back, u)
	case 13:
		back := one(random, m.returns)
		return order.RejectReturn{ReturnID: back, Reason: "used"}, m.reject(back)
	case 14:
		if random.IntN(3) > 0 {
			return order.ChangeAddress{ShipToRef: id}, m.goElsewhere(id)
		}
		return order.RequestCancel{RequestID: id, Reason: "customer", By: "a"}, m.requestCancel()
	case 15:
		if random.IntN(3) > 0 {
			return order.RefuseCancel{Reason: id}, m.refuse()
		}
		return order.Cancel{Released: []string{id}}, m.cancel()
	case 16:
		if random.IntN(2) == 0 {
			return order.Reopen{Reason: id}, m.reopen()
		}
		return order.Complete{At: noon}, m.complete()
	case 17:
		l := m.quantity[0] - 1
		return order.Edit{EditID: id, Lines: []order.Line{line("1", max(l, 0), 1000)}}, m.edit(l)
	case 18:
		amount := random.Int64N(600)
		return m.capture(id, amount), true
	case 19:
		amount := 1 + random.Int64N(800)
		return order.RequestRefund{RefundID: id, Amount: eur(amount), Reason: "late"}, m.refund(id, amount)
	case 20:
		if refund := one(random, m.unseen); refund != "nothing" && random.IntN(2) == 0 {
			return m.report(refund), true
		}
		refund := one(random, m.refunds)
		return order.CompleteRefund{RefundID: refund, Amount: eur(m.refunds[refund])}, m.completeRefund(refund)
	default:
		refund := one(random, m.refunds)
		return order.FailRefund{RefundID: refund, Code: "closed"}, m.failRefund(refund)
	}
}

// one picks from what there is, or what there is not.
func one[T any](random *rand.Rand, all map[string]T) string {
	ids := make([]string, 0, len(all))
	for id := range all {
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		return "nothing"
	}
	slices.Sort(ids)
	return ids[random.IntN(len(ids))]
}

func (m *model) hold() bool {
	from := m.status
	if !m.goes("Held") {
		return false
	}
	m.holds++
	if from != "on_hold" {
		m.heldFrom = from
	}
	return true
}

func (m *model) release() bool {
	if m.status != "on_hold" {
		return false
	}
	m.status, m.holds = m.heldFrom, 0
	return true
}

func (m *model) request(u pair) bool {
	free := m.left()
	free.sum(m.requested, -1)
	if m.says("FulfilmentRequested") == "x" || !atMost(u, free) {
		return false
	}
	m.requested.sum(u, 1)
	return m.goes("FulfilmentRequested")
}

func (m *model) ship(id string, u pair) bool {
	if !atMost(u, m.left()) || m.says("Shipped (all)") == "x" {
		return false
	}
	m.shipped.sum(u, 1)
	for i := range u {
		m.requested[i] = max(m.requested[i]-u[i], 0)
	}
	m.parcels[id] = u
	column := "Shipped (some left)"
	if m.left() == (pair{}) {
		column = "Shipped (all)"
	}
	if m.status != "cancelling" {
		return m.goes(column)
	}
	switch { // it is too late to cancel
	case column == "Shipped (all)":
		m.status, m.holds = "shipped", 0
	case m.cancelFrom == "on_hold":
		m.status, m.heldFrom = "on_hold", "partially_shipped"
	default:
		m.status = "partially_shipped"
	}
	return true
}

func (m *model) deliver(id string) bool {
	u, known := m.parcels[id]
	all := m.left() == (pair{}) && len(m.parcels) == 1
	if !known || m.in("completed") || m.in("returned") && all {
		return false
	}
	delete(m.parcels, id)
	m.delivered.sum(u, 1)
	if all && m.status != "cancelled" {
		return m.goes("Delivered (all)")
	}
	return true
}

func (m *model) ask(id string, u pair) bool {
	free := m.shipped
	free.sum(m.askedBack, -1)
	free.sum(m.back, -1)
	if !m.in("partially_shipped", "shipped", "delivered", "completed", "cancelled") || !atMost(u, free) {
		return false
	}
	if m.status == "completed" {
		m.status = "delivered"
	}
	m.returns[id] = u
	m.askedBack.sum(u, 1)
	return true
}

func (m *model) receive(id string, u pair) bool {
	wanted, known := m.returns[id]
	if !known || !m.in("partially_shipped", "shipped", "delivered", "cancelled") {
		return false
	}
	delete(m.returns, id)
	m.askedBack.sum(wanted, -1)
	m.back.sum(u, 1)
	if m.back == m.shipped && m.in("shipped", "delivered") {
		m.status = "returned"
	}
	return true
}

func (m *model) reject(id string) bool {
	wanted, known := m.returns[id]
	delete(m.returns, id)
	m.askedBack.sum(wanted, -1)
	return known
}

func (m *model) goElsewhere(id string) bool {
	if m.requested != (pair{}) { // a warehouse knows where it goes
		return false
	}
	if !m.in("placed", "on_hold", "processing", "partially_shipped", "cancelling") {
		return false
	}
	m.address = id
	return true
}

func (m *model) requestCancel() bool {
	from := m.status
	if !m.goes("CancelRequested") {
		return false
	}
	m.cancelFrom = from
	return true
}

func (m *model) refuse() bool {
	if m.status != "cancelling" {
		return false
	}
	m.status = m.cancelFrom
	return true
}

func (m *model) cancel() bool {
	if m.status != "cancelling" {
		return false
	}
	m.cancelled.sum(m.left(), 1)
	m.requested, m.holds = pair{}, 0
	return m.goes("Cancelled")
}

func (m *model) complete() bool {
	if m.says("Completed") == "x" || m.status != "completed" && len(m.returns)+len(m.refunds) > 0 {
		return false
	}
	return m.goes("Completed")
}

func (m *model) reopen() bool {
	if m.status != "completed" {
		return false
	}
	m.status = "delivered"
	return true
}

func (m *model) edit(quantity int) bool {
	after := m.left()
	after[0]--
	nothing := quantity == 0 && m.quantity[1] == 0 || m.shipped != (pair{}) && after == (pair{})
	if m.says("Edited") == "x" || quantity < m.shipped[0]+m.requested[0] || quantity < 0 || nothing {
		return false
	}
	m.quantity[0] = quantity
	return true
}

// update is the next event of the payment.
func (m *model) update(kind order.PaymentKind, ref string, amount int64) order.Command {
	m.revision++
	return update(updated(m.revision, kind, ref, amount, 1_000_000, m.captured, m.refunded))
}

func (m *model) capture(id string, amount int64) order.Command {
	m.captured += amount
	return m.update(order.PaymentCaptured, id, amount)
}

// refundable is captured less what is, or will be, given back.
func (m *model) refundable() int64 {
	n := m.captured - m.refunded
	for _, amount := range m.unseen {
		n -= amount
	}
	return n
}

func (m *model) refund(id string, amount int64) bool {
	if amount > m.refundable() {
		return false
	}
	m.refunds[id], m.unseen[id] = amount, amount
	return true
}

func (m *model) completeRefund(id string) bool {
	_, known := m.refunds[id]
	delete(m.refunds, id)
	return known
}

func (m *model) failRefund(id string) bool {
	_, known := m.refunds[id]
	if _, unseen := m.unseen[id]; !known || !unseen {
		return false
	}
	delete(m.refunds, id)
	delete(m.unseen, id)
	return true
}

// report is the payment's word for a refund, which may come before or after
// the order's own.
func (m *model) report(id string) order.Command {
	amount := m.unseen[id]
	delete(m.unseen, id)
	m.refunded += amount
	return m.update(order.PaymentRefunded, id, amount)
}

func TestStatesDoNotShareWhatFollows(t *testing.T) {
	t.Parallel()
	note := func(id string) order.OrderNoteAdded { return order.OrderNoteAdded{OrderID: "o", NoteID: id} }
	s := order.Decider.Fold(order.State{}, two(), note("1"), note("2"), note("3"))
	one := order.Decider.Fold(s, order.Event(note("one")))
	order.Decider.Fold(s, order.Event(note("other")))
	if got := one.Notes[3].NoteID; got != "one" {
		t.Errorf("the note is %q, from the other state", got)
	}
}
