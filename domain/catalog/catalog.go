// Package catalog is the product: what a SKU is called and what it costs. A
// product's price is copied into a checkout when that is priced, so that a
// change of price never touches what somebody already buys.
package catalog

import (
	"fmt"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/domain"
)

// Limits of a product.
const (
	MaxTitle  = 500 // bytes
	MaxPrices = 200
)

// Price is what one unit costs in one currency and region.
type Price struct {
	domain.Money
	// Region narrows the price to one region; empty is everywhere.
	Region string `json:"region,omitempty"`
}

// Rules a product may refuse a command by.
var (
	ErrInvalid = domain.Rule("product-invalid", "the product has mistakes")
	ErrExists  = domain.Rule("product-exists", "a product with this SKU is registered already, with other content")
	ErrUnknown = domain.Rule("unknown-sku", "no product is registered under this SKU")
)

// Command is a wish to change a product.
//
//sumtype:decl
type Command interface{ command() }

// Register makes a product known.
type Register struct {
	SKU, Title string
	Prices     []Price
	At         time.Time
}

// ChangePrice sets the price for one currency and region.
type ChangePrice struct {
	SKU   string
	Price Price
	At    time.Time
}

func (Register) command()    {}
func (ChangePrice) command() {}

// State is a product. The zero value is not registered.
type State struct {
	SKU, Title string
	Prices     []Price
	// Registered are the prices of the registration, by which a repeated
	// registration is recognised after a change.
	Registered []Price
}

// Known reports whether the product is registered.
func (s State) Known() bool { return s.SKU != "" }

// Price returns the price for a currency: that of the region if there is one,
// else the price for everywhere.
func (s State) Price(currency, region string) (domain.Money, bool) {
	if i := find(s.Prices, currency, region); i >= 0 {
		return s.Prices[i].Money, true
	}
	if i := find(s.Prices, currency, ""); i >= 0 {
		return s.Prices[i].Money, true
	}
	return domain.Money{}, false
}

// Decider is the product as an aggregate, with the SKU as its id.
var Decider = domain.Decider[State, Command, Event]{Category: "product", Decide: decide, Evolve: evolve}

func decide(s State, c Command) ([]Event, error) {
	switch c := c.(type) {
	case Register:
		return register(s, c)
	case ChangePrice:
		return changePrice(s, c)
	}
	panic(fmt.Sprintf("catalog: unknown command %T", c))
}

func register(s State, c Register) ([]Event, error) {
	if mistakes := check(c); len(mistakes) > 0 {
		return nil, ErrInvalid.Because(mistakes...)
	}
	if !s.Known() {
		return []Event{ProductRegistered{c.SKU, c.Title, c.Prices, c.At}}, nil
	}
	if s.Title == c.Title && slices.Equal(s.Registered, c.Prices) {
		return nil, nil
	}
	return nil, ErrExists.With("sku", c.SKU)
}

func changePrice(s State, c ChangePrice) ([]Event, error) {
	if !s.Known() {
		return nil, ErrUnknown.With("sku", c.SKU)
	}
	if mistakes := checkPrice("", c.Price); len(mistakes) > 0 {
		return nil, ErrInvalid.Because(mistakes...)
	}
	i := find(s.Prices, c.Price.Currency, c.Price.Region)
	if i >= 0 && s.Prices[i] == c.Price {
		return nil, nil
	}
	if i < 0 && len(s.Prices) == MaxPrices {
		return nil, ErrInvalid.Because(tooMany)
	}
	return []Event{PriceChanged{s.SKU, c.Price, c.At}}, nil
}

func evolve(s State, e Event) State {
	switch e := e.(type) {
	case ProductRegistered:
		return State{SKU: e.SKU, Title: e.Title, Prices: e.Prices, Registered: e.Prices}
	case PriceChanged:
		s.Prices = slices.Clone(s.Prices)
		if i := find(s.Prices, e.Price.Currency, e.Price.Region); i >= 0 {
			s.Prices[i] = e.Price
		} else {
			s.Prices = append(s.Prices, e.Price)
		}
	}
	return s
}

func find(prices []Price, currency, region string) int {
	return slices.IndexFunc(prices, func(p Price) bool { return p.Currency == currency && p.Region == region })
}
