package projections

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/waybill-dev/waybill/database"
)

// What a word is, is decided here and not by a database, so that both find the
// same: letters and digits in a row, without capitals and accents. What has
// other signs within, such as MUG-1, is the words of its parts, and also one
// word without the signs.

const (
	longestWord = 60 // letters; what is longer is cut
	mostWords   = 10 // of a search
)

// wordsOf adds the words of a text.
func wordsOf(words []string, text string) []string {
	for chunk := range strings.FieldsSeq(text) {
		parts := partsOf(chunk)
		words = append(words, parts...)
		if len(parts) > 1 {
			words = append(words, cutWord(strings.Join(parts, "")))
		}
	}
	return words
}

// partsOf are the words of what has no spaces.
func partsOf(chunk string) []string {
	parts := strings.FieldsFunc(folded(chunk), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	for i := range parts {
		parts[i] = cutWord(parts[i])
	}
	return parts
}

// folded takes away capitals and accents. What is no UTF-8 separates words.
func folded(text string) string {
	ascii := true
	for i := range len(text) {
		ascii = ascii && text[i] < utf8.RuneSelf
	}
	if ascii { // nearly always
		return strings.ToLower(text)
	}
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFKD.String(strings.ToValidUTF8(text, " ")))
}

func cutWord(word string) string {
	if len(word) <= longestWord {
		return word
	}
	if runes := []rune(word); len(runes) > longestWord {
		return string(runes[:longestWord])
	}
	return word
}

// Reasons why something cannot be searched for.
var (
	ErrNothingToSearch = errors.New("there is no word to look for; a word with - before it only leaves orders out")
	ErrTooManyWords    = fmt.Errorf("more than %d words are too many", mostWords)
	ErrPersonal        = errors.New("nobody is found by an e-mail address: addresses and names are kept apart from orders; list the orders of a customer by customer_id")
)

// ParseSearch reads what somebody looks for: words that an order has, all of
// them, and with - before it one that it has not. Nothing in it is syntax of a
// database.
func ParseSearch(text string) (database.Match, error) {
	var m database.Match
	if strings.Contains(text, "@") {
		return m, ErrPersonal
	}
	for chunk := range strings.FieldsSeq(text) {
		word := cutWord(strings.Join(partsOf(chunk), ""))
		switch {
		case word == "":
		case strings.HasPrefix(chunk, "-"):
			m.None = append(m.None, word)
		case !slices.Contains(m.All, word):
			m.All = append(m.All, word)
		}
	}
	switch {
	case len(m.All) == 0:
		return m, ErrNothingToSearch
	case len(m.All)+len(m.None) > mostWords:
		return m, ErrTooManyWords
	}
	return m, nil
}
