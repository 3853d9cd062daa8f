package app_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/client"
	"github.com/waybill-dev/waybill/imports/retail"
)

// Invoices of a file go through the whole platform: what was sold is placed,
// shipped and captured, what was cancelled comes back to the orders it was of.
func TestCancelledInvoicesAreRefundedByThePlatform(t *testing.T) {
	t.Parallel()
	p := startFuzzed(t)
	invoices := soldAndCancelled(t, 40)
	importer := retail.Importer{API: p.api, Location: "main", Workers: 8, Patience: time.Minute, Returns: true}
	report, err := importer.Run(t.Context(), invoices)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(retail.Expected(invoices, true), report); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	if report.Returns.Booked == 0 || report.CreditNotes == 0 || report.Returned == 0 {
		t.Errorf("nothing came back: %+v", report)
	}
	var sold, refunded int64
	p.eventually(t, "listed", func() bool {
		sold, refunded = p.sums(t)
		return sold == report.Total
	})
	if refunded != report.Returns.Total {
		t.Errorf("the platform gave %d pence back, the file %d", refunded, report.Returns.Total)
	}
	units := map[string]int64{}
	for _, plan := range retail.Plans(invoices, true) {
		for _, back := range plan.Returns {
			for _, line := range back.Lines {
				units["CODE"+line.LineID] += int64(line.Quantity)
			}
		}
	}
	for sku, n := range units {
		p.stock(t, client.StockLevel{SKU: sku, Location: "main", OnHand: n, Available: n})
	}
	again, err := importer.Run(t.Context(), invoices)
	if err != nil || again.AlreadyThere != report.Orders+report.CreditNotes {
		t.Errorf("a second run: %v, %d of %d were there", err, again.AlreadyThere, report.Orders+report.CreditNotes)
	}
	if _, twice := p.sums(t); twice != refunded {
		t.Errorf("a second run gave back %d pence more", twice-refunded)
	}
}

// soldAndCancelled makes invoices up, line n of which is of CODEn. Every fourth
// is a cancellation, of which some fit no order whole.
func soldAndCancelled(t *testing.T, count int) []retail.Invoice {
	t.Helper()
	var text strings.Builder
	text.WriteString("InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n")
	for n := range count {
		prefix, quantity := "", 3
		if n%4 == 3 {
			prefix, quantity = "C", -2-n%5
		}
		for line := range 1 + n%3 {
			fmt.Fprintf(&text, "%s%d,CODE%d,THING,%d,2011-%02d-01 08:26:00,%d.25,%d.0,France\n", prefix, 800000+n, line+1, quantity, 1+n/4, 1+line, 1000+n%2)
		}
	}
	invoices, err := retail.Read(strings.NewReader(text.String()))
	if err != nil {
		t.Fatal(err)
	}
	return invoices
}

// sums are what all orders of the platform come to, and what was given back of
// them, in pence.
func (p *fuzzed) sums(t *testing.T) (sold, refunded int64) {
	t.Helper()
	query := url.Values{"limit": {"200"}}
	for {
		page, err := p.api.Orders(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		for _, listed := range page.Orders {
			order, _, err := p.api.Order(t.Context(), listed.ID)
			if err != nil {
				t.Fatal(err)
			}
			for _, payment := range order.Payments {
				sold += payment.Captured.Amount
				refunded += payment.Refunded.Amount
			}
		}
		if page.Next == "" {
			return sold, refunded
		}
		query.Set("cursor", page.Next)
	}
}
