package receipt

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"codeberg.org/go-pdf/fpdf"
	"github.com/go-fonts/dejavu/dejavusans"
	"github.com/go-fonts/dejavu/dejavusansbold"
	"golang.org/x/image/font/sfnt"
)

// fonts knows what can be written.
type fonts struct {
	once          sync.Once
	err           error
	regular, bold []byte

	mu     sync.Mutex
	glyphs *sfnt.Font
	buffer sfnt.Buffer
	known  map[rune]bool
}

func (f *fonts) load(cfg Config) error {
	f.once.Do(func() {
		f.regular, f.bold, f.known = dejavusans.TTF, dejavusansbold.TTF, map[rune]bool{}
		if cfg.Font != nil {
			f.regular, f.bold = cfg.Font, cfg.Font
		}
		if cfg.BoldFont != nil {
			f.bold = cfg.BoldFont
		}
		if f.glyphs, f.err = sfnt.Parse(f.regular); f.err != nil {
			f.err = fmt.Errorf("the font of documents is no TrueType file: %w", f.err)
		}
	})
	return f.err
}

// use makes the fonts known to a document. It gets copies, because it works in
// them.
func (f *fonts) use(pdf *fpdf.Fpdf) {
	pdf.AddUTF8FontFromBytes(family, "", slices.Clone(f.regular))
	pdf.AddUTF8FontFromBytes(family, "B", slices.Clone(f.bold))
}

// writable replaces what the font cannot write, and white space of all kinds by
// spaces. The library writes the first 65,536 characters only.
func (f *fonts) writable(text string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case r < ' ' || r == 0x7f:
			return -1
		case !f.has(r):
			return '?'
		}
		return r
	}, text)
}

func (f *fonts) has(r rune) bool {
	has, known := f.known[r]
	if !known {
		const last = 0xffff
		index, err := f.glyphs.GlyphIndex(&f.buffer, r)
		has = err == nil && index != 0 && r < last
		f.known[r] = has
	}
	return has
}
