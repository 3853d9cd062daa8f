package retail

import (
	"fmt"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/client"
)

// Reasons why a line or a whole invoice is not imported. They are what the
// report counts by.
const (
	ReasonQuantity   = "quantity is not positive"
	ReasonNoPrice    = "price is zero"
	ReasonNegative   = "price is negative"
	ReasonFraction   = "price is finer than a penny"
	ReasonAdjustment = "invoice is a bookkeeping adjustment"
	ReasonEmpty      = "invoice has no line that can be sold"
	ReasonHuge       = "quantity is over ten million"
	ReasonSign       = "cancelled line has no negative quantity"
)

// Kind is what becomes of an invoice.
type Kind string

// What becomes of an invoice.
const (
	KindOrder      Kind = "order"
	KindReturn     Kind = "return" // of a cancelled invoice all of which goes back to orders
	KindCreditNote Kind = "credit note"
	KindRejected   Kind = "rejected"
)

// Rejection is a line that is left out, and why.
type Rejection struct {
	Row    int
	Reason string
}

// Plan is what an invoice becomes, before anything is sent.
type Plan struct {
	Invoice    string
	Kind       Kind
	Reason     string // of a rejected invoice
	Rejections []Rejection
	Of         int // lines the invoice has in the file
	Lines      int // of them are imported
	Order      client.PlaceOrder
	CreditNote client.CreditNote // of a cancelled invoice: what no order takes back
	Returns    []Return          // of a cancelled invoice: what orders take back
	Unmatched  map[string]Unmatched
	Time       time.Time
	Country    string // as the platform writes it; may be empty
}

const (
	source      = "online-retail"
	currency    = "GBP"
	maxQuantity = 9999 // of one order line
)

// PlanOf decides what an invoice becomes. It is pure.
func PlanOf(invoice Invoice) Plan {
	plan := Plan{Invoice: invoice.Number, Kind: KindOrder, Of: len(invoice.Lines)}
	if invoice.Cancelled() {
		plan.Kind = KindCreditNote
	}
	if strings.HasPrefix(invoice.Number, "A") {
		return plan.rejected(ReasonAdjustment)
	}
	for _, line := range invoice.Lines {
		if reason := fault(line, plan.Kind); reason != "" {
			plan.Rejections = append(plan.Rejections, Rejection{Row: line.Row, Reason: reason})
			continue
		}
		plan.Lines++
		plan.add(line)
	}
	if plan.Lines == 0 {
		return plan.rejected(ReasonEmpty)
	}
	plan.address(invoice)
	return plan
}

func (p Plan) rejected(reason string) Plan {
	p.Kind, p.Reason = KindRejected, reason
	return p
}

func fault(line Line, kind Kind) string {
	switch {
	case kind == KindOrder && line.Quantity <= 0:
		return ReasonQuantity
	case kind == KindCreditNote && line.Quantity >= 0:
		return ReasonSign
	case line.Quantity > 10_000_000 || line.Quantity < -10_000_000:
		return ReasonHuge
	case line.Price.Fraction:
		return ReasonFraction
	case line.Price.Pence < 0:
		return ReasonNegative
	case line.Price.Pence == 0:
		return ReasonNoPrice
	}
	return ""
}

// add splits what is more than one line may hold: the data set has a line of
// 80,995 pieces.
func (p *Plan) add(line Line) {
	price := client.Money{Amount: line.Price.Pence, Currency: currency}
	if p.Kind == KindCreditNote {
		p.CreditNote.Lines = append(p.CreditNote.Lines, client.CreditNoteLine{
			SKU: SKU(line.StockCode), Title: title(line), Quantity: -line.Quantity, UnitPrice: price,
		})
		return
	}
	for left := line.Quantity; left > 0; left -= maxQuantity {
		p.Order.Lines = append(p.Order.Lines, client.OrderLine{
			SKU: SKU(line.StockCode), Quantity: min(left, maxQuantity), UnitPrice: &price,
		})
	}
}

// address fills in what an invoice has once: its date, customer and country
// are those of its first line.
func (p *Plan) address(invoice Invoice) {
	first := invoice.Lines[0]
	p.Time, p.Country = first.Time, countries[first.Country]
	external := client.External{Source: source, Ref: invoice.Number, Time: first.Time}
	var customer *client.Customer
	if first.Customer != "" {
		customer = &client.Customer{ID: fmt.Sprintf("%s:%s", source, first.Customer)}
	}
	var country *client.Address
	if p.Country != "" {
		country = &client.Address{Country: p.Country}
	}
	if p.Kind == KindCreditNote {
		p.CreditNote.Currency, p.CreditNote.External, p.CreditNote.Customer, p.CreditNote.ShipTo = currency, external, customer, country
		return
	}
	p.Order.Currency, p.Order.External, p.Order.Customer, p.Order.ShipTo = currency, &external, customer, country
	p.Order.Payment = client.Payment{Method: "sandbox:approved"}
}

// SKU turns a stock code into a SKU: "BANK CHARGES" has a space, which a SKU
// may not have.
func SKU(stockCode string) string { return strings.ReplaceAll(stockCode, " ", "_") }

func title(line Line) string {
	if line.Description == "" {
		return line.StockCode
	}
	return line.Description
}
