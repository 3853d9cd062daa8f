package domain

import "strings"

// MaxSKU is how many bytes a SKU or a location may have.
const MaxSKU = 64

// ValidSKU reports whether a SKU can name a product: 1 to 64 letters, digits
// and signs of "-_.+:", and not "." or "..", which are no names in a URL.
func ValidSKU(sku string) bool { return named(sku, "-_.+:") && sku != "." && sku != ".." }

// ValidLocation reports whether a name can stand for a place where stock is
// kept: as a SKU, but without ".", "+" and ":", because the name of a stock
// stream is the location, a "." and the SKU.
func ValidLocation(location string) bool { return named(location, "-_") }

// ValidCountry reports whether a code has the form of ISO 3166 alpha-2.
func ValidCountry(code string) bool {
	return len(code) == 2 && upper(code[0]) && upper(code[1])
}

func named(name, signs string) bool {
	if name == "" || len(name) > MaxSKU {
		return false
	}
	for i := range len(name) {
		c := name[i]
		if !upper(c) && (c < 'a' || c > 'z') && (c < '0' || c > '9') && strings.IndexByte(signs, c) < 0 {
			return false
		}
	}
	return true
}

func upper(c byte) bool { return c >= 'A' && c <= 'Z' }
