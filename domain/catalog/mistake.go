package catalog

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/waybill-dev/waybill/domain"
)

//nolint:gochecknoglobals // a constant in all but name
var tooMany = domain.Mistake{
	Pointer: "/prices", Code: "too-many-prices", Detail: fmt.Sprintf("a product has at most %d prices", MaxPrices),
}

// check returns everything that is wrong with a registration.
func check(c Register) []domain.Mistake {
	var m []domain.Mistake
	if !domain.ValidSKU(c.SKU) {
		m = append(m, domain.Mistake{Pointer: "/sku", Code: "invalid-sku", Detail: `a SKU has 1 to 64 letters, digits and signs of "-_.+:"`})
	}
	m = append(m, checkTitle(c.Title)...)
	if len(c.Prices) == 0 {
		m = append(m, domain.Mistake{Pointer: "/prices", Code: "no-prices", Detail: "a product needs at least one price"})
	}
	if len(c.Prices) > MaxPrices {
		return append(m, tooMany)
	}
	for i, p := range c.Prices {
		pointer := fmt.Sprintf("/prices/%d", i)
		m = append(m, checkPrice(pointer, p)...)
		if first := find(c.Prices, p.Currency, p.Region); first < i {
			m = append(m, domain.Mistake{
				Pointer: pointer, Code: "duplicate-price",
				Detail: fmt.Sprintf("price %d is for the same currency and region", first),
			})
		}
	}
	return m
}

func checkTitle(title string) []domain.Mistake {
	if title != "" && len(title) <= MaxTitle && !strings.ContainsFunc(title, unicode.IsControl) {
		return nil
	}
	return []domain.Mistake{{Pointer: "/title", Code: "invalid-title", Detail: fmt.Sprintf("a title has 1 to %d bytes and no control characters", MaxTitle)}}
}

func checkPrice(pointer string, p Price) []domain.Mistake {
	var m []domain.Mistake
	if p.Amount < 0 {
		m = append(m, domain.Mistake{Pointer: pointer + "/amount", Code: "negative-amount", Detail: "a price is not negative"})
	}
	if !p.Valid() {
		m = append(m, domain.Mistake{Pointer: pointer + "/currency", Code: "unknown-currency", Detail: "a currency is a code of ISO 4217"})
	}
	if len(p.Region) > domain.MaxSKU {
		m = append(m, domain.Mistake{Pointer: pointer + "/region", Code: "invalid-region", Detail: "a region has at most 64 bytes"})
	}
	return m
}
