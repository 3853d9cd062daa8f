package stripe

import (
	"errors"
	"math"
	"strings"

	"github.com/waybill-dev/waybill/domain"
)

// errAmount says that Stripe cannot express an amount.
var errAmount = errors.New("the gateway cannot express this amount")

// codeAmount is its code in answers.
const codeAmount = "amount-not-representable"

// Stripe counts most currencies in the minor units of ISO 4217, as we do.
// These it counts otherwise: see docs.stripe.com/currencies.
var (
	// larger are counted in hundred times our unit.
	larger = map[string]bool{"MGA": true}
	// smaller are counted in a hundredth of our unit.
	smaller = map[string]bool{"ISK": true, "UGX": true}
	// rounded have three digits, of which the last is 0.
	rounded = map[string]bool{"BHD": true, "JOD": true, "KWD": true, "OMR": true, "TND": true}
)

// outgoing returns an amount as Stripe counts.
func outgoing(m domain.Money) (amount int64, currency string, err error) {
	amount = m.Amount
	switch {
	case larger[m.Currency] && amount%100 != 0, rounded[m.Currency] && amount%10 != 0:
		return 0, "", errAmount
	case smaller[m.Currency] && (amount > math.MaxInt64/100 || amount < math.MinInt64/100):
		return 0, "", errAmount
	case larger[m.Currency]:
		amount /= 100
	case smaller[m.Currency]:
		amount *= 100
	}
	return amount, strings.ToLower(m.Currency), nil
}

// incoming returns an amount as we count.
func incoming(amount int64, currency string) domain.Money {
	m := domain.Money{Amount: amount, Currency: strings.ToUpper(currency)}
	switch {
	case larger[m.Currency]:
		m.Amount *= 100
	case smaller[m.Currency]:
		m.Amount /= 100
	}
	return m
}
