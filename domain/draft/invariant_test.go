package draft_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/domain"
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
		lines, checkout := map[string]draft.Line{}, ""
		var details, kept draft.Details
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
				details = anyDetails(random, name)
				return draft.SetDetails{Details: details, At: at}
			case 5, 6, 7:
				return draft.RemoveLine{SKU: sku, At: at}
			}
			return draft.SetLine{Line: anyLine(random, sku), At: at}
		}, func(s decidertest.Step[draft.State, draft.Command, draft.Event]) {
			for _, e := range s.Events {
				seen[e.EventName()]++
				if s.Before.Status == draft.Placed || s.Before.Status == draft.Discarded {
					t.Fatalf("seed %d: %+v of a draft that is %s", seed, e, s.Before.Status)
				}
				switch e := e.(type) {
				case draft.DraftLineSet:
					if foreign(e.Discount, e.Tax) {
						t.Fatalf("seed %d: %+v has amounts that no order of the draft may have", seed, e)
					}
					lines[e.SKU] = e.Line
				case draft.DraftDetailsSet:
					kept = details
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
			have := map[string]draft.Line{}
			for _, l := range s.After.Lines {
				have[l.SKU] = l
			}
			if !maps.Equal(have, lines) || len(s.After.Lines) != len(lines) {
				t.Fatalf("seed %d: the lines are %v, want %v", seed, s.After.Lines, lines)
			}
			if fmt.Sprint(s.After.Details) != fmt.Sprint(kept) || foreign(kept.Shipping.Price) {
				t.Fatalf("seed %d: the details are %v, want %v", seed, s.After.Details, kept)
			}
		})
	}
	for _, e := range draft.EventTypes() {
		if seen[e.Zero.EventName()] < 20 {
			t.Errorf("%d %s: too few to show anything", seen[e.Zero.EventName()], e.Zero.EventName())
		}
	}
}

// foreign reports whether one of some amounts is of another currency, or less
// than nothing.
func foreign(amounts ...domain.Money) bool {
	for _, amount := range amounts {
		if amount != (domain.Money{}) && (amount.Currency != "EUR" || amount.Amount < 0) {
			return true
		}
	}
	return false
}

func anyAmount(random *rand.Rand) domain.Money {
	switch random.IntN(8) {
	case 0:
		return domain.Money{Amount: 1, Currency: "USD"}
	case 1:
		return domain.Money{Amount: -1, Currency: "EUR"}
	}
	return domain.Money{Amount: int64(random.IntN(3)), Currency: "EUR"}
}

func anyLine(random *rand.Rand, sku string) draft.Line {
	line := draft.Line{SKU: sku, Quantity: 1 + random.IntN(3)}
	if random.IntN(4) == 0 {
		line.Discount = anyAmount(random)
	}
	if random.IntN(4) == 0 {
		line.Tax = anyAmount(random)
	}
	return line
}

func anyDetails(random *rand.Rand, name string) draft.Details {
	details := draft.Details{CustomerID: name, ShipToCountry: "DE"}
	if random.IntN(2) == 0 {
		details.Channel = []string{"web", "our web shop"}[random.IntN(2)]
		details.Shipping = draft.Shipping{Method: "express", Price: anyAmount(random), Tax: domain.Money{Currency: "EUR"}}
		details.Discounts = []draft.Discount{{Code: "SUMMER", Amount: anyAmount(random)}}
	}
	return details
}
