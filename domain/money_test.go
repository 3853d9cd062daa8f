package domain_test

import (
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/waybill-dev/waybill/domain"
)

func eur(amount int64) domain.Money { return domain.Money{Amount: amount, Currency: "EUR"} }

func TestMoneyCalculates(t *testing.T) {
	t.Parallel()
	most, least := int64(math.MaxInt64), int64(math.MinInt64)
	for name, c := range map[string]struct {
		of      func() (domain.Money, error)
		want    int64
		refused error
	}{
		"a sum":                               {of: func() (domain.Money, error) { return eur(1250).Add(eur(50)) }, want: 1300},
		"a sum with nothing":                  {of: func() (domain.Money, error) { return eur(most).Add(eur(0)) }, want: most},
		"a sum beyond the largest amount":     {of: func() (domain.Money, error) { return eur(most).Add(eur(1)) }, refused: domain.ErrAmountOverflow},
		"a sum below the smallest amount":     {of: func() (domain.Money, error) { return eur(least).Add(eur(-1)) }, refused: domain.ErrAmountOverflow},
		"a sum of two currencies":             {of: func() (domain.Money, error) { return eur(1).Add(domain.Money{Amount: 1, Currency: "GBP"}) }, refused: domain.ErrCurrencyMismatch},
		"a difference":                        {of: func() (domain.Money, error) { return eur(100).Sub(eur(250)) }, want: -150},
		"a difference below the smallest":     {of: func() (domain.Money, error) { return eur(least).Sub(eur(1)) }, refused: domain.ErrAmountOverflow},
		"a difference beyond the largest":     {of: func() (domain.Money, error) { return eur(0).Sub(eur(least)) }, refused: domain.ErrAmountOverflow},
		"a difference of two currencies":      {of: func() (domain.Money, error) { return eur(1).Sub(domain.Money{Amount: 1}) }, refused: domain.ErrCurrencyMismatch},
		"a product":                           {of: func() (domain.Money, error) { return eur(-1250).Mul(3) }, want: -3750},
		"a product with nothing":              {of: func() (domain.Money, error) { return eur(most).Mul(0) }, want: 0},
		"the smallest amount as a product":    {of: func() (domain.Money, error) { return eur(least / 2).Mul(2) }, want: least},
		"a product beyond the largest amount": {of: func() (domain.Money, error) { return eur(least / 2).Mul(-2) }, refused: domain.ErrAmountOverflow},
		"a product of very large numbers":     {of: func() (domain.Money, error) { return eur(most).Mul(most) }, refused: domain.ErrAmountOverflow},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := c.of()
			if !errors.Is(err, c.refused) {
				t.Fatalf("refused with %v, want %v", err, c.refused)
			}
			if c.refused == nil && got != eur(c.want) {
				t.Errorf("got %v, want %v", got, eur(c.want))
			}
		})
	}
}

// Money agrees with arithmetic that cannot overflow, or refuses.
func TestMoneyAgreesWithBigNumbers(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	number := func() int64 { return int64(random.Uint64()) >> random.IntN(64) }
	for range 20_000 {
		a, b := number(), number()
		for _, op := range []struct {
			name string
			got  func(domain.Money, int64) (domain.Money, error)
			want *big.Int
		}{
			{"+", func(m domain.Money, n int64) (domain.Money, error) { return m.Add(eur(n)) }, new(big.Int).Add(big.NewInt(a), big.NewInt(b))},
			{"-", func(m domain.Money, n int64) (domain.Money, error) { return m.Sub(eur(n)) }, new(big.Int).Sub(big.NewInt(a), big.NewInt(b))},
			{"*", domain.Money.Mul, new(big.Int).Mul(big.NewInt(a), big.NewInt(b))},
		} {
			got, err := op.got(eur(a), b)
			if op.want.IsInt64() != (err == nil) || err == nil && got.Amount != op.want.Int64() {
				t.Fatalf("%d %s %d = %v, %v; want %v", a, op.name, b, got, err, op.want)
			}
		}
	}
}

func TestMoneyIsWrittenForPeople(t *testing.T) {
	t.Parallel()
	for want, m := range map[string]domain.Money{
		"12.50 EUR":                    eur(1250),
		"0.05 EUR":                     eur(5),
		"-0.05 EUR":                    eur(-5),
		"1250 JPY":                     {Amount: 1250, Currency: "JPY"},
		"1.250 KWD":                    {Amount: 1250, Currency: "KWD"},
		"-92233720368547758.08 EUR":    eur(math.MinInt64),
		"7":                            {Amount: 7},
		"-9223372036854775808 unknown": {Amount: math.MinInt64, Currency: "unknown"},
	} {
		if got := m.String(); got != want {
			t.Errorf("%#v is written %q, want %q", m, got, want)
		}
	}
}

func TestCurrenciesAreThoseOfISO4217(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]int{"EUR": 2, "GBP": 2, "JPY": 0, "KWD": 3, "CLF": 4, "ZWG": 2} {
		if got, known := domain.Exponent(code); !known || got != want {
			t.Errorf("%s has %d digits (known: %v), want %d", code, got, known, want)
		}
	}
	for _, code := range []string{"", "EU", "UR ", "eur", "EURO", "XXX", "R G", "OMR "} {
		if (domain.Money{Currency: code}).Valid() {
			t.Errorf("%q passes for a currency", code)
		}
	}
}

func TestAmountsAreMovedInSteps(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]int64{"EUR": 1, "JPY": 1, "KWD": 10, "TND": 10, "MGA": 100, "": 1} {
		if got := domain.Step(code); got != want {
			t.Errorf("%s moves by %d, want %d", code, got, want)
		}
	}
}

func FuzzMoneyDecodes(f *testing.F) {
	for _, seed := range []string{
		`{"amount":1250,"currency":"EUR"}`, `{"amount":-9223372036854775808,"currency":"JPY"}`,
		`{"amount":1.5}`, `{"amount":1e3}`, `{"amount":"1"}`, `null`, `{"amount":9223372036854775808}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var m, again domain.Money
		if json.Unmarshal(data, &m) != nil {
			return
		}
		encoded, err := json.Marshal(m)
		if err != nil {
			t.Fatalf("encode %#v: %v", m, err)
		}
		if err := json.Unmarshal(encoded, &again); err != nil || again != m {
			t.Fatalf("%#v came back as %#v, %v", m, again, err)
		}
		if m.String() == "" {
			t.Fatal("written as nothing")
		}
	})
}

func TestNames(t *testing.T) {
	t.Parallel()
	for _, sku := range []string{"MUG-1", "85123A", "BANK_CHARGES", "gift_0001.20", "a:b+c"} {
		if !domain.ValidSKU(sku) {
			t.Errorf("%q is refused", sku)
		}
	}
	for _, sku := range []string{"", "a b", "a/b", "ä", "a\n", string(make([]byte, 65))} {
		if domain.ValidSKU(sku) {
			t.Errorf("%q passes for a SKU", sku)
		}
	}
	if !domain.ValidLocation("main") || domain.ValidLocation("a.b") || domain.ValidLocation("a b") {
		t.Error("a location has letters, digits, - and _")
	}
	if !domain.ValidCountry("DE") || domain.ValidCountry("de") || domain.ValidCountry("DEU") {
		t.Error("a country has two capital letters")
	}
}
