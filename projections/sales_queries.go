package projections

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/domain"
)

// SalesGroup is what sales may be added up by.
type SalesGroup string

// What sales may be added up by. They are always by currency too.
const (
	SalesByMonth   SalesGroup = "month"
	SalesByDay     SalesGroup = "day"
	SalesByCountry SalesGroup = "country"
	SalesBySKU     SalesGroup = "sku"
)

// SalesFilter says which sales are added up, and by what.
type SalesFilter struct {
	From, To time.Time // days of UTC, both included
	Currency string    // empty is any
	By       []SalesGroup
}

// SalesRow is a sum of sales: see [Sales]. Of what it is no sum by, the text is
// empty.
type SalesRow struct {
	Month, Day, Currency, Country, SKU string
	Orders, Units, Returned            int64
	Gross, Discount, Refunds, Net      domain.Money
}

// SalesQueries reads what was sold.
type SalesQueries struct{ DB *sql.DB }

// Sum returns up to limit rows after one of them, in the order of their texts
// from month to SKU; the zero row is the beginning.
func (q SalesQueries) Sum(ctx context.Context, filter SalesFilter, after SalesRow, limit int) ([]SalesRow, error) {
	query, args, columns := filter.query(after)
	rows, err := q.DB.QueryContext(ctx, query, append(args, limit)...)
	return rowsOf(rows, err, func(rows *sql.Rows) (r SalesRow, err error) {
		var into []any
		for _, c := range columns {
			into = append(into, c.of(&r))
		}
		err = rows.Scan(append(into, &r.Orders, &r.Units, &r.Returned, &r.Gross.Amount, &r.Discount.Amount, &r.Refunds.Amount)...)
		r.Net.Amount = r.Gross.Amount - r.Discount.Amount - r.Refunds.Amount
		for _, money := range []*domain.Money{&r.Gross, &r.Discount, &r.Refunds, &r.Net} {
			money.Currency = r.Currency
		}
		return r, err
	})
}

// salesColumn is one that sales are added up by.
type salesColumn struct {
	expression string
	of         func(*SalesRow) *string
}

func (f SalesFilter) columns() (columns []salesColumn) {
	for _, c := range []struct {
		group SalesGroup
		salesColumn
	}{
		{SalesByMonth, salesColumn{"substr(day, 1, 7)", func(r *SalesRow) *string { return &r.Month }}},
		{SalesByDay, salesColumn{"day", func(r *SalesRow) *string { return &r.Day }}},
		{"", salesColumn{"currency", func(r *SalesRow) *string { return &r.Currency }}},
		{SalesByCountry, salesColumn{"country", func(r *SalesRow) *string { return &r.Country }}},
		{SalesBySKU, salesColumn{"sku", func(r *SalesRow) *string { return &r.SKU }}},
	} {
		if c.group == "" || slices.Contains(f.By, c.group) {
			columns = append(columns, c.salesColumn)
		}
	}
	return columns
}

func (f SalesFilter) query(after SalesRow) (query string, args []any, columns []salesColumn) {
	columns = f.columns()
	table := "sales_totals"
	if slices.Contains(f.By, SalesBySKU) {
		table = "sales_daily"
	}
	where, args := "day >= ? AND day <= ?", []any{f.From.Format(time.DateOnly), f.To.Format(time.DateOnly)}
	if f.Currency != "" {
		where, args = where+" AND currency = ?", append(args, f.Currency)
	}
	var names []string
	var place []any
	for _, c := range columns {
		names, place = append(names, c.expression), append(place, *c.of(&after))
	}
	list := strings.Join(names, ", ")
	if after != (SalesRow{}) {
		where += " AND (" + list + ") > (" + strings.Repeat("?, ", len(names)-1) + "?)"
		args = append(args, place...)
	}
	return "SELECT " + list + ", sum(orders), sum(units), sum(returned), sum(gross), sum(discount), sum(refunds) FROM " + table +
		" WHERE " + where + " GROUP BY " + list + " ORDER BY " + list + " LIMIT ?", args, columns
}
