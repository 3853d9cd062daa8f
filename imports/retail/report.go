package retail

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/waybill-dev/waybill/client"
)

// Report accounts for every invoice and every line: the invoices are orders,
// returns, credit notes, rejected or refused, and nothing else; the lines are
// imported or rejected.
type Report struct {
	Invoices      int                  `json:"invoices"`
	Orders        int                  `json:"orders"`
	CreditNotes   int                  `json:"credit_notes"`  // cancelled invoices of which something is no return
	Returned      int                  `json:"returned"`      // cancelled invoices that are returns alone
	AlreadyThere  int                  `json:"already_there"` // of the orders and credit notes
	Rejected      map[string]int       `json:"rejected"`      // invoices by reason
	Refused       map[string]int       `json:"refused"`       // invoices the installation refused, by problem
	Lines         int                  `json:"lines"`
	LinesImported int                  `json:"lines_imported"`
	LinesRejected map[string]int       `json:"lines_rejected"` // by reason
	Products      int                  `json:"products"`
	Units         int64                `json:"units"`        // sold
	Total         int64                `json:"total"`        // of the orders, in pence
	CreditTotal   int64                `json:"credit_total"` // of the credit notes, in pence
	Returns       Returns              `json:"returns"`
	Refunded      int64                `json:"refunded"`  // by the platform, in pence
	Unmatched     map[string]Unmatched `json:"unmatched"` // why something is on a credit note
	Months        []Month              `json:"months"`
	First         time.Time            `json:"first"`
	Last          time.Time            `json:"last"`
}

// Returns are what was booked back to orders.
type Returns struct {
	Booked  int            `json:"booked"` // one for each cancelled invoice and order
	Units   int64          `json:"units"`
	Total   int64          `json:"total"`   // in pence
	Refused map[string]int `json:"refused"` // by problem
}

// Month is what was sold and given back in a country and month, in pence.
type Month struct {
	Country string `json:"country"` // ISO 3166; may be empty
	Month   string `json:"month"`   // 2010-12
	Sales   int64  `json:"sales"`
	Refunds int64  `json:"refunds"` // returns and credit notes
}

// Whole reports whether every invoice and line is accounted for.
func (r Report) Whole() bool {
	return r.Invoices == r.Orders+r.CreditNotes+r.Returned+sum(r.Rejected)+sum(r.Refused) &&
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
		Returns: Returns{Refused: map[string]int{}}, Unmatched: map[string]Unmatched{},
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
	var sales, credit int64
	switch plan.Kind {
	case KindOrder:
		r.Orders++
		for _, line := range plan.Order.Lines {
			r.Units += int64(line.Quantity)
			sales += int64(line.Quantity) * line.UnitPrice.Amount
		}
	case KindCreditNote:
		r.CreditNotes++
		for _, line := range plan.CreditNote.Lines {
			credit += int64(line.Quantity) * line.UnitPrice.Amount
		}
	case KindReturn:
		r.Returned++
	case KindRejected: // is not counted here
	}
	r.Total += sales
	r.CreditTotal += credit
	r.book(plan.Country, plan.Time, sales, credit)
	for reason, u := range plan.Unmatched {
		all := r.Unmatched[reason]
		r.Unmatched[reason] = Unmatched{all.Lines + u.Lines, all.Units + u.Units, all.Total + u.Total}
	}
	if r.First.IsZero() || plan.Time.Before(r.First) {
		r.First = plan.Time
	}
	if plan.Time.After(r.Last) {
		r.Last = plan.Time
	}
}

// addReturn accounts for a return and reports whether it was booked. One of an
// order that is not there is refused as the order was.
func (r *Report) addReturn(back Return, there bool, refusal *client.Problem) bool {
	switch {
	case !there:
		r.Returns.Refused["the order was refused"]++
		return false
	case refusal != nil:
		r.Returns.Refused[refusal.Title]++
		return false
	}
	r.Returns.Booked++
	r.Returns.Units += back.Units
	r.Returns.Total += back.Pence
	r.book(back.Country, back.Time, 0, back.Pence)
	return true
}

// book keeps the sums by country and month, in order.
func (r *Report) book(country string, t time.Time, sales, refunds int64) {
	of := Month{Country: country, Month: t.Format("2006-01")}
	at, there := slices.BinarySearchFunc(r.Months, of, func(a, b Month) int {
		return cmp.Or(cmp.Compare(a.Country, b.Country), cmp.Compare(a.Month, b.Month))
	})
	if !there {
		r.Months = slices.Insert(r.Months, at, of)
	}
	r.Months[at].Sales += sales
	r.Months[at].Refunds += refunds
}

// Print writes the report for a person.
func (r Report) Print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	row := func(name string, value any) { fmt.Fprintf(t, "%s\t%v\n", name, value) }
	row("invoices", r.Invoices)
	row("  orders placed", r.Orders)
	row("  cancelled, whole returns", r.Returned)
	row("  cancelled, with a credit note", r.CreditNotes)
	row("    of these already there", r.AlreadyThere)
	reasons(row, "  rejected: ", r.Rejected)
	reasons(row, "  refused by the platform: ", r.Refused)
	row("lines", r.Lines)
	row("  imported", r.LinesImported)
	reasons(row, "  rejected: ", r.LinesRejected)
	row("products", r.Products)
	row("units sold", r.Units)
	row("sales", pounds(r.Total))
	row("returns booked", fmt.Sprintf("%d, %d units, %s", r.Returns.Booked, r.Returns.Units, pounds(r.Returns.Total)))
	reasons(row, "  refused by the platform: ", r.Returns.Refused)
	row("  refunded so far", pounds(r.Refunded))
	row("credit notes", pounds(r.CreditTotal))
	for _, reason := range slices.Sorted(maps.Keys(r.Unmatched)) {
		u := r.Unmatched[reason]
		row("  no return, for "+reason, fmt.Sprintf("%d lines, %d units, %s", u.Lines, u.Units, pounds(u.Total)))
	}
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
