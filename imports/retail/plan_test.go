package retail_test

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/imports/retail"
)

func dirty(t *testing.T) []retail.Invoice {
	t.Helper()
	file, err := os.Open("testdata/dirty.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	invoices, err := retail.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	return invoices
}

func TestEveryInvoiceBecomesAnOrderACreditNoteOrIsRejectedWithAReason(t *testing.T) {
	t.Parallel()
	type row struct {
		Invoice    string
		Kind       retail.Kind
		Reason     string
		Lines      int
		Rejections []retail.Rejection
	}
	var got []row
	for _, invoice := range dirty(t) {
		p := retail.PlanOf(invoice)
		got = append(got, row{p.Invoice, p.Kind, p.Reason, p.Lines, p.Rejections})
		if p.Of != p.Lines+len(p.Rejections) && p.Kind != retail.KindRejected {
			t.Errorf("invoice %s: %d lines, %d imported, %d rejected", p.Invoice, p.Of, p.Lines, len(p.Rejections))
		}
	}
	want := []row{
		{"700001", retail.KindOrder, "", 3, []retail.Rejection{{4, retail.ReasonQuantity}}},
		{"700002", retail.KindRejected, retail.ReasonEmpty, 0, []retail.Rejection{{5, retail.ReasonFraction}}},
		{"700003", retail.KindOrder, "", 1, nil},
		{"C700004", retail.KindCreditNote, "", 1, []retail.Rejection{{8, retail.ReasonSign}}},
		{"A700005", retail.KindRejected, retail.ReasonAdjustment, 0, nil},
		{"700006", retail.KindRejected, retail.ReasonEmpty, 0, []retail.Rejection{{10, retail.ReasonNoPrice}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("plans (-want +got):\n%s", diff)
	}
}

func TestAnInvoiceKeepsItsPricesDateCustomerAndCountry(t *testing.T) {
	t.Parallel()
	order := retail.PlanOf(dirty(t)[0]).Order
	var prices []int64
	for _, line := range order.Lines {
		prices = append(prices, line.UnitPrice.Amount)
	}
	if diff := cmp.Diff([]int64{255, 1800, 210}, prices); diff != "" {
		t.Errorf("prices in pence (-want +got):\n%s", diff)
	}
	got := []string{order.External.Ref, order.External.Time.Format("2006-01-02 15:04"), order.Customer.ID, order.ShipTo.Country}
	if diff := cmp.Diff([]string{"700001", "2010-12-01 08:26", "online-retail:17850", "GB"}, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func TestALineOfMoreThanAnOrderLineHoldsIsSplit(t *testing.T) {
	t.Parallel()
	total := 0
	lines := retail.PlanOf(dirty(t)[2]).Order.Lines
	for _, line := range lines {
		if line.Quantity > 9999 {
			t.Errorf("a line has %d pieces", line.Quantity)
		}
		total += line.Quantity
	}
	if total != 80995 {
		t.Errorf("%d pieces, want 80995", total)
	}
}

func TestAFileThatIsNotTheDataSetIsRefused(t *testing.T) {
	t.Parallel()
	head := "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
	for name, c := range map[string]struct{ text, want string }{
		"empty":          {"", "read the header"},
		"another header": {"a,b\n", "is this the Online Retail file?"},
		"a bad quantity": {head + "1,A,b,many,2010-12-01 08:26:00,1,,EIRE\n", "row 2"},
		"a bad date":     {head + "1,A,b,1,yesterday,1,,EIRE\n", "row 2"},
		"a bad price":    {head + "1,A,b,1,2010-12-01 08:26:00,1e3,,EIRE\n", `price "1e3"`},
		"a short row":    {head + "1,A\n", "wrong number of fields"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := retail.Read(strings.NewReader(c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error = %v, want one that contains %q", err, c.want)
			}
		})
	}
}

func TestParsePrice(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]retail.Price{
		"2.55": {Pence: 255}, "18": {Pence: 1800}, "0.1": {Pence: 10}, "0.001": {Pence: 0, Fraction: true},
		"-11062.06": {Pence: -1106206}, "38970.0": {Pence: 3897000}, "4.950": {Pence: 495},
	} {
		if got, err := retail.ParsePrice(text); err != nil || got != want {
			t.Errorf("ParsePrice(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
}

func FuzzRead(f *testing.F) {
	text, err := os.ReadFile("testdata/dirty.csv")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(text))
	f.Fuzz(func(t *testing.T, text string) {
		invoices, err := retail.Read(strings.NewReader(text))
		if err != nil {
			return
		}
		for _, invoice := range invoices {
			p := retail.PlanOf(invoice)
			if p.Kind != retail.KindRejected && p.Of != p.Lines+len(p.Rejections) {
				t.Errorf("invoice %q loses lines: %+v", invoice.Number, p)
			}
		}
	})
}
