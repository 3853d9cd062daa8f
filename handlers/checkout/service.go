// Package checkout places orders: a process manager that leads each checkout
// over stock, payment and order, one append at a time. It promises that one
// key makes at most one order, that no money stays authorised without an
// order, that an order always has its stock, and that whatever is interrupted
// is finished or undone later by the same code. Everything it names is derived
// from the checkout's id, so that every step may be repeated, by any process.
package checkout

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/gateways/payment"
	writer "github.com/waybill-dev/waybill/handlers/stock"
)

// Rules that refuse a request without changing the checkout.
var (
	ErrInProgress = domain.Rule("in-progress", "the checkout is being worked on; ask again in a moment")
	ErrNotFound   = domain.Rule("checkout-not-found", "there is no such checkout")
)

// Pricer prices carts. It refuses with every mistake of the cart.
type Pricer interface {
	Price(ctx context.Context, cart checkout.Request) (Priced, error)
}

// Priced is a cart with its prices.
type Priced struct {
	Lines  []checkout.Line
	Totals checkout.Totals
}

// Stock lets stock items decide commands, see [writer.Writer.Handle].
type Stock interface {
	Handle(ctx context.Context, meta eventstore.Metadata, item writer.Item, command stock.Command) (writer.Receipt, error)
}

// Numbers gives orders their numbers.
type Numbers interface {
	Next(ctx context.Context) (string, error)
}

// Gateways are the payment gateways that are on, a registry.
type Gateways interface {
	Provider(name string) (payment.Provider, error)
}

// Contacts keeps personal data apart from the events.
type Contacts interface {
	Put(ctx context.Context, subject, ref string, data any) error
}

// Config is how patient checkouts are. The zero value of each setting means
// the one named.
type Config struct {
	Location       string          // where stock is reserved: main
	GatewayTimeout time.Duration   // of each call: 6 s
	Budget         time.Duration   // of all the work for one request: 10 s
	Hold           time.Duration   // of reserved stock: 15 min
	DeclinedHold   time.Duration   // of stock after a declined payment: 5 min
	UnknownHold    time.Duration   // of stock while an outcome is unknown: 30 min
	Patience       time.Duration   // before a checkout without progress counts as interrupted: 15 s
	Abandon        time.Duration   // after which an interrupted checkout is not begun again: 60 s
	Polls          []time.Duration // when an unknown outcome is asked for, after it was lost: 2, 5, 15, 60 s
	PollEvery      time.Duration   // and then: 5 min
	ActionHold     time.Duration   // how long a shopper may take to confirm a payment: 15 min
	ActionPoll     time.Duration   // how often a payment to be confirmed is asked for after Polls: 15 s
	WatchEvery     time.Duration   // how often a payment the gateway knew nothing of is looked for: 10 min
	WatchFor       time.Duration   // for how long: 24 h
	PollFor        time.Duration   // until the payment is voided: 24 h
	Capture        order.Capture   // when the money of its orders is taken
}

func (c Config) withDefaults() Config {
	for _, d := range []struct {
		setting *time.Duration
		value   time.Duration
	}{
		{&c.GatewayTimeout, 6 * time.Second},
		{&c.Budget, 10 * time.Second},
		{&c.Hold, 15 * time.Minute},
		{&c.DeclinedHold, 5 * time.Minute},
		{&c.UnknownHold, 30 * time.Minute},
		{&c.Patience, 15 * time.Second},
		{&c.Abandon, time.Minute},
		{&c.PollEvery, 5 * time.Minute},
		{&c.PollFor, 24 * time.Hour},
		{&c.ActionHold, 15 * time.Minute},
		{&c.ActionPoll, 15 * time.Second},
		{&c.WatchEvery, 10 * time.Minute},
		{&c.WatchFor, 24 * time.Hour},
	} {
		if *d.setting == 0 {
			*d.setting = d.value
		}
	}
	if c.Location == "" {
		c.Location = "main"
	}
	if c.Polls == nil {
		c.Polls = []time.Duration{2 * time.Second, 5 * time.Second, 15 * time.Second, time.Minute}
	}
	return c
}

// Service places orders. All fields but the last two are required. It may be
// used by many goroutines, and must not be copied.
type Service struct {
	Store    eventstore.Store
	Pricer   Pricer
	Stock    Stock
	Numbers  Numbers
	Gateways Gateways
	Config   Config
	Now      func() time.Time
	NewID    func() string // makes ids, never the same twice

	// Contacts keeps the personal data of requests that have any.
	Contacts Contacts
	// Fault, if set, is called between every two steps; its error stops the
	// work there, as the end of the process would. Only tests set it.
	Fault func(step string) error

	working sync.Map // checkout id → *work of this process
	asking  sync.Map // payment id → context.CancelFunc of a call to the gateway
}

// work is what this process knows of a checkout it works on, or worked on when
// it was interrupted.
type work struct {
	fingerprint string
	interrupted bool
}

// gateway returns the gateway of the last attempt's payment. One that is off
// is [payment.ErrNotSent]: it may be on again later.
func (s *Service) gateway(r *run) (payment.Provider, error) {
	p, err := s.Gateways.Provider(r.payment.state.Gateway)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", payment.ErrNotSent, err)
	}
	return p, nil
}

func (s *Service) fault(step string) error {
	if s.Fault == nil {
		return nil
	}
	return s.Fault(step)
}
