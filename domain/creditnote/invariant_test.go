package creditnote_test

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/creditnote"
	"github.com/waybill-dev/waybill/domain/decidertest"
)

// Whatever is asked in whichever order: one credit note is recorded per id, the
// first that was right, and its total is the sum of its lines, as calculated
// with numbers that know no end.
func TestACreditNoteAddsUp(t *testing.T) {
	t.Parallel()
	recorded, refused, same := 0, 0, 0
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 8))
		var first *creditnote.CreditNoteRecorded
		decidertest.Walk(t, creditnote.Decider, 20, func(creditnote.State) creditnote.Command {
			return anyRecord(random)
		}, func(s decidertest.Step[creditnote.State, creditnote.Command, creditnote.Event]) {
			want, right := sum(s.Command.(creditnote.Record))
			switch {
			case s.Err != nil:
				refused++
				if right && first == nil {
					t.Fatalf("seed %d: %+v was refused: %v", seed, s.Command, s.Err)
				}
			case len(s.Events) == 0:
				same++
				if first == nil || !right || want.Cmp(big.NewInt(first.Total.Amount)) != 0 {
					t.Fatalf("seed %d: %+v is taken for %+v", seed, s.Command, first)
				}
			default:
				recorded++
				e := s.Events[0].(creditnote.CreditNoteRecorded)
				if first != nil || !right || want.Cmp(big.NewInt(e.Total.Amount)) != 0 {
					t.Fatalf("seed %d: %+v gave %+v, after %+v; the sum is %v", seed, s.Command, e, first, want)
				}
				first = &e
			}
		})
	}
	if recorded < 200 || refused < 1000 || same < 100 {
		t.Errorf("%d recorded, %d refused, %d repeated: too few to show anything", recorded, refused, same)
	}
}

// sum is what the lines come to, and whether they make a credit note.
func sum(c creditnote.Record) (total *big.Int, right bool) {
	total, right = new(big.Int), len(c.Lines) > 0
	for _, l := range c.Lines {
		total.Add(total, new(big.Int).Mul(big.NewInt(l.UnitPrice.Amount), big.NewInt(int64(l.Quantity))))
		right = right && l.Quantity > 0 && l.UnitPrice.Amount >= 0 && l.UnitPrice.Currency == c.Currency
	}
	return total, right && total.IsInt64()
}

func anyRecord(random *rand.Rand) creditnote.Record {
	c := creditnote.Record{
		CreditNoteID: "n", External: creditnote.External{Source: "till", Ref: "1", Time: time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)}, Currency: "EUR",
	}
	for i := range random.IntN(3) {
		price := domain.Money{Amount: int64(random.IntN(3)), Currency: "EUR"}
		switch random.IntN(20) {
		case 0:
			price.Currency = "USD"
		case 1:
			price.Amount = -price.Amount - 1
		case 2:
			price.Amount = 1<<62 + random.Int64N(1<<62)
		}
		c.Lines = append(c.Lines, creditnote.Line{SKU: fmt.Sprint("A", i), Title: "Mug", Quantity: random.IntN(3), UnitPrice: price})
	}
	return c
}
