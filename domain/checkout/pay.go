package checkout

import (
	"strings"

	"github.com/waybill-dev/waybill/domain"
)

// maxURL bounds the address the shopper comes back to.
const maxURL = 2_000

// PayMistakes returns what is wrong with how a payment is to be made, which a
// request says at a JSON pointer. A card's number is never a method: it must not
// even be stored with a refused cart.
func PayMistakes(at, method, returnURL string) []domain.Mistake {
	var m []domain.Mistake
	if CardNumber(method) {
		m = append(m, mistake(at+"/method", "card-number", "this looks like the number of a card: send the gateway's reference for it"))
	}
	if returnURL != "" && !validReturn(returnURL) {
		m = append(m, mistake(at+"/return_url", "invalid-url", "the address to come back to begins with https:// or http:// and names a host"))
	}
	return m
}

// validReturn is strict about what leads elsewhere: who is logged in where, or
// an address that a browser reads otherwise.
func validReturn(url string) bool {
	rest, ok := strings.CutPrefix(url, "https://")
	if !ok {
		rest, ok = strings.CutPrefix(url, "http://")
	}
	if host := strings.IndexAny(rest, "/?#"); ok && host >= 0 {
		ok = validHost(rest[:host])
	} else {
		ok = ok && validHost(rest)
	}
	wrong := func(r rune) bool { return r <= ' ' || r > '~' || r == '\\' || r == '"' || r == '<' || r == '>' }
	return ok && len(url) <= maxURL && strings.IndexFunc(url, wrong) < 0
}

func validHost(host string) bool { return host != "" && !strings.ContainsRune(host, '@') }

// CardNumber reports whether a text holds what looks like the number of a
// card: 13 to 19 digits, perhaps in groups, with a right check digit (ISO/IEC
// 7812).
func CardNumber(text string) bool {
	var digits []int
	for i := 0; i <= len(text); i++ {
		switch {
		case i < len(text) && text[i] >= '0' && text[i] <= '9':
			digits = append(digits, int(text[i]-'0'))
			continue
		case i < len(text) && (text[i] == ' ' || text[i] == '-') && len(digits) > 0:
			continue
		case len(digits) >= 13 && len(digits) <= 19 && luhn(digits):
			return true
		}
		digits = digits[:0]
	}
	return false
}

func luhn(digits []int) bool {
	sum := 0
	for i, d := range digits {
		if (len(digits)-i)%2 == 0 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}
