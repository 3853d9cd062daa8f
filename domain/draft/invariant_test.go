package draft_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/domain/decidertest"
	"github.com/waybill-dev/waybill/domain/draft"
)

// Whatever is asked in whichever order: the lines are those that were set last,
// a draft that an order may come of does not change, and one that came to an
// order or to nothing never changes again.
func TestADraftComesToOneOrderAtMost(t *testing.T) {
	t.Parallel()
	seen := map[string]int{}
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 4))
		lines, checkout := map[string]int{}, ""
		at := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
		begun := false
		decidertest.Walk(t, draft.Decider, 60, func(draft.State) draft.Command {
			at = at.Add(time.Second)
			sku, name := fmt.Sprint("A", random.IntN(4)), fmt.Sprint("c", random.IntN(3))
			if !begun {
				begun = true
				return draft.OpenDraft{DraftID: "d", Currency: "EUR", At: at}
			}
			switch random.IntN(16) {
			case 0:
				return draft.BeginPlacement{Attempt: draft.Attempt{CheckoutID: name, RequestID: "r" + name, Fingerprint: "f", PaymentMethod: "sandbox:approved", BegunAt: at}}
			case 1, 2:
				return draft.EndPlacement{CheckoutID: name, Reason: "payment-declined", At: at}
			case 3:
				return draft.Place{CheckoutID: name, OrderID: "o" + name, At: at}
			case 4:
				if random.IntN(6) == 0 {
					return draft.Discard{Reason: draft.Requested, At: at}
				}
				return draft.SetDetails{Details: draft.Details{CustomerID: name, ShipToCountry: "DE"}, At: at}
			case 5, 6, 7:
				return draft.RemoveLine{SKU: sku, At: at}
			}
			return draft.SetLine{SKU: sku, Quantity: 1 + random.IntN(3), At: at}
		}, func(s decidertest.Step[draft.State, draft.Command, draft.Event]) {
			for _, e := range s.Events {
				seen[e.EventName()]++
				if s.Before.Status == draft.Placed || s.Before.Status == draft.Discarded {
					t.Fatalf("seed %d: %+v of a draft that is %s", seed, e, s.Before.Status)
				}
				switch e := e.(type) {
				case draft.DraftLineSet:
					lines[e.SKU] = e.Quantity
				case draft.DraftLineRemoved:
					delete(lines, e.SKU)
				case draft.DraftPlacementBegun:
					checkout = e.CheckoutID
					continue
				case draft.DraftPlacementEnded:
					if e.CheckoutID != checkout {
						t.Fatalf("seed %d: %s ended while %s is under way", seed, e.CheckoutID, checkout)
					}
					checkout = ""
					continue
				case draft.DraftPlaced:
					if e.CheckoutID != checkout {
						t.Fatalf("seed %d: placed by %s while %s is under way", seed, e.CheckoutID, checkout)
					}
					continue
				default:
				}
				if checkout != "" {
					t.Fatalf("seed %d: %+v while %s may come to an order", seed, e, checkout)
				}
			}
			have := map[string]int{}
			for _, l := range s.After.Lines {
				have[l.SKU] += l.Quantity
			}
			if fmt.Sprint(have) != fmt.Sprint(lines) || len(s.After.Lines) != len(lines) {
				t.Fatalf("seed %d: the lines are %v, want %v", seed, s.After.Lines, lines)
			}
		})
	}
	for _, e := range draft.EventTypes() {
		if seen[e.Zero.EventName()] < 20 {
			t.Errorf("%d %s: too few to show anything", seen[e.Zero.EventName()], e.Zero.EventName())
		}
	}
}
