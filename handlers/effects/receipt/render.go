package receipt

import (
	"bytes"
	"fmt"
	"strconv"

	"codeberg.org/go-pdf/fpdf"

	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/handlers/effects/shop"
	"github.com/waybill-dev/waybill/vault"
)

// Measures of a page, in millimetres.
const (
	family = "document"
	left   = 20.0
	right  = 190.0
	top    = 18.0
	bottom = 272.0
	qrSize = 30.0
	row    = 5.0
)

// page draws one document.
type page struct {
	*fpdf.Fpdf

	fonts *fonts
	cfg   shop.Config
	t     texts
	l     shop.Language
	at    moment
	buyer shop.Buyer
}

// render draws a document. Nothing of it depends on when or where it is drawn.
func (s *Service) render(asked Asked, at moment, buyer shop.Buyer) ([]byte, error) {
	if err := s.fonts.load(s.Config); err != nil {
		return nil, err
	}
	p := &page{
		Fpdf: fpdf.New("P", "mm", "A4", ""), fonts: &s.fonts, cfg: s.Config.Shop, t: textsIn(buyer.Language), l: buyer.Language, at: at, buyer: buyer,
	}
	p.SetCatalogSort(true)
	p.SetCreationDate(at.time.UTC())
	p.SetModificationDate(at.time.UTC())
	p.SetProducer("Waybill", true)
	p.SetMargins(left, top, 210-right)
	p.SetAutoPageBreak(false, 0)
	s.fonts.use(p.Fpdf)
	title := p.t.receipt
	if asked.Kind == PackingSlip {
		title = p.t.slip
	}
	p.SetTitle(title+" "+at.state.Number, true)
	p.SetLang(string(p.l))
	p.SetFooterFunc(p.footer)
	p.AddPage()
	if err := p.head(title, asked); err != nil {
		return nil, err
	}
	if asked.Kind == PackingSlip {
		p.slip(asked.ShipmentID)
	} else {
		p.receipt()
	}
	var out bytes.Buffer
	if err := p.Output(&out); err != nil {
		return nil, fmt.Errorf("draw the %s of order %s: %w", asked.Kind, at.state.OrderID, err)
	}
	return out.Bytes(), nil
}

func (p *page) font(style string, size float64) { p.SetFont(family, style, size) }

// text writes one line. What stands at the right is a number: it gets smaller
// where it is too wide, for none of its digits can be left out.
func (p *page) text(x, y, width float64, align, text string) {
	size, _ := p.GetFontSize()
	const margins, smallest = 2.0, 3.0
	for at := size; align == "R" && at > smallest && p.GetStringWidth(p.fonts.writable(text)) > width-margins; at -= 0.5 {
		p.SetFontSize(at)
	}
	p.SetXY(x, y)
	p.CellFormat(width, row, p.fit(text, width), "", 0, align, false, 0, "")
	p.SetFontSize(size)
}

// fit shortens a line that is too long.
func (p *page) fit(text string, width float64) string {
	text = p.fonts.writable(text)
	if p.GetStringWidth(text) <= width {
		return text
	}
	runes := []rune(text)
	for len(runes) > 0 && p.GetStringWidth(string(runes)+"…") > width {
		runes = runes[:len(runes)-1]
	}
	return string(runes) + "…"
}

// head is the seller, the title, the QR code and the addresses.
func (p *page) head(title string, asked Asked) error {
	o := p.at.state
	if err := drawQR(p.Fpdf, p.cfg.Link(o), right-qrSize, top, qrSize); err != nil {
		return err
	}
	p.LinkString(right-qrSize, top, qrSize, qrSize, p.cfg.Link(o))
	y := top
	p.font("B", 14)
	p.text(left, y, 120, "L", p.cfg.Name)
	y += 7
	p.font("", 8.5)
	seller := p.cfg.Address
	if p.cfg.TaxID != "" {
		seller = append(append([]string{}, seller...), p.t.taxID+" "+p.cfg.TaxID)
	}
	for _, line := range seller {
		p.text(left, y, 120, "L", line)
		y += 4.2
	}
	y = p.addresses(max(y+6, top+qrSize+8), asked.Kind == PackingSlip)
	p.font("B", 16)
	p.text(left, y, right-left, "L", title)
	return p.facts(y+9, asked)
}

// addresses stand beside each other.
func (p *page) addresses(y float64, slip bool) float64 {
	erased := []string(nil)
	if p.buyer.Erased {
		erased = []string{p.t.erased}
	}
	billTo, shipTo := shop.Lines(p.buyer.BillTo, p.buyer.Name), shop.Lines(p.buyer.ShipTo, p.buyer.Name)
	if billTo == nil && p.buyer.Name != "" {
		billTo = []string{p.buyer.Name}
	}
	if country := p.at.state.ShipToCountry; shipTo == nil && erased == nil && country != "" {
		shipTo = shop.Lines(&vault.Address{Country: country}, p.buyer.Name)
	}
	blocks := []struct {
		title string
		lines []string
	}{{p.t.billTo, append(billTo, erased...)}, {p.t.shipTo, append(shipTo, erased...)}}
	if slip {
		blocks = blocks[1:]
	}
	low := y
	for i, block := range blocks {
		if len(block.lines) == 0 {
			continue
		}
		x, at := left+float64(i)*85, y
		p.font("B", 8.5)
		p.text(x, at, 80, "L", block.title)
		p.font("", 10)
		for _, line := range block.lines {
			// Nothing of an address is cut: a parcel goes there.
			for _, part := range p.SplitText(p.fonts.writable(line), 80) {
				at += row
				p.text(x, at, 80, "L", part)
			}
		}
		low = max(low, at+row)
	}
	return low + 6
}

// facts are what the document is about.
func (p *page) facts(y float64, asked Asked) error {
	o := p.at.state
	facts := [][2]string{{p.t.order, o.Number}, {p.t.placed, p.l.Date(o.PlacedAt)}, {p.t.date, p.l.Date(p.at.time)}}
	if parcel, ok := shipment(o, asked.ShipmentID); ok {
		facts = append(facts[:2],
			[2]string{p.t.shipment, parcel.ShipmentID}, [2]string{p.t.shipped, p.l.Date(parcel.ShippedAt)}, [2]string{p.t.carrier, parcel.Carrier}, [2]string{p.t.tracking, parcel.Tracking})
	}
	for _, fact := range facts {
		if fact[1] == "" {
			continue
		}
		p.font("", 9)
		p.text(left, y, 40, "L", fact[0])
		p.font("B", 9)
		p.text(left+40, y, right-left-40, "L", fact[1])
		y += 4.8
	}
	p.SetY(y + 4)
	return nil
}

func shipment(o order.State, id string) (order.OrderShipped, bool) {
	for _, parcel := range o.Shipments {
		if id != "" && parcel.Shipped.ShipmentID == id {
			return parcel.Shipped, true
		}
	}
	return order.OrderShipped{}, false
}

func (p *page) footer() {
	p.font("", 8)
	text := p.cfg.Name
	if p.cfg.Email != "" {
		text += " · " + p.t.questions + " " + p.cfg.Email
	}
	if p.cfg.URL != "" {
		text += " · " + p.cfg.URL
	}
	p.text(left, 282, 140, "L", text)
	p.text(right-40, 282, 40, "R", p.t.order+" "+p.at.state.Number+" · "+p.t.page+" "+strconv.Itoa(p.PageNo()))
}
