package exports

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
)

// Order is a row of a file. Amounts are minor units of Currency.
type Order struct {
	OrderID          string    `json:"order_id" parquet:"order_id"`
	Number           string    `json:"number" parquet:"number"`
	Status           string    `json:"status" parquet:"status,dict"`
	PaymentStatus    string    `json:"payment_status" parquet:"payment_status,dict"`
	FulfilmentStatus string    `json:"fulfilment_status" parquet:"fulfilment_status,dict"`
	CustomerID       string    `json:"customer_id" parquet:"customer_id"`
	Currency         string    `json:"currency" parquet:"currency,dict"`
	Subtotal         int64     `json:"subtotal" parquet:"subtotal"`
	Discount         int64     `json:"discount" parquet:"discount"`
	Shipping         int64     `json:"shipping" parquet:"shipping"`
	Tax              int64     `json:"tax" parquet:"tax"`
	Total            int64     `json:"total" parquet:"total"`
	Captured         int64     `json:"captured" parquet:"captured"`
	Refunded         int64     `json:"refunded" parquet:"refunded"`
	LineCount        int64     `json:"line_count" parquet:"line_count"`
	ShipToCountry    string    `json:"ship_to_country" parquet:"ship_to_country,dict"`
	Tags             string    `json:"tags" parquet:"tags"` // with spaces between them
	ExternalSource   string    `json:"external_source" parquet:"external_source,dict"`
	ExternalRef      string    `json:"external_ref" parquet:"external_ref"`
	PlacedAt         time.Time `json:"placed_at" parquet:"placed_at,timestamp(millisecond)"`
	UpdatedAt        time.Time `json:"updated_at" parquet:"updated_at,timestamp(millisecond)"`

	Person *Person `json:"customer,omitempty" parquet:"customer,optional"`
}

// Person is who ordered, where the export has personal data.
type Person struct {
	Email   string `json:"email" parquet:"email"`
	Name    string `json:"name" parquet:"name"`
	Phone   string `json:"phone" parquet:"phone"`
	Address string `json:"address" parquet:"address"` // where it goes, in one line
}

// writer writes orders in one format.
type writer interface {
	write(o Order) error
	close() error
}

func newWriter(format Format, personal bool, to io.Writer) writer {
	switch format {
	case NDJSON:
		return ndjson{json.NewEncoder(to)}
	case Parquet:
		return &parquets{w: parquet.NewGenericWriter[Order](to, parquet.Compression(&parquet.Zstd))}
	case CSV:
	}
	return &csvs{w: csv.NewWriter(to), personal: personal}
}

type ndjson struct{ w *json.Encoder }

func (n ndjson) write(o Order) error { return n.w.Encode(o) }
func (n ndjson) close() error        { return nil }

type parquets struct {
	w *parquet.GenericWriter[Order]
	n int
}

// write ends a row group now and then, so that the file is not in memory.
func (p *parquets) write(o Order) error {
	const group = 50_000
	if _, err := p.w.Write([]Order{o}); err != nil {
		return err
	}
	if p.n++; p.n%group == 0 {
		return p.w.Flush()
	}
	return nil
}

func (p *parquets) close() error { return p.w.Close() }

type csvs struct {
	w        *csv.Writer
	personal bool
	begun    bool
}

func (c *csvs) head() error {
	if c.begun {
		return nil
	}
	c.begun = true
	head := []string{
		"order_id", "number", "status", "payment_status", "fulfilment_status", "customer_id", "currency", "subtotal", "discount", "shipping", "tax", "total", "captured", "refunded",
		"line_count", "ship_to_country", "tags", "external_source", "external_ref", "placed_at", "updated_at",
	}
	if c.personal {
		head = append(head, "email", "name", "phone", "address")
	}
	return c.w.Write(head)
}

func (c *csvs) write(o Order) error {
	if err := c.head(); err != nil {
		return err
	}
	row := []string{o.OrderID, o.Number, o.Status, o.PaymentStatus, o.FulfilmentStatus, o.CustomerID, o.Currency}
	for _, n := range []int64{o.Subtotal, o.Discount, o.Shipping, o.Tax, o.Total, o.Captured, o.Refunded, o.LineCount} {
		row = append(row, strconv.FormatInt(n, 10))
	}
	row = append(row, o.ShipToCountry, o.Tags, o.ExternalSource, o.ExternalRef, o.PlacedAt.UTC().Format(time.RFC3339Nano), o.UpdatedAt.UTC().Format(time.RFC3339Nano))
	if c.personal {
		p := Person{}
		if o.Person != nil {
			p = *o.Person
		}
		row = append(row, p.Email, p.Name, p.Phone, p.Address)
	}
	for i, cell := range row {
		row[i] = harmless(cell, i)
	}
	return c.w.Write(row)
}

// harmless keeps a spreadsheet from taking text for a formula. Numbers stay as
// they are.
func harmless(cell string, column int) string {
	const firstNumber, lastNumber = 7, 14
	if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) && (column < firstNumber || column > lastNumber) {
		return "'" + cell
	}
	return cell
}

func (c *csvs) close() error {
	if err := c.head(); err != nil {
		return err
	}
	c.w.Flush()
	return c.w.Error()
}
