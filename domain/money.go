package domain

import (
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
)

// Money is an amount in minor units (cents, pence, yen) of one currency. The
// zero value has no currency and adds up with nothing.
type Money struct {
	Amount int64 `json:"amount"`
	// Currency is a code of ISO 4217: three capital letters.
	Currency string `json:"currency"`
}

// Rules of calculating with money.
var (
	ErrCurrencyMismatch = Rule("currency-mismatch", "amounts of different currencies cannot be put together")
	ErrAmountOverflow   = Rule("amount-overflow", "the amount is too large")
)

// Add returns the sum. It refuses different currencies and an overflow.
func (m Money) Add(n Money) (Money, error) {
	if m.Currency != n.Currency {
		return Money{}, mismatch(m, n)
	}
	sum := m.Amount + n.Amount
	if (sum > m.Amount) != (n.Amount > 0) {
		return Money{}, ErrAmountOverflow
	}
	return Money{sum, m.Currency}, nil
}

// Sub returns the difference. It refuses different currencies and an overflow.
func (m Money) Sub(n Money) (Money, error) {
	if m.Currency != n.Currency {
		return Money{}, mismatch(m, n)
	}
	difference := m.Amount - n.Amount
	if (difference < m.Amount) != (n.Amount > 0) {
		return Money{}, ErrAmountOverflow
	}
	return Money{difference, m.Currency}, nil
}

// Mul returns the amount times n. It refuses an overflow.
func (m Money) Mul(n int64) (Money, error) {
	high, low := bits.Mul64(magnitude(m.Amount), magnitude(n))
	negative := (m.Amount < 0) != (n < 0)
	switch {
	case high != 0, low > math.MaxInt64+1, low == math.MaxInt64+1 && !negative:
		return Money{}, ErrAmountOverflow
	case negative:
		return Money{-int64(low), m.Currency}, nil
	}
	return Money{int64(low), m.Currency}, nil
}

// Valid reports whether the currency is one of ISO 4217.
func (m Money) Valid() bool {
	_, known := Exponent(m.Currency)
	return known
}

// String writes the amount in major units, for people: "12.50 EUR".
func (m Money) String() string {
	exponent, _ := Exponent(m.Currency)
	digits := strconv.FormatUint(magnitude(m.Amount), 10)
	if missing := exponent + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	if point := len(digits) - exponent; exponent > 0 {
		digits = digits[:point] + "." + digits[point:]
	}
	if m.Amount < 0 {
		digits = "-" + digits
	}
	return strings.TrimSpace(digits + " " + m.Currency)
}

func mismatch(m, n Money) error {
	return ErrCurrencyMismatch.With("currencies", fmt.Sprintf("%s, %s", m.Currency, n.Currency))
}

func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}
