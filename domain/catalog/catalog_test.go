package catalog_test

import (
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/catalog"
	"github.com/waybill-dev/waybill/domain/decidertest"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

func price(amount int64, currency, region string) catalog.Price {
	return catalog.Price{Money: domain.Money{Amount: amount, Currency: currency}, Region: region}
}

func TestProduct(t *testing.T) {
	t.Parallel()
	mug := catalog.Register{SKU: "MUG-1", Title: "Mug", Prices: []catalog.Price{price(1250, "EUR", "")}, At: noon}
	registered := catalog.ProductRegistered{SKU: "MUG-1", Title: "Mug", Prices: mug.Prices, RegisteredAt: noon}
	dearer := catalog.PriceChanged{SKU: "MUG-1", Price: price(1350, "EUR", ""), ChangedAt: noon}
	withdrawn := catalog.ProductWithdrawn{SKU: "MUG-1", WithdrawnAt: noon}
	relisted := catalog.ProductRelisted{SKU: "MUG-1", RelistedAt: noon}
	renamed := catalog.ProductTitleChanged{SKU: "MUG-1", Title: "Big mug", ChangedAt: noon}
	decidertest.Run(t, catalog.Decider, []decidertest.Case[catalog.Command, catalog.Event]{
		{Name: "a product is registered", When: mug, Then: []catalog.Event{registered}},
		{Name: "the same registration again changes nothing, even after a change of price", Given: []catalog.Event{registered, dearer}, When: mug},
		{
			Name: "another product under the same SKU is refused", Given: []catalog.Event{registered},
			When: catalog.Register{SKU: "MUG-1", Title: "Cup", Prices: mug.Prices}, Refused: catalog.ErrExists,
		},
		{
			Name: "all mistakes of a product are reported at once",
			When: catalog.Register{SKU: "a b", Prices: []catalog.Price{price(-1, "EUR", ""), price(1, "eur", ""), price(1, "EUR", "")}},
			Refused: catalog.ErrInvalid.Because(
				domain.Mistake{Pointer: "/sku", Code: "invalid-sku", Detail: `a SKU has 1 to 64 letters, digits and signs of "-_.+:"`},
				domain.Mistake{Pointer: "/title", Code: "invalid-title", Detail: "a title has 1 to 500 bytes and no control characters"},
				domain.Mistake{Pointer: "/prices/0/amount", Code: "negative-amount", Detail: "a price is not negative"},
				domain.Mistake{Pointer: "/prices/1/currency", Code: "unknown-currency", Detail: "a currency is a code of ISO 4217"},
				domain.Mistake{Pointer: "/prices/2", Code: "duplicate-price", Detail: "price 0 is for the same currency and region"},
			),
		},
		{Name: "a product without a price is refused", When: catalog.Register{SKU: "A", Title: "A"}, Refused: catalog.ErrInvalid},
		{Name: "too many prices are refused", When: catalog.Register{SKU: "A", Title: "A", Prices: make([]catalog.Price, 201)}, Refused: catalog.ErrInvalid},
		{Name: "a long region is refused", When: catalog.Register{SKU: "A", Title: "A", Prices: []catalog.Price{price(1, "EUR", strings.Repeat("x", 65))}}, Refused: catalog.ErrInvalid},
		{Name: "a price is changed", Given: []catalog.Event{registered}, When: catalog.ChangePrice{SKU: "MUG-1", Price: dearer.Price, At: noon}, Then: []catalog.Event{dearer}},
		{
			Name: "a price for a region is added", Given: []catalog.Event{registered},
			When: catalog.ChangePrice{SKU: "MUG-1", Price: price(1100, "EUR", "north"), At: noon},
			Then: []catalog.Event{catalog.PriceChanged{SKU: "MUG-1", Price: price(1100, "EUR", "north"), ChangedAt: noon}},
		},
		{Name: "the price of an unknown product is refused", When: catalog.ChangePrice{SKU: "X", Price: dearer.Price}, Refused: catalog.ErrUnknown},
		{Name: "the title is changed", Given: []catalog.Event{registered}, When: catalog.ChangeTitle{SKU: "MUG-1", Title: "Big mug", At: noon}, Then: []catalog.Event{renamed}},
		{Name: "the title it has changes nothing", Given: []catalog.Event{registered}, When: catalog.ChangeTitle{SKU: "MUG-1", Title: "Mug", At: noon}},
		{Name: "the same registration again changes nothing, even after a change of title", Given: []catalog.Event{registered, renamed}, When: mug},
		{
			Name: "the changed title is not that of the registration", Given: []catalog.Event{registered, renamed},
			When: catalog.Register{SKU: "MUG-1", Title: "Big mug", Prices: mug.Prices}, Refused: catalog.ErrExists,
		},
		{Name: "a bad title is refused", Given: []catalog.Event{registered}, When: catalog.ChangeTitle{SKU: "MUG-1", Title: "Mug\n"}, Refused: catalog.ErrInvalid},
		{Name: "the title of an unknown product is refused", When: catalog.ChangeTitle{SKU: "X", Title: "X"}, Refused: catalog.ErrUnknown.With("sku", "X")},
		{Name: "a product is withdrawn", Given: []catalog.Event{registered}, When: catalog.Withdraw{SKU: "MUG-1", At: noon}, Then: []catalog.Event{withdrawn}},
		{Name: "an unknown product cannot be withdrawn", When: catalog.Withdraw{SKU: "X"}, Refused: catalog.ErrUnknown.With("sku", "X")},
		{Name: "a withdrawn product keeps its prices up to date", Given: []catalog.Event{registered, withdrawn}, When: catalog.ChangePrice{SKU: "MUG-1", Price: dearer.Price, At: noon}, Then: []catalog.Event{dearer}},
		{Name: "to register a withdrawn product again does not list it", Given: []catalog.Event{registered, withdrawn}, When: mug},
		{Name: "a withdrawn product is listed again", Given: []catalog.Event{registered, withdrawn}, When: catalog.Relist{SKU: "MUG-1", At: noon}, Then: []catalog.Event{relisted}},
		{Name: "to list what is listed changes nothing", Given: []catalog.Event{registered}, When: catalog.Relist{SKU: "MUG-1", At: noon}},
		{Name: "an unknown product cannot be listed", When: catalog.Relist{SKU: "X"}, Refused: catalog.ErrUnknown.With("sku", "X")},
		{Name: "it is withdrawn a second time", Given: []catalog.Event{registered, withdrawn, relisted}, When: catalog.Withdraw{SKU: "MUG-1", At: noon}, Then: []catalog.Event{withdrawn}},
		{Name: "a negative price is refused", Given: []catalog.Event{registered}, When: catalog.ChangePrice{SKU: "MUG-1", Price: price(-1, "EUR", "")}, Refused: catalog.ErrInvalid},
	})
}

func TestPriceForARegion(t *testing.T) {
	t.Parallel()
	s := catalog.Decider.Fold(catalog.State{},
		catalog.ProductRegistered{SKU: "A", Prices: []catalog.Price{price(10, "EUR", ""), price(8, "EUR", "north")}},
		catalog.PriceChanged{SKU: "A", Price: price(11, "EUR", "")})
	for region, want := range map[string]int64{"": 11, "north": 8, "south": 11} {
		if got, ok := s.Price("EUR", region); !ok || got.Amount != want {
			t.Errorf("in %q it costs %v, want %d", region, got, want)
		}
	}
	if _, ok := s.Price("GBP", ""); ok {
		t.Error("there is no price in pounds")
	}
}

func TestGolden(t *testing.T) {
	t.Parallel()
	decidertest.Golden(t, catalog.EventTypes())
}
