package shop

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/domain"
)

// Language is one the shop speaks: a code of ISO 639.
type Language string

// The languages there are texts in.
const (
	English Language = "en"
	German  Language = "de"
)

// Languages lists them.
func Languages() []Language { return []Language{English, German} }

// Spoken returns the language of a BCP 47 tag such as "de-AT", if the shop
// speaks it.
func Spoken(tag string) (Language, bool) {
	code, _, _ := strings.Cut(strings.ToLower(strings.ReplaceAll(tag, "_", "-")), "-")
	return Language(code), slices.Contains(Languages(), Language(code))
}

func (c Config) language(wanted Language, country string) Language {
	if known, ok := Spoken(string(wanted)); ok {
		return known
	}
	if c.Languages == nil {
		c.Languages = map[string]Language{"AT": German, "CH": German, "DE": German, "LI": German}
	}
	if known, ok := Spoken(string(c.Languages[country])); ok {
		return known
	}
	if known, ok := Spoken(string(c.Language)); ok {
		return known
	}
	return English
}

// Money writes an amount as the language does: "1,234.50 EUR", "1.234,50 EUR".
// The code of the currency is never wrong, which a sign such as $ can be.
func (l Language) Money(m domain.Money) string {
	return l.Amount(m) + "\u00a0" + m.Currency
}

// Amount is Money without the currency.
func (l Language) Amount(m domain.Money) string {
	thousands, point := ",", "."
	if l == German {
		thousands, point = ".", ","
	}
	number, _, _ := strings.Cut(m.String(), " ")
	sign := ""
	if strings.HasPrefix(number, "-") {
		sign, number = "-", number[1:]
	}
	whole, part, broken := strings.Cut(number, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + thousands + whole[i:]
	}
	if broken {
		whole += point + part
	}
	return sign + whole
}

// Date writes a day: "14 March 2026", "14. März 2026".
func (l Language) Date(t time.Time) string {
	t = t.UTC()
	if l != German {
		return t.Format("2 January 2006")
	}
	months := [...]string{"Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November", "Dezember"}
	return strconv.Itoa(t.Day()) + ". " + months[t.Month()-1] + " " + strconv.Itoa(t.Year())
}
