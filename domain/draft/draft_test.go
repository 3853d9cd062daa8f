package draft_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/decidertest"
	"github.com/waybill-dev/waybill/domain/draft"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

var (
	opened    = draft.DraftOpened{DraftID: "d1", Currency: "EUR", At: noon}
	mug       = draft.DraftLineSet{DraftID: "d1", Line: draft.Line{SKU: "MUG", Quantity: 2}, At: noon}
	begun     = draft.DraftPlacementBegun{DraftID: "d1", CheckoutID: "c1", RequestID: "r1", Fingerprint: "f", PaymentMethod: "m", At: noon}
	ended     = draft.DraftPlacementEnded{DraftID: "d1", CheckoutID: "c1", Reason: "out-of-stock", At: noon}
	placed    = draft.DraftPlaced{DraftID: "d1", CheckoutID: "c1", OrderID: "o1", At: noon}
	discarded = draft.DraftDiscarded{DraftID: "d1", Reason: draft.Requested, At: noon}

	begin   = draft.BeginPlacement{Attempt: draft.Attempt{CheckoutID: "c1", RequestID: "r1", Fingerprint: "f", PaymentMethod: "m", BegunAt: noon}}
	end     = draft.EndPlacement{CheckoutID: "c1", Reason: "out-of-stock", At: noon}
	place   = draft.Place{CheckoutID: "c1", OrderID: "o1", At: noon}
	discard = draft.Discard{Reason: draft.Requested, At: noon}
	setMug  = draft.SetLine{Line: draft.Line{SKU: "MUG", Quantity: 2}, At: noon}
)

func eur(amount int64) domain.Money { return domain.Money{Amount: amount, Currency: "EUR"} }

func TestDecide(t *testing.T) {
	t.Parallel()
	dear := draft.Line{SKU: "MUG", Quantity: 2, Discount: eur(100), Tax: eur(19)}
	charged := draft.Details{
		CustomerID: "ada", Channel: "web", Shipping: draft.Shipping{Method: "express", Price: eur(490), Tax: eur(93)},
		Discounts: []draft.Discount{{Code: "SUMMER", Amount: eur(100)}},
	}
	details := draft.Details{CustomerID: "ada", ContactRef: "v1"}
	type events = []draft.Event
	decidertest.Run(t, draft.Decider, []decidertest.Case[draft.Command, draft.Event]{
		{
			Name: "a draft is opened with what is known", When: draft.OpenDraft{DraftID: "d1", Currency: "EUR", Lines: []draft.Line{mug.Line}, Details: details, At: noon},
			Then: events{opened, mug, draft.DraftDetailsSet{DraftID: "d1", Details: details, At: noon}},
		},
		{Name: "a draft is opened with nothing", When: draft.OpenDraft{DraftID: "d1", Currency: "EUR", At: noon}, Then: events{opened}},
		{Name: "a draft is opened once", Given: events{opened}, When: draft.OpenDraft{DraftID: "d1", Currency: "EUR", At: noon}},
		{Name: "a draft has a currency", When: draft.OpenDraft{DraftID: "d1", Currency: "mugs", At: noon}, Refused: draft.ErrInvalid},
		{
			Name: "a draft has one line of each SKU", When: draft.OpenDraft{DraftID: "d1", Currency: "EUR", Lines: []draft.Line{mug.Line, mug.Line}, At: noon},
			Refused: draft.ErrInvalid,
		},
		{Name: "what is not there is not changed", When: setMug, Refused: draft.ErrNotFound},
		{Name: "what is not there is not discarded", When: discard, Refused: draft.ErrNotFound},
		{Name: "a line is set", Given: events{opened}, When: setMug, Then: events{mug}},
		{
			Name: "a line has a discount and a tax", Given: events{opened, mug}, When: draft.SetLine{Line: dear, At: noon},
			Then: events{draft.DraftLineSet{DraftID: "d1", Line: dear, At: noon}},
		},
		{Name: "one that is so is left", Given: events{opened, draft.DraftLineSet{DraftID: "d1", Line: dear, At: noon}}, When: draft.SetLine{Line: dear, At: noon}},
		{
			Name: "amounts of a line are in the draft's currency, and not negative", Given: events{opened},
			When: draft.SetLine{Line: draft.Line{SKU: "MUG", Quantity: 1, Discount: domain.Money{Amount: 1, Currency: "USD"}, Tax: eur(-1)}, At: noon},
			Refused: draft.ErrInvalid.Because(
				domain.Mistake{Pointer: "/discount/currency", Code: "currency-mismatch", Detail: "an order has one currency"},
				domain.Mistake{Pointer: "/tax/amount", Code: "negative-amount", Detail: "the amount is not negative"},
			),
		},
		{
			Name: "so are those of a line that a draft is opened with", When: draft.OpenDraft{DraftID: "d1", Currency: "USD", Lines: []draft.Line{dear}, At: noon},
			Refused: draft.ErrInvalid.Because(
				domain.Mistake{Pointer: "/lines/0/discount/currency", Code: "currency-mismatch", Detail: "an order has one currency"},
				domain.Mistake{Pointer: "/lines/0/tax/currency", Code: "currency-mismatch", Detail: "an order has one currency"},
			),
		},
		{
			Name: "what the shop takes and takes off is set", Given: events{opened}, When: draft.SetDetails{Details: charged, At: noon},
			Then: events{draft.DraftDetailsSet{DraftID: "d1", Details: charged, At: noon}},
		},
		{
			Name: "it is left where it is so", Given: events{opened, draft.DraftDetailsSet{DraftID: "d1", Details: charged, At: noon}},
			When: draft.SetDetails{Details: charged, At: noon},
		},
		{
			Name: "it is taken away again", Given: events{opened, draft.DraftDetailsSet{DraftID: "d1", Details: charged, At: noon}},
			When: draft.SetDetails{At: noon}, Then: events{draft.DraftDetailsSet{DraftID: "d1", At: noon}},
		},
		{
			Name: "labels tell of nobody, amounts are in the draft's currency", Given: events{opened},
			When: draft.SetDetails{Details: draft.Details{
				Channel: "a@example.com", Shipping: draft.Shipping{Method: "to Ada", Price: eur(-1), Tax: domain.Money{Currency: "USD"}},
				Discounts: []draft.Discount{{Code: "", Amount: eur(1)}, {Code: "SUMMER", Amount: eur(-1)}},
			}},
			Refused: draft.ErrInvalid.Because(
				domain.Mistake{Pointer: "/channel", Code: "invalid-channel", Detail: domain.LabelMistake},
				domain.Mistake{Pointer: "/shipping/method", Code: "invalid-method", Detail: domain.LabelMistake},
				domain.Mistake{Pointer: "/shipping/price/amount", Code: "negative-amount", Detail: "the amount is not negative"},
				domain.Mistake{Pointer: "/shipping/tax/currency", Code: "currency-mismatch", Detail: "an order has one currency"},
				domain.Mistake{Pointer: "/discounts/0/code", Code: "invalid-code", Detail: domain.LabelMistake},
				domain.Mistake{Pointer: "/discounts/1/amount/amount", Code: "negative-amount", Detail: "the amount is not negative"},
			),
		},
		{
			Name: "a draft is not opened with labels that may tell of people", When: draft.OpenDraft{DraftID: "d1", Currency: "EUR", Details: draft.Details{Channel: "a@example.com"}, At: noon},
			Refused: draft.ErrInvalid,
		},
		{
			Name: "a draft has so many discounts and no more", Given: events{opened},
			When: draft.SetDetails{Details: draft.Details{Discounts: make([]draft.Discount, draft.MaxDiscounts+1)}}, Refused: draft.ErrInvalid,
		},
		{Name: "a line that is so is left", Given: events{opened, mug}, When: setMug},
		{Name: "a line of no units is none", Given: events{opened}, When: draft.SetLine{Line: draft.Line{SKU: "MUG"}}, Refused: draft.ErrInvalid},
		{Name: "a line is of a SKU", Given: events{opened}, When: draft.SetLine{Line: draft.Line{SKU: "a b", Quantity: 1}}, Refused: draft.ErrInvalid},
		{
			Name: "a line is removed", Given: events{opened, mug}, When: draft.RemoveLine{SKU: "MUG", At: noon},
			Then: events{draft.DraftLineRemoved{DraftID: "d1", SKU: "MUG", At: noon}},
		},
		{Name: "a line that is not there is removed", Given: events{opened}, When: draft.RemoveLine{SKU: "MUG", At: noon}},
		{
			Name: "details are set", Given: events{opened}, When: draft.SetDetails{Details: details, At: noon},
			Then: events{draft.DraftDetailsSet{DraftID: "d1", Details: details, At: noon}},
		},
		{Name: "details that are so are left", Given: events{opened, draft.DraftDetailsSet{DraftID: "d1", Details: details, At: noon}}, When: draft.SetDetails{Details: details, At: noon}},
		{Name: "a draft is begun to be placed", Given: events{opened, mug}, When: begin, Then: events{begun}},
		{Name: "the same request begins it once", Given: events{opened, mug, begun}, When: begin},
		{Name: "an empty draft is not placed", Given: events{opened}, When: begin, Refused: draft.ErrInvalid},
		{
			Name: "another request does not begin it while it is being placed", Given: events{opened, mug, begun},
			When: draft.BeginPlacement{Attempt: draft.Attempt{CheckoutID: "c2", RequestID: "r2"}}, Refused: draft.ErrPlacing,
		},
		{Name: "it does not change meanwhile", Given: events{opened, mug, begun}, When: draft.SetLine{Line: draft.Line{SKU: "MUG", Quantity: 3}}, Refused: draft.ErrPlacing},
		{Name: "nor do its details", Given: events{opened, mug, begun}, When: draft.SetDetails{Details: details}, Refused: draft.ErrPlacing},
		{Name: "nor is it discarded", Given: events{opened, mug, begun}, When: discard, Refused: draft.ErrPlacing},
		{Name: "the placement comes to nothing", Given: events{opened, mug, begun}, When: end, Then: events{ended}},
		{Name: "which is said once", Given: events{opened, mug, begun, ended}, When: end},
		{Name: "what came to nothing makes no order", Given: events{opened, mug, begun, ended}, When: place, Refused: draft.ErrInvalid},
		{Name: "then it may change again", Given: events{opened, mug, begun, ended}, When: draft.RemoveLine{SKU: "MUG", At: noon}, Then: events{draft.DraftLineRemoved{DraftID: "d1", SKU: "MUG", At: noon}}},
		{Name: "a draft is placed", Given: events{opened, mug, begun}, When: place, Then: events{placed}},
		{Name: "a draft is placed once", Given: events{opened, mug, begun, placed}, When: place},
		{Name: "a placed draft makes no other order", Given: events{opened, mug, begun, placed}, When: draft.Place{CheckoutID: "c2", OrderID: "o2"}, Refused: draft.ErrPlaced},
		{Name: "a placed draft is not changed", Given: events{opened, mug, begun, placed}, When: setMug, Refused: draft.ErrPlaced},
		{Name: "a placed draft is not discarded", Given: events{opened, mug, begun, placed}, When: discard, Refused: draft.ErrPlaced},
		{Name: "a draft is discarded", Given: events{opened}, When: discard, Then: events{discarded}},
		{Name: "a draft is discarded once", Given: events{opened, discarded}, When: discard},
		{Name: "a discarded draft is not changed", Given: events{opened, mug, discarded}, When: setMug, Refused: draft.ErrDiscarded},
		{Name: "a discarded draft is not placed", Given: events{opened, mug, discarded}, When: begin, Refused: draft.ErrDiscarded},
	})
}

// TestRandomCommandsAgainstAModel compares a draft with a plain map of lines:
// lines change only while it is open, it ends once, and only the checkout that
// is under way makes an order.
func TestRandomCommandsAgainstAModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 2))
		state := draft.Decider.Fold(draft.State{}, opened)
		model, running, over := map[string]int{}, "", false
		for step := range 60 {
			sku, checkout := fmt.Sprint("S", random.IntN(3)), fmt.Sprint("c", random.IntN(4))
			quantity := random.IntN(4)
			request := fmt.Sprint("r", step)
			commands := []draft.Command{
				draft.SetLine{Line: draft.Line{SKU: sku, Quantity: quantity}},
				draft.RemoveLine{SKU: sku},
				draft.SetDetails{Details: draft.Details{CustomerID: sku}},
				draft.BeginPlacement{Attempt: draft.Attempt{CheckoutID: checkout, RequestID: request}},
				draft.EndPlacement{CheckoutID: checkout},
				draft.Place{CheckoutID: checkout, OrderID: "o-" + checkout},
				draft.Discard{},
			}
			command := commands[random.IntN(len(commands)-1)]
			if random.IntN(40) == 0 {
				command = draft.Discard{}
			}
			free := running == "" && !over
			events, err := draft.Decider.Decide(state, command)
			state = draft.Decider.Fold(state, events...)
			if refused := (*domain.RuleError)(nil); err != nil && !errors.As(err, &refused) {
				t.Fatalf("seed %d: %v is no rule", seed, err)
			}
			switch c := command.(type) {
			case draft.SetLine:
				if free && quantity > 0 {
					model[sku] = quantity
				}
			case draft.RemoveLine:
				if free {
					delete(model, sku)
				}
			case draft.BeginPlacement:
				if free && len(model) > 0 {
					running = checkout
				}
			case draft.EndPlacement:
				if c.CheckoutID == running && !over {
					running = ""
				}
			case draft.Place:
				if c.CheckoutID == running && !over {
					over = true
				}
			case draft.Discard:
				over = over || free
			case draft.OpenDraft, draft.SetDetails:
			}
			lines := map[string]int{}
			for _, l := range state.Lines {
				lines[l.SKU] = l.Quantity
			}
			if !maps.Equal(lines, model) {
				t.Fatalf("seed %d, step %d: the lines are %v, want %v", seed, step, lines, model)
			}
			want := draft.Open
			switch {
			case over && running != "":
				want = draft.Placed
			case over:
				want = draft.Discarded
			case running != "":
				want = draft.Placing
			}
			if state.Status != want || want == draft.Placed && state.OrderID != "o-"+running {
				t.Fatalf("seed %d, step %d, %T: %s %s, want %s", seed, step, command, state.Status, state.OrderID, want)
			}
		}
	}
}

func TestGolden(t *testing.T) {
	t.Parallel()
	decidertest.Golden(t, draft.EventTypes())
}
