package customer_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/waybill-dev/waybill/domain/customer"
	"github.com/waybill-dev/waybill/domain/decidertest"
)

// Whatever is asked in whichever order: nobody is erased but by an erasure that
// was begun, nothing new is taken meanwhile, and nothing at all afterwards.
func TestNothingIsKeptOfSomebodyWhoIsErased(t *testing.T) {
	t.Parallel()
	seen := map[string]int{}
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 3))
		decidertest.Walk(t, customer.Decider, 40, func(customer.State) customer.Command {
			id := fmt.Sprint(random.IntN(4))
			switch random.IntN(12) {
			case 0:
				return customer.BeginErasure{CustomerID: "c", KeyID: "k" + id}
			case 1, 2:
				return customer.StopErasure{OrderIDs: []string{id}}
			case 3:
				return customer.FinishErasure{}
			case 4, 5, 6:
				return customer.NoteExport{CustomerID: "c", ExportID: id}
			}
			return customer.Register{CustomerID: "c", ContactRef: id, At: noon}
		}, func(s decidertest.Step[customer.State, customer.Command, customer.Event]) {
			for _, e := range s.Events {
				seen[e.EventName()]++
				_, ended := e.(customer.CustomerErased)
				_, stopped := e.(customer.CustomerErasureStopped)
				_, exported := e.(customer.CustomerDataExported)
				switch {
				case s.Before.Status == customer.Erased:
					t.Fatalf("seed %d: %+v after the erasure", seed, e)
				case (ended || stopped) != (s.Before.Status == customer.Erasing) && !exported:
					t.Fatalf("seed %d: %+v of %+v", seed, e, s.Before)
				}
			}
			if s.Before.Status == customer.Erased && s.After.Status != customer.Erased {
				t.Fatalf("seed %d: erased, and %s again by %T", seed, s.After.Status, s.Command)
			}
			exports := map[string]bool{}
			for _, e := range s.After.Exports {
				if exports[e.ExportID] {
					t.Fatalf("seed %d: exported twice: %s", seed, e.ExportID)
				}
				exports[e.ExportID] = true
			}
		})
	}
	for _, e := range customer.EventTypes() {
		if seen[e.Zero.EventName()] < 20 {
			t.Errorf("%d %s: too few to show anything", seen[e.Zero.EventName()], e.Zero.EventName())
		}
	}
}
