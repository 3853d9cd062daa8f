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
	express := checkout.Shipping{Method: "express", Price: eur(500), Tax: eur(95)}
	tax, most := eur(200), eur(math.MaxInt64)
	with := func(say func(*checkout.Request)) checkout.Request {
		r := cart(checkout.RequestLine{SKU: "MUG-1", Quantity: 2}, mug)
		say(&r)
		return r
	}
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
		"discounts, shipping and taxes are added up": {cart: with(func(r *checkout.Request) {
			r.Channel, r.Shipping, r.Discounts = "web", express, []checkout.Discount{{Code: "SUMMER", Amount: eur(100)}, {Code: "vip:2", Amount: eur(25)}}
			r.Lines[1].Tax = &tax
		}), total: 3*1250 - 125 + 500 + 95 + 200},
		"what lines say of their discounts is explained": {cart: with(func(r *checkout.Request) {
			r.Lines[0].Discount, r.Discounts = &tax, []checkout.Discount{{Code: "SUMMER", Amount: tax}}
		}), total: 3*1250 - 200},
		"discounts may take off everything": {cart: with(func(r *checkout.Request) { r.Discounts = []checkout.Discount{{Code: "GIFT", Amount: eur(3750)}} }), total: 0},
		"discounts take off no more": {
			cart: with(func(r *checkout.Request) { r.Discounts = []checkout.Discount{{Code: "GIFT", Amount: eur(3751)}} }),
			rule: checkout.ErrCart, mistakes: []string{"/discounts discount-too-large"},
		},
		"a line's discount takes off no more than it costs": {
			cart: with(func(r *checkout.Request) { r.Lines[1].Discount = &most }),
			rule: checkout.ErrCart, mistakes: []string{"/lines/1/discount discount-too-large"},
		},
		"discounts of lines and of the order are the same": {cart: with(func(r *checkout.Request) {
			r.Lines[0].Discount, r.Discounts = &tax, []checkout.Discount{{Code: "SUMMER", Amount: eur(199)}}
		}), rule: checkout.ErrCart, mistakes: []string{"/discounts discount-mismatch"}},
		"taxes do not cost more than there is": {
			cart: with(func(r *checkout.Request) { r.Lines[0].Tax, r.Lines[1].Tax = &most, &most }),
			rule: checkout.ErrCart, mistakes: []string{"/lines amount-overflow"},
		},
		"discounts are not more than there is": {cart: with(func(r *checkout.Request) {
			r.Discounts = []checkout.Discount{{Code: "A", Amount: most}, {Code: "B", Amount: most}}
		}), rule: checkout.ErrCart, mistakes: []string{"/discounts amount-overflow"}},
		"there are not too many discounts": {
			cart: with(func(r *checkout.Request) { r.Discounts = make([]checkout.Discount, checkout.MaxDiscounts+1) }),
			rule: checkout.ErrCart, mistakes: []string{"/discounts too-many-discounts"},
		},
		"shipping is paid for, too": {
			cart: checkout.Request{Currency: "EUR", External: external, Shipping: express, Lines: []checkout.RequestLine{at(eur(0))}},
			rule: checkout.ErrCart, mistakes: []string{"/payment/method no-method"},
		},
		"all mistakes of charges at once": {cart: with(func(r *checkout.Request) {
			r.Channel, r.Shipping = "The web shop", checkout.Shipping{Price: eur(-1), Tax: domain.Money{Amount: 1, Currency: "GBP"}}
			r.Discounts = []checkout.Discount{{Code: "a@example.com", Amount: eur(-5)}}
			r.Lines[0].Tax, r.Lines[1].Discount = &domain.Money{Amount: -1, Currency: "EUR"}, &domain.Money{Amount: 1}
		}), rule: checkout.ErrCart, mistakes: []string{
			"/channel invalid-channel", "/shipping/method invalid-method", "/shipping/price/amount negative-amount", "/shipping/tax/currency currency-mismatch",
			"/discounts/0/code invalid-code", "/discounts/0/amount/amount negative-amount", "/lines/0/tax/amount negative-amount", "/lines/1/discount/currency currency-mismatch",
		}},
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
// to its quantities. What discounts take off is shared by what lines cost.
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
		var sum, discount, more int64
		for i, line := range cart.Lines {
			sum += int64(line.Quantity) * offers[line.SKU].Price.Amount
			if random.IntN(3) == 0 {
				tax := eur(random.Int64N(1_000))
				cart.Lines[i].Tax, more = &tax, more+tax.Amount
			}
		}
		for n := range random.IntN(3) {
			take := eur(random.Int64N(sum/3 + 1))
			cart.Discounts, discount = append(cart.Discounts, checkout.Discount{Code: fmt.Sprint("D", n), Amount: take}), discount+take.Amount
		}
		if random.IntN(2) == 0 {
			cart.Shipping = checkout.Shipping{Method: "post", Price: eur(random.Int64N(1_000)), Tax: eur(random.Int64N(100))}
			more += cart.Shipping.Price.Amount + cart.Shipping.Tax.Amount
		}
		lines, totals, err := checkout.Price(cart, offers)
		if err != nil {
			t.Fatal(err)
		}
		var costs, off int64
		units := map[string]int{}
		for i, line := range lines {
			price := int64(line.Quantity) * line.UnitPrice.Amount
			costs, off = costs+line.Total.Amount, off+line.Discount.Amount
			if line.Discount.Amount > price || sum > 0 && absolute(float64(line.Discount.Amount)-float64(discount)*float64(price)/float64(sum)) > 1.01 {
				t.Fatalf("a line of %d has %v of a discount of %d of %d", price, line.Discount, discount, sum)
			}
			units[line.SKU] += line.Quantity
			lines[i].ReservationID = line.SKU
		}
		if totals.Grand != eur(sum-discount+more) || totals.Subtotal != eur(sum) || off != discount || totals.Discount != eur(discount) ||
			totals.Grand.Amount != costs+totals.Shipping.Amount+cart.Shipping.Tax.Amount {
			t.Fatalf("totals are %+v of %d less %d and %d more, lines cost %d with %d off", totals, sum, discount, more, costs, off)
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

func absolute(x float64) float64 { return max(x, -x) }
