// Package fulfilment does what orders need after they were placed: goods are
// handed to the warehouse and leave the stock, money is captured when they do,
// returns are restocked and paid out, cancellations and edits undone in stock
// and money, authorisations renewed before they run out. Each is a task of
// package process. It promises that a task may be done again at any time, from
// the start, by any process and by two at once: everything it names is derived
// from the task, what it asks of others is announced in the log first and
// looked up before it is asked again, and amounts are decided on the revision
// they were read at.
package fulfilment

import (
	"context"
	"errors"
	"time"

	"github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/gateways/payment"
	"github.com/waybill-dev/waybill/gateways/warehouse"
	"github.com/waybill-dev/waybill/handlers"
	"github.com/waybill-dev/waybill/handlers/process"
	writer "github.com/waybill-dev/waybill/handlers/stock"
)

// Stock lets stock items decide commands, see [writer.Writer.Handle].
type Stock interface {
	Handle(ctx context.Context, meta eventstore.Metadata, item writer.Item, command stock.Command) (writer.Receipt, error)
}

// Gateways knows every payment gateway by the name it has in events.
type Gateways interface {
	Provider(name string) (payment.Provider, error)
}

// People reads personal data, see [vault.Vault].
type People interface {
	Get(ctx context.Context, ref string, into any) error
}

// Replacements places the orders of exchanged goods.
type Replacements interface {
	// Replace places an order whose lines cost nothing, and returns its id. The
	// same replacement again is the same order.
	Replace(ctx context.Context, replacement Replacement) (orderID string, err error)
}

// Replacement is an order that is sent for goods that came back.
type Replacement struct {
	OrderID, ReturnID      string
	CustomerID, ContactRef string
	ShipToRef, BillToRef   string
	ShipToCountry          string
	Currency               string
	Method                 string // the order was paid with
	ReceivedAt             time.Time
	Actor                  eventstore.Actor
	Lines                  []ReplacementLine
}

// ReplacementLine is units of a SKU.
type ReplacementLine struct {
	SKU      string
	Quantity int
}

// Config is how patient the tasks are. The zero value of each setting means
// the one named.
type Config struct {
	GatewayTimeout time.Duration // of each call of a payment gateway: 6 s
	WarehouseWait  time.Duration // before a cancellation is refused because the warehouse does not answer: 30 s
	AskWarehouse   time.Duration // between two questions what became of a job: 1 h
	Again          time.Duration // between two looks at something that is waited for: 5 s
	HeldAgain      time.Duration // between two looks at an order that is on hold: 1 min
	Budget         time.Duration // of all the work for one request: 10 s
	ActionHold     time.Duration // how long a shopper may take to confirm a payment: 15 min
	PollFor        time.Duration // how long an unknown outcome is looked for before the payment is voided: 24 h
}

func (c Config) withDefaults() Config {
	for _, d := range []struct {
		setting *time.Duration
		value   time.Duration
	}{
		{&c.GatewayTimeout, 6 * time.Second},
		{&c.WarehouseWait, 30 * time.Second},
		{&c.AskWarehouse, time.Hour},
		{&c.Again, 5 * time.Second},
		{&c.HeldAgain, time.Minute},
		{&c.Budget, 10 * time.Second},
		{&c.ActionHold, 15 * time.Minute},
		{&c.PollFor, 24 * time.Hour},
	} {
		if *d.setting == 0 {
			*d.setting = d.value
		}
	}
	return c
}

// Service does the tasks. All fields but the last three are required. It may be
// used by many goroutines.
type Service struct {
	Store     eventstore.Store
	Stock     Stock
	Gateways  Gateways
	Warehouse warehouse.Warehouse
	Now       func() time.Time
	Config    Config

	// People knows where parcels go. Without it the warehouse is not told.
	People People
	// Replacements places the orders of exchanges. Without it the task of an
	// exchange fails, after its goods are back in stock.
	Replacements Replacements
	// Fault, if set, is called between every two appends or calls; its error
	// stops the work there, as the end of the process would. Only tests set it.
	Fault func(step string) error
}

// Handlers returns what does each kind of task.
func (s *Service) Handlers() map[process.Kind]process.Handler {
	return map[process.Kind]process.Handler{
		process.Capture:      s.handle((*run).capture),
		process.ShipStock:    s.handle((*run).ship),
		process.Fulfil:       s.handle((*run).fulfil),
		process.ReconcileJob: s.handle((*run).reconcileJob),
		process.Cancel:       s.handle((*run).cancel),
		process.Return:       s.handle((*run).takeBack),
		process.Refund:       s.handle((*run).refundTask),
		process.Edit:         s.handle((*run).edit),
		process.CopyPayment:  s.handle((*run).copyPayment),
		process.Movement:     s.handle((*run).movement),
		process.Reauthorise:  s.handle((*run).reauthorise),
		process.Pay:          s.handle((*run).pursueTask),
		process.ReleaseHold:  s.handle((*run).releaseHold),
		process.Complete:     s.handle((*run).complete),
		process.HoldShortage: s.handle((*run).holdShortage),
	}
}

// attempts is how often a task is begun again because somebody else changed
// what it decides on.
const attempts = 5

func (s *Service) handle(do func(*run, context.Context) error) process.Handler {
	return func(ctx context.Context, t process.Task) error {
		for range attempts {
			r, err := s.begin(ctx, t)
			if err == nil {
				err = do(r, ctx)
			}
			if !errors.Is(err, eventstore.ErrConflict) && !errors.Is(err, handlers.ErrRevision) {
				return err
			}
		}
		return &process.NotYetError{After: time.Second, For: "others who change the same order"}
	}
}

// begin reads what a task is about.
func (s *Service) begin(ctx context.Context, t process.Task) (*run, error) {
	r := &run{Service: s, config: s.Config.withDefaults(), task: t}
	return r, r.load(ctx)
}
