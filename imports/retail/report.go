package retail

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"
)

// Report accounts for every invoice and every line: the invoices are orders,
// credit notes, rejected or refused, and nothing else; the lines are imported
// or rejected.
type Report struct {
	Invoices      int            `json:"invoices"`
	Orders        int            `json:"orders"`
	CreditNotes   int            `json:"credit_notes"`
	AlreadyThere  int            `json:"already_there"` // of the orders and credit notes
	Rejected      map[string]int `json:"rejected"`      // invoices by reason
	Refused       map[string]int `json:"refused"`       // invoices the installation refused, by problem
	Lines         int            `json:"lines"`
	LinesImported int            `json:"lines_imported"`
	LinesRejected map[string]int `json:"lines_rejected"` // by reason
	Products      int            `json:"products"`
	Units         int64          `json:"units"`        // sold
	Total         int64          `json:"total"`        // of the orders, in pence
	CreditTotal   int64          `json:"credit_total"` // of the credit notes, in pence
	First         time.Time      `json:"first"`
	Last          time.Time      `json:"last"`
}

// Whole reports whether every invoice and line is accounted for.
func (r Report) Whole() bool {
	return r.Invoices == r.Orders+r.CreditNotes+sum(r.Rejected)+sum(r.Refused) &&
		r.Lines == r.LinesImported+sum(r.LinesRejected)
}

func sum(counts map[string]int) int {
	total := 0
	for _, n := range counts {
		total += n
	}
	return total
}

func newReport(invoices []Invoice) *Report {
	r := &Report{
		Invoices: len(invoices),
		Rejected: map[string]int{}, Refused: map[string]int{}, LinesRejected: map[string]int{},
	}
	for _, invoice := range invoices {
		r.Lines += len(invoice.Lines)
	}
	return r
}

func (r *Report) add(plan Plan, result outcome) {
	for _, rejection := range plan.Rejections {
		r.LinesRejected[rejection.Reason]++
	}
	switch {
	case plan.Kind == KindRejected:
		r.Rejected[plan.Reason]++
		if rest := plan.Of - len(plan.Rejections); rest > 0 {
			r.LinesRejected[plan.Reason] += rest
		}
		return
	case result.refusal != nil:
		r.Refused[result.refusal.Title]++
		r.LinesRejected["invoice was refused"] += plan.Lines
		return
	}
	r.LinesImported += plan.Lines
	if result.replayed {
		r.AlreadyThere++
	}
	r.count(plan)
}

func (r *Report) count(plan Plan) {
	at := plan.CreditNote.External.Time
	if plan.Kind == KindOrder {
		r.Orders++
		at = plan.Order.External.Time
		for _, line := range plan.Order.Lines {
			r.Units += int64(line.Quantity)
			r.Total += int64(line.Quantity) * line.UnitPrice.Amount
		}
	} else {
		r.CreditNotes++
		for _, line := range plan.CreditNote.Lines {
			r.CreditTotal += int64(line.Quantity) * line.UnitPrice.Amount
		}
	}
	if r.First.IsZero() || at.Before(r.First) {
		r.First = at
	}
	if at.After(r.Last) {
		r.Last = at
	}
}

// Print writes the report for a person.
func (r Report) Print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	row := func(name string, value any) { fmt.Fprintf(t, "%s\t%v\n", name, value) }
	row("invoices", r.Invoices)
	row("  orders placed", r.Orders)
	row("  credit notes recorded (cancelled invoices)", r.CreditNotes)
	row("    of these already there", r.AlreadyThere)
	reasons(row, "  rejected: ", r.Rejected)
	reasons(row, "  refused by the platform: ", r.Refused)
	row("lines", r.Lines)
	row("  imported", r.LinesImported)
	reasons(row, "  rejected: ", r.LinesRejected)
	row("products", r.Products)
	row("units sold", r.Units)
	row("sales", pounds(r.Total))
	row("cancelled", pounds(r.CreditTotal))
	if !r.First.IsZero() {
		row("from, to", r.First.Format(time.DateTime)+", "+r.Last.Format(time.DateTime))
	}
	return t.Flush()
}

func reasons(row func(string, any), prefix string, counts map[string]int) {
	for _, reason := range slices.Sorted(maps.Keys(counts)) {
		row(prefix+reason, counts[reason])
	}
}

func pounds(pence int64) string { return fmt.Sprintf("GBP %d.%02d", pence/100, pence%100) }
