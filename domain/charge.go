package domain

// AmountMistakes returns what is wrong with an amount that a request says at a
// JSON pointer, where an order has one currency and nothing is less than free.
func AmountMistakes(at string, amount Money, currency string) []Mistake {
	switch {
	case amount.Currency != currency:
		return []Mistake{{Pointer: at + "/currency", Code: ErrCurrencyMismatch.Code, Detail: "an order has one currency"}}
	case amount.Amount < 0:
		return []Mistake{{Pointer: at + "/amount", Code: "negative-amount", Detail: "the amount is not negative"}}
	}
	return nil
}
