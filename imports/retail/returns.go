package retail

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/waybill-dev/waybill/client"
)

// Reasons why units of a cancelled invoice are not returned to an order: they
// stay on a credit note.
const (
	ReasonGuest      = "no customer"
	ReasonNotBought  = "customer bought none of it before"
	ReasonOtherPrice = "customer bought it at another price only"
	ReasonTooMany    = "more units than the customer has left"
)

// Return is what one cancelled invoice takes back of one order.
type Return struct {
	Invoice string    // the cancelled one
	Of      string    // the order's
	Time    time.Time // of the cancelled one, as Country
	Country string
	Lines   []client.ReturnedUnits
	Units   int64
	Pence   int64
}

// Unmatched is how much of the cancelled invoices stays on credit notes.
type Unmatched struct {
	Lines int   `json:"lines"`
	Units int64 `json:"units"`
	Total int64 `json:"total"` // in pence
}

// sold is what one order line still has to give back.
type sold struct {
	time    time.Time
	invoice string
	line    string // id within the order
	price   int64
	left    int
}

// goods are what can be matched: the same thing, of the same customer, in the
// same country, so that totals per country stay right.
type goods struct{ customer, country, sku string }

// matchReturns finds the orders that cancelled invoices refer to, which the
// file does not say: the customer's newest earlier purchases of the same thing
// at the same price, as long as they have units left. What is found leaves the
// credit note. It is pure, and goes by the invoices' dates, whatever their
// order.
func matchReturns(invoices []Invoice, plans []Plan) {
	stock := map[goods][]sold{}
	var cancelled []int
	for n, plan := range plans {
		switch plan.Kind {
		case KindCreditNote:
			cancelled = append(cancelled, n)
		case KindOrder:
			sell(stock, invoices[n], plan)
		default: // brings nothing
		}
	}
	for _, sales := range stock {
		slices.SortStableFunc(sales, func(a, b sold) int { return a.time.Compare(b.time) })
	}
	slices.SortStableFunc(cancelled, func(a, b int) int { return at(invoices[a]).Compare(at(invoices[b])) })
	for _, n := range cancelled {
		plans[n].takeBack(stock, invoices[n])
	}
}

func at(invoice Invoice) time.Time { return invoice.Lines[0].Time }

func of(invoice Invoice, sku string) goods {
	return goods{invoice.Lines[0].Customer, invoice.Lines[0].Country, sku}
}

func sell(stock map[goods][]sold, invoice Invoice, plan Plan) {
	for i, line := range plan.Order.Lines {
		thing := of(invoice, line.SKU)
		stock[thing] = append(stock[thing], sold{
			time: at(invoice), invoice: invoice.Number, line: strconv.Itoa(i + 1), price: line.UnitPrice.Amount, left: line.Quantity,
		})
	}
}

// takeBack splits the lines of a credit note into returns and a rest.
func (p *Plan) takeBack(stock map[goods][]sold, invoice Invoice) {
	returns := map[string]*Return{}
	var rest []client.CreditNoteLine
	p.Unmatched = map[string]Unmatched{}
	for _, line := range p.CreditNote.Lines {
		left, reason := line.Quantity, ReasonGuest
		if thing := of(invoice, line.SKU); thing.customer != "" {
			left, reason = take(stock[thing], at(invoice), line, func(s sold, units int) {
				if returns[s.invoice] == nil {
					returns[s.invoice] = &Return{Invoice: invoice.Number, Of: s.invoice, Time: p.Time, Country: p.Country}
				}
				returns[s.invoice].add(s, units)
			})
		}
		if left > 0 {
			u := p.Unmatched[reason]
			p.Unmatched[reason] = Unmatched{u.Lines + 1, u.Units + int64(left), u.Total + int64(left)*line.UnitPrice.Amount}
			line.Quantity = left
			rest = append(rest, line)
		}
	}
	for _, r := range returns {
		p.Returns = append(p.Returns, *r)
	}
	slices.SortFunc(p.Returns, func(a, b Return) int { return cmp.Compare(a.Of, b.Of) })
	if p.CreditNote.Lines = rest; len(rest) == 0 {
		p.Kind = KindReturn
	}
}

// take takes units of the newest earlier sales and returns how many are left
// over, and why.
func take(sales []sold, before time.Time, line client.CreditNoteLine, taken func(sold, int)) (left int, reason string) {
	left, reason = line.Quantity, ReasonNotBought
	for i := len(sales) - 1; i >= 0 && left > 0; i-- {
		s := &sales[i]
		switch {
		case s.time.After(before):
			continue
		case s.price != line.UnitPrice.Amount:
			if reason == ReasonNotBought {
				reason = ReasonOtherPrice
			}
			continue
		}
		reason = ReasonTooMany
		if units := min(left, s.left); units > 0 {
			s.left -= units
			left -= units
			taken(*s, units)
		}
	}
	return left, reason
}

// add is of one line at most once: another line of the cancelled invoice may
// take more of it.
func (r *Return) add(s sold, units int) {
	r.Units += int64(units)
	r.Pence += int64(units) * s.price
	for i := range r.Lines {
		if r.Lines[i].LineID == s.line {
			r.Lines[i].Quantity += units
			return
		}
	}
	r.Lines = append(r.Lines, client.ReturnedUnits{LineID: s.line, Quantity: units, Reason: "cancelled"})
}
