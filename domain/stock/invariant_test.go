package stock_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/domain/stock"
)

// Whatever the order of commands, and however little is remembered: the item
// decides as the specification says, never more is promised than is there, a
// repeated command causes nothing, and no state is changed by what is folded
// onto it.
func TestStockDecidesAsSpecified(t *testing.T) {
	t.Parallel()
	for _, how := range []struct {
		keep    int
		lasting time.Duration
	}{{0, 0}, {6, 0}, {0, time.Second}, {6, 2 * time.Minute}} {
		for seed := range uint64(12) {
			t.Run(fmt.Sprint("remembering ", how, " seed ", seed), func(t *testing.T) {
				t.Parallel()
				random := rand.New(rand.NewPCG(seed, 7))
				history := opening(random)
				p := play{
					history: history, state: stock.Decider.Fold(stock.Hasty(how.keep, how.lasting), history...),
					model: model{policy: stock.Backorder, limit: history[0].(stock.StockItemRegistered).BackorderLimit, reservations: map[string]*entry{}, refs: map[string]int{}},
				}
				now := noon
				for range 800 {
					now = now.Add(time.Duration(random.IntN(20)) * time.Second)
					p.step(t, anyCommand(random, now))
				}
			})
		}
	}
}

// play is a history that goes on beside its model.
type play struct {
	history []stock.Event
	state   stock.State
	model   model
}

func (p *play) step(t *testing.T, c stock.Command) {
	t.Helper()
	before, limit := sums(p.state), p.model.limit
	changes, refusal := p.model.do(c, func(id string) bool {
		_, known := p.state.Reservation(id)
		return known
	})
	got, err := p.decide(c)
	if !errors.Is(err, refusal) || (err != nil) != (refusal != nil) || (len(got) > 0) != changes {
		t.Fatalf("%d: %#v causes %d events and %v, but as specified %v and %v", len(p.history), c, len(got), err, changes, refusal)
	}
	if sums(p.state) != before {
		t.Fatalf("%#v changed the state it was decided on", c)
	}
	p.history = append(p.history, got...)
	p.state = stock.Decider.Fold(p.state, got...)
	if again, err := p.decide(c); refusal == nil && (err != nil || len(again) > 0) {
		t.Fatalf("%#v again: %v, %v", c, again, err)
	}
	p.holds(t)
	p.foretold(t, less(c, limit), got)
}

// less tells whether a command leaves less to promise than before, by itself.
func less(c stock.Command, limit int) bool {
	switch c := c.(type) {
	case stock.Adjust:
		return c.Delta < 0
	case stock.SetPolicy:
		return c.BackorderLimit < limit
	default:
		return false
	}
}

// decide asks the log where something was forgotten.
func (p *play) decide(c stock.Command) ([]stock.Event, error) {
	got, err := stock.Decider.Decide(p.state, c)
	if memory, forgotten := stock.Forgotten(err); forgotten {
		for _, e := range p.history {
			memory = memory.With(e)
		}
		got, err = stock.Decider.Decide(p.state.Recall(memory), c)
	}
	return got, err
}

func (p *play) holds(t *testing.T) {
	t.Helper()
	reserved, committed := p.model.promised()
	if s := p.state; s.Policy != p.model.policy || s.BackorderLimit != p.model.limit {
		t.Fatalf("%s up to %d; as specified %s up to %d", s.Policy, s.BackorderLimit, p.model.policy, p.model.limit)
	}
	if s := p.state; s.OnHand != p.model.onHand || s.Reserved != reserved || s.Committed != committed {
		t.Fatalf("%d on hand, %d reserved, %d committed; as specified %d, %d, %d",
			s.OnHand, s.Reserved, s.Committed, p.model.onHand, reserved, committed)
	}
	for id, r := range p.state.Reservations() {
		want := p.model.reservations[id]
		if r.Status != want.status || r.Quantity != want.quantity || r.Shipped != want.shipped || r.Open() && !r.ExpiresAt.Equal(want.expires) {
			t.Fatalf("reservation %s is %v, as specified %v", id, r, want)
		}
		if same, ok := p.state.Reservation(id); !ok || same != r {
			t.Fatalf("reservation %s is listed as %v and found as %v", id, r, same)
		}
	}
	for id, want := range p.model.reservations {
		r, known := p.state.Reservation(id)
		if open := want.status == stock.StatusReserved || want.status == stock.StatusCommitted; open && (!known || !r.Open()) {
			t.Fatalf("reservation %s is forgotten though units are held for it", id)
		}
	}
}

// foretold checks that what leaves more promised than there is says so, and
// whom it concerns, and that nothing else does.
func (p *play) foretold(t *testing.T, less bool, got []stock.Event) {
	t.Helper()
	short := max(0, -p.state.Available())
	if len(got) == 0 {
		return
	}
	if short == 0 || !less {
		if _, told := got[len(got)-1].(stock.StockShortfallDetected); !told {
			return
		}
		t.Fatalf("a shortfall is told that is none, or none of now: %v", got)
	}
	told, ok := got[len(got)-1].(stock.StockShortfallDetected)
	if !ok || told.Quantity != short {
		t.Fatalf("%d units are short, and told is %v", short, told)
	}
	covered := 0
	for i, r := range told.Reservations {
		if covered >= short {
			t.Fatalf("the shortfall of %d names more than it takes: %v", short, told.Reservations[i:])
		}
		covered += r.Quantity
	}
	if covered < short {
		t.Fatalf("the shortfall of %d names only %v", short, told.Reservations)
	}
}

func opening(random *rand.Rand) []stock.Event {
	return []stock.Event{stock.StockItemRegistered{
		SKU: "MUG-1", Location: "main", Policy: stock.Backorder, BackorderLimit: random.IntN(3),
	}}
}

// anyCommand is mostly about one of the reservations of the time; each has its
// quantity and its time, whoever repeats it.
func anyCommand(random *rand.Rand, now time.Time) stock.Command {
	n := max(0, int(now.Sub(noon)/(15*time.Second))-random.IntN(40))
	if random.IntN(20) == 0 {
		n = random.IntN(n + 1) // a very late one
	}
	id, ref := fmt.Sprint("r", n), random.IntN(30)
	if random.IntN(10) > 0 {
		ref = int(now.Sub(noon) / time.Minute) //nolint:durationcheck // a number
	}
	switch random.IntN(17) {
	case 0, 1:
		return stock.Receive{Location: "main", SKU: "MUG-1", Quantity: 1 + ref%5, Ref: fmt.Sprint(ref)}
	case 2:
		return stock.Adjust{Delta: []int{-3, 2, -1, 1, -2}[ref%5], Reason: "counted", Ref: fmt.Sprint(ref)}
	case 3:
		return stock.Return{Location: "main", SKU: "MUG-1", ReturnID: fmt.Sprint(ref), Quantity: 1 + ref%2}
	case 4:
		reasons := []stock.Reason{stock.Compensation, stock.Declined, stock.Cancelled, stock.Expired}
		return stock.Release{ReservationID: id, Reason: reasons[random.IntN(len(reasons))], Keep: max(0, random.IntN(6)-3)}
	case 5:
		return stock.Extend{ReservationID: id, ExpiresAt: now.Add(time.Duration(random.IntN(600)) * time.Second), At: now}
	case 6:
		return stock.Sweep{At: now}
	case 7, 8, 9:
		return stock.Commit{ReservationID: id, OrderID: "o" + id, At: now}
	case 12:
		policy := []stock.Policy{stock.Deny, stock.Backorder, stock.Backorder}[random.IntN(3)]
		return stock.SetPolicy{Location: "main", SKU: "MUG-1", Policy: policy, BackorderLimit: max(0, random.IntN(6)-2)}
	case 10, 11:
		return stock.Ship{ReservationID: id, ShipmentID: fmt.Sprint(random.IntN(3)), Quantity: 1 + random.IntN(2)}
	}
	quantity := 1 + n%3
	if random.IntN(20) == 0 {
		quantity++
	}
	return stock.Reserve{
		Location: "main", SKU: "MUG-1", ReservationID: id, CheckoutID: "c" + id, Quantity: quantity,
		ExpiresAt: noon.Add(time.Duration(n*15+n*7919%900) * time.Second), At: now,
	}
}

func sums(s stock.State) string {
	n := 0
	for range s.Reservations() {
		n++
	}
	return fmt.Sprint(s.OnHand, s.Reserved, s.Committed, n, s.Size())
}

func decoded(tb testing.TB, zero stock.Event, data []byte) stock.Event {
	tb.Helper()
	e := reflect.New(reflect.TypeOf(zero))
	if err := json.Unmarshal(data, e.Interface()); err != nil {
		tb.Fatal(err)
	}
	return e.Elem().Interface().(stock.Event)
}
