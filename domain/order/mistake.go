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

// name wants an id, a code or a reference. It has no spaces, which keeps out
// what people wrote: that belongs into the vault.
func (m *mistakes) name(name, pointer string) {
	right := name != "" && len(name) <= 200
	for i := range len(name) {
		right = right && name[i] > ' ' && name[i] < 0x7f
	}
	m.unless(right, pointer, "1 to 200 printable ASCII characters without spaces")
}

func (m *mistakes) optionalName(name, pointer string) {
	if name != "" {
		m.name(name, pointer)
	}
}

// text wants a few words, or none.
func (m *mistakes) text(text, pointer string) {
	right := len(text) <= 200 && utf8.ValidString(text)
	for _, c := range text {
		right = right && unicode.IsPrint(c)
	}
	m.unless(right, pointer, "at most 200 bytes of printable characters")
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
