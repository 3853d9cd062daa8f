// Package shop is what mails and documents to customers have in common: who
// sells, in which language, to whom, and how amounts and dates are written. It
// promises that personal data comes from the vault alone and that somebody who
// was erased has none. It must not know what is written to anybody.
package shop

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/vault"
)

// Config is who sells.
type Config struct {
	Name    string   // of the shop
	Address []string // lines of it, as on a letter
	TaxID   string   // printed on receipts; may be empty
	Email   string   // for questions; may be empty
	// URL is where the shop is on the web; links begin with it.
	URL string
	// OrderURL leads to an order: {id} and {number} stand for the order's.
	// Empty is the order in the API, below URL.
	OrderURL string
	// Language is spoken where nobody said another; empty is English.
	Language Language
	// Languages are spoken by country, ISO 3166, where the customer said
	// nothing; nil is German for AT, CH, DE and LI.
	Languages map[string]Language
}

// Link is the address of an order.
func (c Config) Link(o order.State) string {
	pattern := c.OrderURL
	if pattern == "" {
		pattern = strings.TrimRight(c.URL, "/") + "/v1/orders/{id}"
	}
	return strings.NewReplacer("{id}", url.PathEscape(o.OrderID), "{number}", url.PathEscape(o.Number)).Replace(pattern)
}

// People keeps personal data.
type People interface {
	Get(ctx context.Context, ref string, into any) error
}

// Buyer is whoever ordered. What is not known is empty.
type Buyer struct {
	Email, Name    string
	Phone          string
	ShipTo, BillTo *vault.Address // nil where nobody said
	Language       Language
	Erased         bool // the personal data is gone
}

// Anonymous is the buyer of an order without anything personal.
func (c Config) Anonymous(o order.State) Buyer {
	return Buyer{Language: c.language("", o.ShipToCountry)}
}

// Buyer looks up who ordered. Data that was erased is no error.
func (c Config) Buyer(ctx context.Context, people People, o order.State) (Buyer, error) {
	var contact vault.Contact
	b := c.Anonymous(o)
	if err := b.read(ctx, people, o.ContactRef, &contact); err != nil || b.Erased {
		return b, err
	}
	b.Email, b.Name, b.Phone, b.ShipTo = contact.Email, contact.Name, contact.Phone, contact.Address
	for _, a := range []struct {
		ref  string
		into **vault.Address
	}{{o.ShipToRef, &b.ShipTo}, {o.BillToRef, &b.BillTo}} {
		if a.ref == "" {
			continue
		}
		var address vault.Address
		if err := b.read(ctx, people, a.ref, &address); err != nil {
			return b, err
		}
		*a.into = &address
	}
	if b.Erased { // between two reads
		return Buyer{Language: c.language("", o.ShipToCountry), Erased: true}, nil
	}
	b.Language = c.language(Language(contact.Language), o.ShipToCountry)
	return b, nil
}

func (b *Buyer) read(ctx context.Context, people People, ref string, into any) error {
	if ref == "" {
		return nil
	}
	err := people.Get(ctx, ref, into)
	if errors.Is(err, vault.ErrErased) || errors.Is(err, vault.ErrNotFound) {
		b.Erased, err = true, nil
	}
	return err
}

// Lines writes an address as on a letter.
func Lines(a *vault.Address, name string) []string {
	if a == nil {
		return nil
	}
	if a.Name != "" {
		name = a.Name
	}
	all := []string{name, a.Company, a.Line1, a.Line2, strings.TrimSpace(a.PostalCode + " " + a.City), a.Region, a.Country}
	return slices.DeleteFunc(all, func(line string) bool { return line == "" })
}
