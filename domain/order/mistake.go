package order

import (
	"fmt"
	"unicode"
	"unicode/utf8"

	"github.com/waybill-dev/waybill/domain"
)

// mistakes collects everything that is wrong with a command.
type mistakes []domain.Mistake

func (m *mistakes) unless(right bool, pointer, detail string) {
	if !right {
		*m = append(*m, domain.Mistake{Pointer: pointer, Code: "invalid", Detail: detail})
	}
}

// name wants an id, a code or a reference. It has no spaces and no "@", which
// keeps out what people wrote and where they are reached: that belongs into the
// vault.
func (m *mistakes) name(name, pointer string) {
	right := name != "" && len(name) <= 200
	for i := range len(name) {
		right = right && name[i] > ' ' && name[i] < 0x7f && name[i] != '@'
	}
	m.unless(right, pointer, `1 to 200 printable ASCII characters without spaces and "@"`)
}

// word wants a reason that people give.
func (m *mistakes) word(word, pointer string) {
	m.unless(domain.ValidWord(word), pointer, domain.WordMistake)
}

func (m *mistakes) optionalName(name, pointer string) {
	if name != "" {
		m.name(name, pointer)
	}
}

// carrier wants the name of a company, or none.
func (m *mistakes) carrier(name, pointer string) {
	right, digits := len(name) <= domain.MaxWord && utf8.ValidString(name), 0
	for _, c := range name {
		right = right && unicode.IsPrint(c) && c != '@'
		if unicode.IsDigit(c) {
			digits++
		}
	}
	m.unless(right && digits <= 4, pointer, `at most 64 bytes of printable characters without "@", with at most 4 digits`)
}

// units wants each line once, with units.
func (m *mistakes) units(s State, lines []Units) {
	m.unless(len(lines) > 0 && len(lines) <= MaxLines, "/lines", fmt.Sprintf("1 to %d lines", MaxLines))
	seen := map[string]bool{}
	for i, u := range lines {
		_, known := s.Line(u.LineID)
		m.unless(known, fmt.Sprintf("/lines/%d/line_id", i), "the order has no such line")
		m.unless(!seen[u.LineID], fmt.Sprintf("/lines/%d/line_id", i), "the line is there twice")
		m.unless(u.Quantity >= 1 && u.Quantity <= MaxQuantity, fmt.Sprintf("/lines/%d/quantity", i), fmt.Sprintf("1 to %d", MaxQuantity))
		seen[u.LineID] = true
	}
}

func (m mistakes) err() error {
	if len(m) == 0 {
		return nil
	}
	return ErrInvalid.Because(m...)
}
