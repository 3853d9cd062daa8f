package checkout_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/checkout"
)

func TestPricing(t *testing.T) {
	t.Parallel()
	offers := map[string]checkout.Offer{
		"MUG-1": {Title: "Mug", Price: eur(1250)}, "POUND": {Title: "In pounds only"}, "GOLD": {Title: "Gold", Price: eur(math.MaxInt64)},
		"OLD": {Title: "Old mug", Price: eur(900), Withdrawn: true}, "LONG": {Title: strings.Repeat("x", 500), Price: eur(1)},
	}
	external := checkout.External{Source: "retail", Ref: "536365", Time: noon}
	cart := func(lines ...checkout.RequestLine) checkout.Request {
		return checkout.Request{Currency: "EUR", Method: "m", Lines: lines}
	}
	at := func(price domain.Money) checkout.RequestLine {
		return checkout.RequestLine{SKU: "MUG-1", Quantity: 1, UnitPrice: &price}
	}
	mug := checkout.RequestLine{SKU: "MUG-1", Quantity: 1}
	gold := checkout.RequestLine{SKU: "GOLD", Quantity: 1}
	from := func(r checkout.Request) checkout.Request { r.External = external; return r }
	many := func(n int, sku string) checkout.Request {
		r := cart()
		for range n {
			r.Lines = append(r.Lines, checkout.RequestLine{SKU: sku, Quantity: 1})
		}
		return r
	}
	for name, c := range map[string]struct {
		cart     checkout.Request
		rule     *domain.RuleError
		mistakes []string
		total    int64
	}{
		"a cart is priced":                                 {cart: cart(checkout.RequestLine{SKU: "MUG-1", Quantity: 2}, mug), total: 3750},
		"as many lines as there may be":                    {cart: many(checkout.MaxLines, "MUG-1"), total: 1250 * checkout.MaxLines},
		"a price the shopper saw holds":                    {cart: cart(at(eur(1250))), total: 1250},
		"a price agreed elsewhere holds":                   {cart: from(cart(at(eur(99)))), total: 99},
		"a product without a price has one from elsewhere": {cart: from(cart(checkout.RequestLine{SKU: "POUND", Quantity: 1, UnitPrice: &domain.Money{Amount: 5, Currency: "EUR"}})), total: 5},
		"a price the shopper saw has changed":              {cart: cart(at(eur(1200)), at(eur(1250))), rule: checkout.ErrPriceChanged, mistakes: []string{"/lines/0/unit_price price-changed"}},
		"what is not sold any more cannot be ordered":      {cart: cart(mug, checkout.RequestLine{SKU: "OLD", Quantity: 1}), rule: checkout.ErrCart, mistakes: []string{"/lines/1/sku sku-not-active"}},
		"what was sold elsewhere was sold":                 {cart: from(cart(checkout.RequestLine{SKU: "OLD", Quantity: 1})), total: 900},
		"an order has one currency":                        {cart: cart(at(domain.Money{Amount: 1, Currency: "GBP"})), rule: domain.ErrCurrencyMismatch, mistakes: []string{"/lines/0/unit_price/currency currency-mismatch"}},
		"all mistakes at once": {
			cart: checkout.Request{
				Currency: "EURO", ShipToCountry: "Germany", External: checkout.External{Ref: "r"},
				Lines: []checkout.RequestLine{{SKU: "NO", Quantity: 1}, {SKU: "MUG-1"}, {SKU: "MUG-1", Quantity: 10_000}},
			},
			rule: checkout.ErrCart,
			mistakes: []string{
				"/currency unknown-currency", "/payment/method no-method", "/ship_to/country invalid-country", "/external invalid-external",
				"/lines/0/sku unknown-sku", "/lines/1/quantity invalid-quantity", "/lines/2/quantity invalid-quantity",
			},
		},
		"what costs nothing needs no method":      {cart: checkout.Request{Currency: "EUR", External: external, Lines: []checkout.RequestLine{at(eur(0))}}, total: 0},
		"what costs something needs a method":     {cart: checkout.Request{Currency: "EUR", External: external, Lines: []checkout.RequestLine{at(eur(0)), at(eur(1))}}, rule: checkout.ErrCart, mistakes: []string{"/payment/method no-method"}},
		"a card's number is no method":            {cart: checkout.Request{Currency: "EUR", Method: "4242424242424242", ReturnURL: "x", Lines: []checkout.RequestLine{mug}}, rule: checkout.ErrCart, mistakes: []string{"/payment/method card-number", "/payment/return_url invalid-url"}},
		"a cart has lines":                        {cart: cart(), rule: checkout.ErrCart, mistakes: []string{"/lines no-lines"}},
		"a cart has not too many lines":           {cart: many(checkout.MaxLines+1, "MUG-1"), rule: checkout.ErrCart, mistakes: []string{"/lines too-many-lines"}},
		"a cart fits into an event":               {cart: many(1100, "LONG"), rule: checkout.ErrCart, mistakes: []string{"/lines cart-too-large"}},
		"a product has a price in the currency":   {cart: cart(checkout.RequestLine{SKU: "POUND", Quantity: 1}), rule: checkout.ErrCart, mistakes: []string{"/lines/0/sku no-price"}},
		"a price is not negative":                 {cart: from(cart(at(eur(-1)))), rule: checkout.ErrCart, mistakes: []string{"/lines/0/unit_price/amount negative-amount"}},
		"a line does not cost more than there is": {cart: cart(checkout.RequestLine{SKU: "GOLD", Quantity: 2}), rule: checkout.ErrCart, mistakes: []string{"/lines/0 amount-overflow"}},
		"a cart does not cost more than there is": {cart: cart(gold, gold), rule: checkout.ErrCart, mistakes: []string{"/lines amount-overflow"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lines, totals, err := checkout.Price(c.cart, offers)
			if c.rule == nil {
				if err != nil || totals.Grand != eur(c.total) || len(lines) != len(c.cart.Lines) {
					t.Fatalf("got %d lines for %v, %v; want %d for %v", len(lines), totals.Grand, err, len(c.cart.Lines), eur(c.total))
				}
				return
			}
			var rule *domain.RuleError
			if !errors.As(err, &rule) || rule.Code != c.rule.Code {
				t.Fatalf("refused with %v, want %v", err, c.rule)
			}
			var got []string
			for _, m := range rule.Mistakes {
				got = append(got, m.Pointer+" "+m.Code)
			}
			if diff := cmp.Diff(c.mistakes, got); diff != "" {
				t.Errorf("mistakes (-want +got):\n%s", diff)
			}
		})
	}
}

// However a cart looks, its lines add up to its totals, and the reservations
// to its quantities.
func TestTotalsAddUp(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	for range 500 {
		offers := map[string]checkout.Offer{}
		cart := checkout.Request{Currency: "EUR", Method: "m"}
		for range 1 + random.IntN(20) {
			sku := fmt.Sprint("S", random.IntN(8))
			offers[sku] = checkout.Offer{Title: sku, Price: eur(random.Int64N(1_000_000))}
			cart.Lines = append(cart.Lines, checkout.RequestLine{SKU: sku, Quantity: 1 + random.IntN(checkout.MaxQuantity)})
		}
		lines, totals, err := checkout.Price(cart, offers)
		if err != nil {
			t.Fatal(err)
		}
		var sum int64
		units := map[string]int{}
		for i, line := range lines {
			sum += int64(cart.Lines[i].Quantity) * offers[line.SKU].Price.Amount
			units[line.SKU] += line.Quantity
			lines[i].ReservationID = line.SKU
		}
		if totals.Grand != eur(sum) || totals.Subtotal != totals.Grand {
			t.Fatalf("totals are %+v, want %d", totals, sum)
		}
		previous := ""
		for _, r := range (checkout.State{Lines: lines}).Reservations() {
			if r.Quantity != units[r.SKU] || r.SKU <= previous {
				t.Fatalf("reservation %+v of %v after %q", r, units, previous)
			}
			previous = r.SKU
		}
	}
}
