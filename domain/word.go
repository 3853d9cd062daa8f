package domain

// Words and labels stand in events for ever, and everybody may read them. What
// is written about people, which belongs into the vault, does not pass for one
// by accident: an e-mail address, a name as it is written, a telephone number, a
// street, a sentence.

// MaxWord is how long words and labels may be.
const MaxWord = 64

// What is wrong with something that is no word or label.
const (
	WordMistake  = `a word, such as "too_small": a small letter, then up to 63 small letters, digits, "-" and "_", with at most 4 digits; what people write belongs into a note`
	LabelMistake = `a label, such as "gift" or "season:2026-w12": 1 to 64 letters, digits and signs of "-_.:", with at most 8 digits; what people write belongs into a note`
)

// ValidWord reports whether a text says in a word why something was done.
func ValidWord(word string) bool {
	if word == "" || word[0] < 'a' || word[0] > 'z' {
		return false
	}
	for i := range len(word) {
		if upper(word[i]) {
			return false
		}
	}
	return label(word, "-_", 4)
}

// ValidLabel reports whether a text can mark an order.
func ValidLabel(text string) bool { return label(text, "-_.:", 8) && text != "." && text != ".." }

func label(text, signs string, most int) bool {
	digits := 0
	for i := range len(text) {
		if text[i] >= '0' && text[i] <= '9' {
			digits++
		}
	}
	return len(text) <= MaxWord && digits <= most && named(text, signs)
}
