package stock_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/domain/stock"
)

// Whatever the order of commands: never more is promised than is there, the
// sums are those of the reservations, a repeated command causes nothing, and
// no state is changed by what is folded onto it.
func TestStockIsNeverPromisedTwice(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(seed, 7))
			s := stock.Decider.Fold(stock.State{}, stock.StockItemRegistered{
				SKU: "MUG-1", Location: "main", Policy: stock.Backorder, BackorderLimit: random.IntN(3),
			})
			now := noon
			for range 600 {
				now = now.Add(time.Duration(random.IntN(60)) * time.Second)
				c := anyCommand(random, now)
				before := sums(s)
				events, err := stock.Decider.Decide(s, c)
				next := stock.Decider.Fold(s, events...)
				if sums(s) != before {
					t.Fatalf("%#v changed the state it was decided on", c)
				}
				if err == nil {
					if again, err := stock.Decider.Decide(next, c); err != nil || len(again) > 0 {
						t.Fatalf("%#v again: %v, %v", c, again, err)
					}
				}
				s = next
				holds(t, s)
			}
		})
	}
}

func anyCommand(random *rand.Rand, now time.Time) stock.Command {
	id := fmt.Sprint("r", random.IntN(40))
	switch random.IntN(10) {
	case 0:
		return stock.Receive{Location: "main", SKU: "MUG-1", Quantity: 1 + random.IntN(5), Ref: fmt.Sprint(random.IntN(30))}
	case 1:
		return stock.Release{ReservationID: id, Reason: stock.Compensation}
	case 2:
		return stock.Extend{ReservationID: id, ExpiresAt: now.Add(time.Hour), At: now}
	case 3, 4, 5:
		return stock.Commit{ReservationID: id, OrderID: "o" + id, At: now}
	default:
		return stock.Reserve{
			Location: "main", SKU: "MUG-1", ReservationID: id, CheckoutID: "c" + id, Quantity: 1 + random.IntN(3),
			ExpiresAt: now.Add(time.Duration(random.IntN(20)) * time.Minute), At: now,
		}
	}
}

func sums(s stock.State) string {
	n := 0
	for range s.Reservations() {
		n++
	}
	return fmt.Sprint(s.OnHand, s.Reserved, s.Committed, n)
}

func holds(t *testing.T, s stock.State) {
	t.Helper()
	if s.Available() < 0 || s.Reserved < 0 || s.Committed < 0 {
		t.Fatalf("promised too much: %s", sums(s))
	}
	reserved, committed := 0, 0
	for id, r := range s.Reservations() {
		if same, ok := s.Reservation(id); !ok || same != r {
			t.Fatalf("reservation %s is listed as %v and found as %v", id, r, same)
		}
		switch r.Status {
		case stock.StatusReserved:
			reserved += r.Quantity
		case stock.StatusCommitted:
			committed += r.Quantity
		case stock.StatusReleased, stock.StatusShipped:
		}
	}
	if reserved != s.Reserved || committed != s.Committed {
		t.Fatalf("sums are %d and %d, reservations %d and %d", s.Reserved, s.Committed, reserved, committed)
	}
}
