// Package retail imports the UCI "Online Retail" data set (D. Chen, CC BY 4.0)
// through the platform's own HTTP API: one order per invoice, returns to earlier
// orders and a credit note for the rest per cancelled invoice, everything else
// reported by reason. It promises that
// every invoice and every line is accounted for and that a second run adds
// nothing. It must not reach around the API.
package retail

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// Line is one line of the file.
type Line struct {
	Row         int // in the file, counted from 1
	StockCode   string
	Description string
	Quantity    int
	Price       Price
	Time        time.Time // of the invoice, in UTC
	Customer    string    // without the data set's ".0"; may be empty
	Country     string
}

// Price is a price as the file has it: pence, and whether it is finer than a
// penny and therefore no price anybody can be charged.
type Price struct {
	Pence    int64
	Fraction bool
}

// Invoice is the lines of one number, in the file's order.
type Invoice struct {
	Number string
	Lines  []Line
}

// Cancelled reports whether the invoice cancels an earlier one.
func (i Invoice) Cancelled() bool { return strings.HasPrefix(i.Number, "C") }

var header = []string{"InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"}

// Read reads a whole file and groups its lines by invoice number, in the order
// in which numbers first appear. The error names the row that is not as the
// data set promises.
func Read(r io.Reader) ([]Invoice, error) {
	rows := csv.NewReader(r)
	rows.ReuseRecord = true
	first, err := rows.Read()
	if err != nil {
		return nil, fmt.Errorf("read the header: %w", err)
	}
	if strings.TrimPrefix(strings.Join(first, ","), "\ufeff") != strings.Join(header, ",") {
		return nil, fmt.Errorf("the header is %q, want %q: is this the Online Retail file?", strings.Join(first, ","), strings.Join(header, ","))
	}
	var invoices []Invoice
	index := map[string]int{}
	for row := 2; ; row++ {
		record, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return invoices, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read the file: %w", err)
		}
		line, err := parse(record, row)
		if err != nil {
			return nil, fmt.Errorf("row %d: %w", row, err)
		}
		number := strings.Clone(strings.TrimSpace(record[0]))
		at, known := index[number]
		if !known {
			at = len(invoices)
			index[number] = at
			invoices = append(invoices, Invoice{Number: number})
		}
		invoices[at].Lines = append(invoices[at].Lines, line)
	}
}

func parse(record []string, row int) (Line, error) {
	line := Line{
		Row:         row,
		StockCode:   strings.Clone(strings.TrimSpace(record[1])),
		Description: strings.Clone(strings.Join(strings.Fields(record[2]), " ")),
		Customer:    strings.Clone(strings.TrimSuffix(strings.TrimSpace(record[6]), ".0")),
		Country:     strings.Clone(strings.TrimSpace(record[7])),
	}
	var errs [3]error
	line.Quantity, errs[0] = strconv.Atoi(record[3])
	line.Time, errs[1] = time.Parse(time.DateTime, record[4])
	line.Price, errs[2] = ParsePrice(record[5])
	return line, errors.Join(errs[:]...)
}

// ParsePrice reads a decimal number of pounds without going through floating
// point.
func ParsePrice(text string) (Price, error) {
	digits, negative := strings.CutPrefix(text, "-")
	pounds, fraction, _ := strings.Cut(digits, ".")
	fraction = strings.TrimRight(fraction, "0")
	finer := len(fraction) > 2
	cents := (fraction + "00")[:2]
	amount, err := strconv.ParseUint(pounds+cents, 10, 62)
	if err != nil || !isDigits(fraction) || pounds == "" {
		return Price{}, fmt.Errorf("price %q is not a decimal number", text)
	}
	if negative {
		return Price{Pence: -int64(amount), Fraction: finer}, nil
	}
	return Price{Pence: int64(amount), Fraction: finer}, nil
}

func isDigits(text string) bool {
	return strings.Trim(text, "0123456789") == ""
}
