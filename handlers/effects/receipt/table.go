package receipt

import (
	"strconv"
	"strings"

	"github.com/waybill-dev/waybill/domain/order"
)

// column is one of a table. The first one wraps, the others are cut.
type column struct {
	title string
	width float64
	align string
}

// table draws rows, with the head again on each page.
func (p *page) table(columns []column, rows [][]string) {
	p.tableHead(columns)
	for _, cells := range rows {
		p.font("", 9)
		lines := p.SplitText(p.fonts.writable(cells[0]), columns[0].width)
		height := float64(max(len(lines), 1))*4.4 + 1.6
		if p.GetY()+height > bottom {
			p.AddPage()
			p.SetY(top)
			p.tableHead(columns)
			p.font("", 9)
		}
		x, y := left, p.GetY()+0.8
		for i, line := range lines {
			p.text(x, y+float64(i)*4.4-0.3, columns[0].width, columns[0].align, line)
		}
		for i, c := range columns[1:] {
			x += columns[i].width
			p.text(x, y-0.3, c.width, c.align, cells[i+1])
		}
		p.rule(y + height - 0.8)
		p.SetY(y + height - 0.8)
	}
	p.SetY(p.GetY() + 3)
}

func (p *page) tableHead(columns []column) {
	p.font("B", 8.5)
	x, y := left, p.GetY()
	for _, c := range columns {
		p.text(x, y, c.width, c.align, c.title)
		x += c.width
	}
	p.rule(y + row + 0.6)
	p.SetY(y + row + 0.6)
}

func (p *page) rule(y float64) {
	p.SetDrawColor(190, 190, 190)
	p.SetLineWidth(0.2)
	p.Line(left, y, right, y)
}

// receipt is the lines of an order and what they come to.
func (p *page) receipt() {
	o := p.at.state
	var rows [][]string
	for _, l := range o.Lines {
		if l.Quantity == 0 {
			continue
		}
		rows = append(rows, []string{
			l.Title, l.SKU, strconv.Itoa(l.Quantity), p.l.Amount(l.UnitPrice), p.l.Amount(l.Discount), p.l.Amount(l.Tax), p.l.Amount(l.Total),
		})
	}
	columns := []column{
		{p.t.item, 48, "L"}, {p.t.sku, 23, "L"}, {p.t.quantity, 15, "R"}, {p.t.price, 23, "R"}, {p.t.discount, 18, "R"}, {p.t.tax, 18, "R"}, {p.t.total + " " + o.Currency, 25, "R"},
	}
	p.table(columns, rows)
	p.sums(o)
}

// sums ends with what was paid back.
func (p *page) sums(o order.State) {
	p.sum("", p.t.subtotal, o.Totals.Subtotal.Amount)
	if o.Totals.Discount.Amount != 0 {
		p.sum("", p.discounts(o), -o.Totals.Discount.Amount)
	}
	if o.Totals.Shipping.Amount != 0 || o.Shipping.Method != "" {
		p.sum("", p.t.shipping, o.Totals.Shipping.Amount)
	}
	for _, r := range rates(o.Lines, o.Shipping) {
		p.sum("", p.t.tax+" "+r.name(p.l)+" ("+p.t.net+" "+p.l.Money(money(r.net, o.Currency))+")", r.tax)
	}
	p.sum("B", p.t.grand, o.Totals.Grand.Amount)
	paid := o.Totals.Grand.Amount
	if voided := min(o.Cancelled.Voided.Amount, paid); voided != 0 {
		p.sum("", p.t.cancelled, -voided)
		paid -= voided
	}
	for _, r := range o.Refunds {
		if r.Status == order.RefundDone {
			p.sum("", p.t.refunded, -r.Requested.Amount.Amount)
			paid -= r.Requested.Amount.Amount
		}
	}
	if paid != o.Totals.Grand.Amount {
		p.sum("B", p.t.paid, paid)
	}
}

// discounts names the codes that took something off.
func (p *page) discounts(o order.State) string {
	if len(o.Discounts) == 0 {
		return p.t.discount
	}
	codes := make([]string, len(o.Discounts))
	for i, d := range o.Discounts {
		codes[i] = d.Code
	}
	return p.t.discount + " (" + strings.Join(codes, ", ") + ")"
}

func (p *page) sum(style, name string, amount int64) {
	if p.GetY()+row+1 > bottom {
		p.AddPage()
		p.SetY(top)
	}
	y := p.GetY()
	if style != "" {
		p.rule(y + 0.4)
		y++
	}
	p.font(style, 9.5)
	p.text(left+60, y, 78, "R", name)
	p.text(right-32, y, 32, "R", p.l.Money(money(amount, p.at.state.Currency)))
	p.SetY(y + row + 0.6)
}

// slip is what is in a parcel, or what is ordered.
func (p *page) slip(shipmentID string) {
	o := p.at.state
	parcel, one := shipment(o, shipmentID)
	in := map[string]int{}
	for _, units := range parcel.Lines {
		in[units.LineID] += units.Quantity
	}
	var rows [][]string
	for _, l := range o.Lines {
		ordered := l.Quantity - o.Progress(l.LineID).Cancelled
		packed := ordered
		if one {
			packed = in[l.LineID]
		}
		if packed > 0 {
			rows = append(rows, []string{l.Title, l.SKU, strconv.Itoa(ordered), strconv.Itoa(packed)})
		}
	}
	p.table([]column{{p.t.item, 88, "L"}, {p.t.sku, 40, "L"}, {p.t.ordered, 21, "R"}, {p.t.packed, 21, "R"}}, rows)
}
