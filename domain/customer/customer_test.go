package customer_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/domain/customer"
	"github.com/waybill-dev/waybill/domain/decidertest"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

func TestDecide(t *testing.T) {
	t.Parallel()
	register := customer.Register{CustomerID: "c1", ContactRef: "r1", At: noon}
	registered := customer.CustomerRegistered{CustomerID: "c1", ContactRef: "r1", RegisteredAt: noon}
	begin := customer.BeginErasure{CustomerID: "c1", KeyID: "k1", At: noon}
	begun := customer.CustomerErasureBegun{CustomerID: "c1", KeyID: "k1", At: noon}
	stop := customer.StopErasure{OrderIDs: []string{"o1"}, At: noon}
	stopped := customer.CustomerErasureStopped{CustomerID: "c1", OrderIDs: []string{"o1"}, At: noon}
	erased := customer.CustomerErased{CustomerID: "c1", KeyID: "k1", At: noon}
	export := customer.NoteExport{CustomerID: "c1", ExportID: "x1", At: noon}
	exported := customer.CustomerDataExported{CustomerID: "c1", ExportID: "x1", At: noon}
	type events = []customer.Event
	decidertest.Run(t, customer.Decider, []decidertest.Case[customer.Command, customer.Event]{
		{Name: "a customer registers", When: register, Then: events{registered}},
		{
			Name: "a customer moves", Given: events{registered}, When: customer.Register{CustomerID: "c1", ContactRef: "r2", At: noon},
			Then: events{customer.CustomerContactChanged{CustomerID: "c1", ContactRef: "r2", At: noon}},
		},
		{Name: "an erased customer does not come back", Given: events{registered, begun, erased}, When: register, Refused: customer.ErrErased},
		{Name: "a customer who is being erased is not changed", Given: events{registered, begun}, When: register, Refused: customer.ErrErasing},
		{Name: "the erasure of a registered customer begins", Given: events{registered}, When: begin, Then: events{begun}},
		{Name: "the erasure of somebody who only ordered begins", When: begin, Then: events{begun}},
		{Name: "an erased customer is not erased again", Given: events{begun, erased}, When: begin},
		{Name: "the erasure is stopped", Given: events{begun}, When: stop, Then: events{stopped}},
		{Name: "what is erased cannot be stopped", Given: events{begun, erased}, When: stop, Refused: customer.ErrErased},
		{Name: "what was stopped may be tried again", Given: events{registered, begun, stopped}, When: begin, Then: events{begun}},
		{Name: "a customer is erased", Given: events{registered, begun}, When: customer.FinishErasure{At: noon}, Then: events{erased}},
		{Name: "nobody is erased out of the blue", Given: events{registered}, When: customer.FinishErasure{At: noon}, Refused: customer.ErrNotErasing},
		{Name: "nobody is erased after it was stopped", Given: events{begun, stopped}, When: customer.FinishErasure{At: noon}, Refused: customer.ErrNotErasing},
		{Name: "an export is noted", Given: events{registered}, When: export, Then: events{exported}},
		{Name: "nothing of an erased customer is exported", Given: events{begun, erased}, When: export, Refused: customer.ErrErased},
	})
}

// TestErasedIsForGood sends random commands: nothing follows CustomerErased,
// it comes once and only while an erasure is under way, with that one's key.
func TestErasedIsForGood(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		var state customer.State
		key, erased := "", false
		for range 40 {
			text := string(rune('a' + random.IntN(3)))
			commands := []customer.Command{
				customer.Register{CustomerID: "c", ContactRef: text, At: noon},
				customer.BeginErasure{CustomerID: "c", KeyID: text, At: noon},
				customer.StopErasure{At: noon},
				customer.FinishErasure{At: noon},
				customer.NoteExport{CustomerID: "c", ExportID: text, At: noon},
			}
			events, _ := customer.Decider.Decide(state, commands[random.IntN(len(commands))])
			for _, e := range events {
				if erased {
					t.Fatalf("seed %d: %T after the erasure", seed, e)
				}
				switch e := e.(type) {
				case customer.CustomerErasureBegun:
					key = e.KeyID
				case customer.CustomerErasureStopped:
					key = ""
				case customer.CustomerErased:
					if erased = true; e.KeyID != key {
						t.Fatalf("seed %d: key %q was destroyed, not %q", seed, e.KeyID, key)
					}
				case customer.CustomerRegistered, customer.CustomerContactChanged, customer.CustomerDataExported:
				}
			}
			state = customer.Decider.Fold(state, events...)
			if (state.Status == customer.Erased) != erased {
				t.Fatalf("seed %d: status %q", seed, state.Status)
			}
		}
	}
}

func TestGolden(t *testing.T) {
	t.Parallel()
	decidertest.Golden(t, customer.EventTypes())
}
