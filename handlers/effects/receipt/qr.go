package receipt

import (
	"fmt"
	"image"

	"codeberg.org/go-pdf/fpdf"
	"github.com/boombuler/barcode/qr"
)

// drawQR draws a QR code as squares: sharp in print, and without the name of an
// image, which would differ each time.
func drawQR(pdf *fpdf.Fpdf, text string, x, y, size float64) error {
	code, err := qr.Encode(text, qr.M, qr.Unicode)
	if err != nil {
		return fmt.Errorf("make a QR code: %w", err)
	}
	modules := code.Bounds().Dx()
	side := size / float64(modules)
	pdf.SetFillColor(0, 0, 0)
	for row := range modules {
		for column := 0; column < modules; {
			run := 0
			for column+run < modules && dark(code, column+run, row) {
				run++
			}
			if run > 0 {
				pdf.Rect(x+float64(column)*side, y+float64(row)*side, float64(run)*side, side, "F")
			}
			column += run + 1
		}
	}
	return nil
}

func dark(code image.Image, x, y int) bool {
	r, _, _, _ := code.At(x, y).RGBA()
	return r == 0
}
