package creditnote_test

import (
	"math"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/creditnote"
	"github.com/waybill-dev/waybill/domain/decidertest"
)

func gbp(amount int64) domain.Money { return domain.Money{Amount: amount, Currency: "GBP"} }

func TestCreditNote(t *testing.T) {
	t.Parallel()
	noon := time.Date(2010, 12, 1, 12, 0, 0, 0, time.UTC)
	record := creditnote.Record{
		CreditNoteID: "n", External: creditnote.External{Source: "retail", Ref: "C536379", Time: noon}, CustomerID: "c", ShipToCountry: "FR", Currency: "GBP",
		Lines: []creditnote.Line{{SKU: "A", Title: "Mug", Quantity: 2, UnitPrice: gbp(150)}, {SKU: "B", Title: "Cup", Quantity: 1, UnitPrice: gbp(50)}},
	}
	elsewhere := record
	elsewhere.External.Time = noon.In(time.FixedZone("", 3600))
	other := record
	other.Lines = record.Lines[:1]
	large := record
	large.Lines = []creditnote.Line{{SKU: "A", Quantity: 2, UnitPrice: gbp(math.MaxInt64)}}
	largeSum := record
	largeSum.Lines = []creditnote.Line{{SKU: "A", Quantity: 1, UnitPrice: gbp(math.MaxInt64)}, {SKU: "A", Quantity: 1, UnitPrice: gbp(1)}}
	recorded := creditnote.CreditNoteRecorded{
		CreditNoteID: "n", External: record.External, CustomerID: "c", ShipToCountry: "FR", Currency: "GBP", Total: gbp(350),
		Lines: []creditnote.Line{
			{SKU: "A", Title: "Mug", Quantity: 2, UnitPrice: gbp(150), Total: gbp(300)},
			{SKU: "B", Title: "Cup", Quantity: 1, UnitPrice: gbp(50), Total: gbp(50)},
		},
	}
	decidertest.Run(t, creditnote.Decider, []decidertest.Case[creditnote.Command, creditnote.Event]{
		{Name: "a credit note is recorded with its total", When: record, Then: []creditnote.Event{recorded}},
		{Name: "the same credit note again changes nothing, in any zone", Given: []creditnote.Event{recorded}, When: elsewhere},
		{Name: "another credit note under the same id is refused", Given: []creditnote.Event{recorded}, When: other, Refused: creditnote.ErrIDReused},
		{Name: "a line beyond all money is refused", When: large, Refused: domain.ErrAmountOverflow},
		{Name: "a total beyond all money is refused", When: largeSum, Refused: domain.ErrAmountOverflow},
		{
			Name: "all mistakes are reported at once", When: creditnote.Record{ShipToCountry: "France", Lines: []creditnote.Line{{UnitPrice: gbp(-1)}}},
			Refused: creditnote.ErrInvalid.Because(
				domain.Mistake{Pointer: "/currency", Code: "unknown-currency", Detail: "a currency is a code of ISO 4217"},
				domain.Mistake{Pointer: "/ship_to/country", Code: "invalid-country", Detail: "a country is a code of ISO 3166, two capital letters"},
				domain.Mistake{Pointer: "/external", Code: "invalid-external", Detail: "source, ref and time say where the credit note comes from"},
				domain.Mistake{Pointer: "/lines/0/sku", Code: "invalid-sku", Detail: `a SKU has 1 to 64 letters, digits and signs of "-_.+:"`},
				domain.Mistake{Pointer: "/lines/0/quantity", Code: "invalid-quantity", Detail: "a quantity is 1 to 1000000"},
				domain.Mistake{Pointer: "/lines/0/unit_price/amount", Code: "negative-amount", Detail: "a price is not negative"},
				domain.Mistake{Pointer: "/lines/0/unit_price/currency", Code: "currency-mismatch", Detail: "a credit note has one currency"},
			),
		},
		{Name: "a credit note has lines", When: creditnote.Record{Currency: "GBP", External: record.External}, Refused: creditnote.ErrInvalid},
	})
}

func TestGolden(t *testing.T) {
	t.Parallel()
	decidertest.Golden(t, creditnote.EventTypes())
}
