// Package catalog is the product: what a SKU is called, what it costs, and
// whether it may be ordered. Title and price are copied into a checkout when
// that is priced, so that no later change touches what somebody already buys.
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
	// Region narrows the price to one region: orders that go to the country with
	// this code. Empty is everywhere.
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

// ChangeTitle calls the product something else.
type ChangeTitle struct {
	SKU, Title string
	At         time.Time
}

// Withdraw stops orders of a product. What is ordered already is not touched.
type Withdraw struct {
	SKU string
	At  time.Time
}

// Relist lets a withdrawn product be ordered again. To register it once more
// does not: that is how a registration is repeated, whenever it comes.
type Relist struct {
	SKU string
	At  time.Time
}

func (Register) command()    {}
func (ChangePrice) command() {}
func (ChangeTitle) command() {}
func (Withdraw) command()    {}
func (Relist) command()      {}

// State is a product. The zero value is not registered.
type State struct {
	SKU, Title string
	Prices     []Price
	Withdrawn  bool
	// RegisteredTitle and Registered are title and prices of the registration,
	// by which a repeated registration is recognised after a change.
	RegisteredTitle string
	Registered      []Price
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
	case ChangeTitle:
		return changeTitle(s, c)
	case Withdraw:
		return once(s, c.SKU, s.Withdrawn, ProductWithdrawn{c.SKU, c.At})
	case Relist:
		return once(s, c.SKU, !s.Withdrawn, ProductRelisted{c.SKU, c.At})
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
	if s.RegisteredTitle == c.Title && slices.Equal(s.Registered, c.Prices) {
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

func changeTitle(s State, c ChangeTitle) ([]Event, error) {
	if mistakes := checkTitle(c.Title); s.Known() && len(mistakes) > 0 {
		return nil, ErrInvalid.Because(mistakes...)
	}
	return once(s, c.SKU, s.Title == c.Title, ProductTitleChanged{c.SKU, c.Title, c.At})
}

// once is an event for a known product that is not as it says yet.
func once(s State, sku string, already bool, e Event) ([]Event, error) {
	switch {
	case !s.Known():
		return nil, ErrUnknown.With("sku", sku)
	case already:
		return nil, nil
	}
	return []Event{e}, nil
}

func evolve(s State, e Event) State {
	switch e := e.(type) {
	case ProductRegistered:
		return State{SKU: e.SKU, Title: e.Title, Prices: e.Prices, RegisteredTitle: e.Title, Registered: e.Prices}
	case PriceChanged:
		s.Prices = slices.Clone(s.Prices)
		if i := find(s.Prices, e.Price.Currency, e.Price.Region); i >= 0 {
			s.Prices[i] = e.Price
		} else {
			s.Prices = append(s.Prices, e.Price)
		}
	case ProductTitleChanged:
		s.Title = e.Title
	case ProductWithdrawn:
		s.Withdrawn = true
	case ProductRelisted:
		s.Withdrawn = false
	}
	return s
}

func find(prices []Price, currency, region string) int {
	return slices.IndexFunc(prices, func(p Price) bool { return p.Currency == currency && p.Region == region })
}
