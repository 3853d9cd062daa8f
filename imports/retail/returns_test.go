package retail_test

import (
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/imports/retail"
)

const fileHeader = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"

func TestCancelledInvoicesGoBackToTheNewestEarlierOrdersOfTheSame(t *testing.T) {
	t.Parallel()
	const (
		march = "1,MUG,Mug,5,2011-03-01 10:00:00,2.55,17850.0,France\n"
		april = "2,MUG,Mug,3,2011-04-01 10:00:00,2.55,17850.0,France\n"
		may   = "3,MUG,Mug,4,2011-05-01 10:00:00,2.95,17850.0,France\n"
	)
	cancel := func(units int, at, price, customer, country string) string {
		return fmt.Sprintf("C9,MUG,Mug,%d,%s 10:00:00,%s,%s,%s\n", -units, at, price, customer, country)
	}
	for name, c := range map[string]struct {
		lines     []string
		returns   []string
		unmatched string
	}{
		"the newest that fits":               {[]string{march, april, may, cancel(2, "2011-06-01", "2.55", "17850.0", "France")}, []string{"2 1×2"}, ""},
		"whatever the file's order":          {[]string{cancel(2, "2011-06-01", "2.55", "17850.0", "France"), april, march}, []string{"2 1×2"}, ""},
		"several orders":                     {[]string{march, april, cancel(5, "2011-06-01", "2.55", "17850.0", "France")}, []string{"1 1×2", "2 1×3"}, ""},
		"none that is later":                 {[]string{march, april, cancel(4, "2011-03-15", "2.55", "17850.0", "France")}, []string{"1 1×4"}, ""},
		"more than there are":                {[]string{march, april, cancel(10, "2011-06-01", "2.55", "17850.0", "France")}, []string{"1 1×5", "2 1×3"}, retail.ReasonTooMany + " 2"},
		"at another price":                   {[]string{march, may, cancel(1, "2011-06-01", "2.75", "17850.0", "France")}, nil, retail.ReasonOtherPrice + " 1"},
		"of another customer":                {[]string{march, cancel(1, "2011-06-01", "2.55", "12345.0", "France")}, nil, retail.ReasonNotBought + " 1"},
		"in another country":                 {[]string{march, cancel(1, "2011-06-01", "2.55", "17850.0", "Spain")}, nil, retail.ReasonNotBought + " 1"},
		"before anything":                    {[]string{march, cancel(1, "2011-02-01", "2.55", "17850.0", "France")}, nil, retail.ReasonNotBought + " 1"},
		"of nobody":                          {[]string{"1,MUG,Mug,5,2011-03-01 10:00:00,2.55,,France\n", cancel(1, "2011-06-01", "2.55", "", "France")}, nil, retail.ReasonGuest + " 1"},
		"two lines of the same":              {[]string{march, cancel(1, "2011-06-01", "2.55", "17850.0", "France"), cancel(2, "2011-06-01", "2.55", "17850.0", "France")}, []string{"1 1×3"}, ""},
		"a line that was too long and split": {[]string{"1,MUG,Mug,12000,2011-03-01 10:00:00,2.55,1.0,France\n", cancel(12000, "2011-06-01", "2.55", "1.0", "France")}, []string{"1 2×2001 1×9999"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			invoices, err := retail.Read(strings.NewReader(fileHeader + strings.Join(c.lines, "")))
			if err != nil {
				t.Fatal(err)
			}
			var returns []string
			unmatched := ""
			for _, plan := range retail.Plans(invoices, true) {
				for _, r := range plan.Returns {
					text := r.Of
					for _, l := range r.Lines {
						text += fmt.Sprintf(" %s×%d", l.LineID, l.Quantity)
					}
					returns = append(returns, text)
				}
				for reason, u := range plan.Unmatched {
					unmatched += fmt.Sprint(reason, " ", u.Units)
				}
				if rest := len(plan.CreditNote.Lines); (plan.Kind == retail.KindReturn) != (rest == 0 && len(plan.Returns) > 0) {
					t.Errorf("%s is a %s with %d lines left", plan.Invoice, plan.Kind, rest)
				}
			}
			if diff := cmp.Diff(c.returns, returns); diff != "" {
				t.Errorf("returns (-want +got):\n%s", diff)
			}
			if unmatched != c.unmatched {
				t.Errorf("left on the credit note: %q, want %q", unmatched, c.unmatched)
			}
		})
	}
}

// TestNothingIsReturnedTwice takes more back than was sold, in many steps.
func TestNothingIsReturnedTwice(t *testing.T) {
	t.Parallel()
	var file strings.Builder
	file.WriteString(fileHeader)
	for n := range 10 {
		fmt.Fprintf(&file, "%d,MUG,Mug,3,2011-03-%02d 10:00:00,2.55,1.0,France\n", 100+n, n+1)
		fmt.Fprintf(&file, "C%d,MUG,Mug,-4,2011-03-%02d 11:00:00,2.55,1.0,France\n", 200+n, n+1)
	}
	invoices, err := retail.Read(strings.NewReader(file.String()))
	if err != nil {
		t.Fatal(err)
	}
	back := map[string]int{}
	for _, plan := range retail.Plans(invoices, true) {
		for _, r := range plan.Returns {
			back[r.Of] += r.Lines[0].Quantity
		}
	}
	for of, units := range back {
		if units != 3 {
			t.Errorf("%d of 3 units of %s came back", units, of)
		}
	}
	if report := retail.Expected(invoices, true); report.Returns.Units != 30 || report.Unmatched[retail.ReasonTooMany].Units != 10 || !report.Whole() {
		t.Errorf("%+v", report)
	}
}

// The file of the whole data set, which is not part of the project.
const retailEnv = "WAYBILL_TEST_RETAIL"

// TestTotalsOfTheWholeFileAreTheSumOfItsLines adds the file up by itself, in
// its own way, and compares every country and month.
func TestTotalsOfTheWholeFileAreTheSumOfItsLines(t *testing.T) {
	t.Parallel()
	path := os.Getenv(retailEnv)
	if path == "" {
		t.Skipf("set %s to the Online Retail file", retailEnv)
	}
	open := func() io.ReadCloser {
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = file.Close() })
		if !strings.HasSuffix(path, ".gz") {
			return file
		}
		unzipped, err := gzip.NewReader(file)
		if err != nil {
			t.Fatal(err)
		}
		return unzipped
	}
	invoices, err := retail.Read(open())
	if err != nil {
		t.Fatal(err)
	}
	report := retail.Expected(invoices, true)
	got := map[string][2]int64{}
	for _, m := range report.Months {
		got[m.Country+" "+m.Month] = [2]int64{m.Sales, m.Refunds}
	}
	if diff := cmp.Diff(addUp(t, open()), got); diff != "" {
		t.Errorf("sales and refunds (-want +got):\n%s", diff)
	}
	if !report.Whole() || report.Refunded != report.Returns.Total || report.Invoices != 25_900 {
		t.Errorf("not accounted for: %+v", report)
	}
	var text strings.Builder
	if err := report.Print(&text); err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + text.String())
}

// addUp sums the file up line by line: what was sold and what was cancelled, in
// pence. Left out is what nobody can be charged: bookkeeping, a price that is
// not positive or finer than a penny, and a quantity of the wrong sign.
func addUp(t *testing.T, file io.Reader) map[string][2]int64 {
	t.Helper()
	sums, months := map[string][2]int64{}, map[string]string{}
	rows := csv.NewReader(file)
	for n := 0; ; n++ {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return sums
		}
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			continue
		}
		number, units, price := row[0], atoi(t, row[3]), row[5]
		if months[number] == "" {
			months[number] = row[4][:7] // an invoice is of the month it was begun in
		}
		whole, fraction, _ := strings.Cut(price, ".")
		fraction = strings.TrimRight(fraction, "0")
		if strings.HasPrefix(price, "-") || len(fraction) > 2 || number[0] == 'A' {
			continue
		}
		pence := 100*atoi(t, whole) + atoi(t, (fraction + "00")[:2])
		key := retail.CountryCode(row[7]) + " " + months[number]
		sum := sums[key]
		switch {
		case pence == 0:
			continue
		case number[0] != 'C' && units > 0:
			sum[0] += pence * units
		case number[0] == 'C' && units < 0:
			sum[1] -= pence * units
		default:
			continue
		}
		sums[key] = sum
	}
}

func atoi(t *testing.T, text string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
