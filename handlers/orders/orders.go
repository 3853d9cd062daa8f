// Package orders changes orders that were placed. It promises that a request
// under a caller's key takes effect once and is answered the same for ever,
// that a change meant for another revision is refused, and that what a change
// needs outside of the order's stream, a text in the vault or units of a stock
// item, is there before the change is recorded. What a change causes later is
// not done here: see package process.
package orders

import (
	"context"
	"errors"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers"
	"github.com/waybill-dev/waybill/handlers/checkout"
	"github.com/waybill-dev/waybill/requestkey"
)

// attempts is how often a change is decided while others win the race.
const attempts = 5

// ErrNotFound says that no order has the id.
var ErrNotFound = domain.Rule("not-found", "there is no order with this id")

// Texts keeps what people wrote apart from the events.
type Texts interface {
	Put(ctx context.Context, subject, ref string, data any) error
}

// Service changes orders. It may be used by many goroutines.
type Service struct {
	Store  eventstore.Store
	Texts  Texts
	Pricer checkout.Pricer
	Stock  checkout.Stock
	Now    func() time.Time
	Config Config

	// Collect, if set, lets the gateway take money at once that was asked for.
	// Whatever it returns, the task that waits for it does the rest.
	Collect func(ctx context.Context, orderID, paymentID, captureID string) error
	// Fault, if set, is called between every two appends; its error stops the
	// work there, as the end of the process would. Only tests set it.
	Fault func(step string) error
}

// Config is how patient changes are. The zero value of each setting means the
// one named.
type Config struct {
	Location string        // where the stock of new lines is: main
	Budget   time.Duration // of all the work for one request: 10 s
	Hold     time.Duration // of stock that an edit reserves and has not committed: 5 min
}

func (c Config) withDefaults() Config {
	if c.Location == "" {
		c.Location = "main"
	}
	if c.Budget == 0 {
		c.Budget = 10 * time.Second
	}
	if c.Hold == 0 {
		c.Hold = 5 * time.Minute
	}
	return c
}

func (s *Service) fault(step string) error {
	if s.Fault == nil {
		return nil
	}
	return s.Fault(step)
}

// Request is what all changes have in common.
type Request struct {
	OrderID string
	// Meta names the command. One that a key of the caller's names has a
	// fingerprint: the same command is answered from the log.
	Meta eventstore.Metadata
	// Expected is the revision the change is meant for; nil is any.
	Expected *eventstore.Revision
}

// Result is an order after a change.
type Result struct {
	State    order.State
	Revision eventstore.Revision // of the last event in State
	// Position is that of the last event of the change; 0 where nothing was to
	// be done.
	Position eventstore.Position
	// Changed reports whether the change has events, of now or of the first
	// time it was asked for.
	Changed  bool
	Replayed bool // it was asked for before
}

// change is how one is made.
type change struct {
	// command says what is wanted of the order as it is.
	command func(order.State, eventstore.Revision) (order.Command, error)
	// prepare does what must be done before the events are recorded. It is
	// called for changes that are allowed, and may be called several times.
	prepare func(context.Context, order.State) error
}

// Do lets an order decide a command that depends on nothing else. What is
// wanted may depend on how the order is.
//
// A command that finds the order as it wants it changes nothing, whatever
// revision it was meant for. Its key is kept all the same: it stands for this
// request, and a repeat is answered with the order as it was then.
//
// The error is [ErrNotFound], [handlers.ErrRevision] with the present revision,
// [domain.ErrKeyReused] where the key stands for something else, what a rule
// refused, [eventstore.ErrConflict] when others kept winning, and otherwise a
// failure: the same request may be sent again.
func (s *Service) Do(ctx context.Context, r Request, command func(order.State) (order.Command, error)) (Result, error) {
	return s.do(ctx, r, change{command: func(state order.State, _ eventstore.Revision) (order.Command, error) { return command(state) }})
}

func (s *Service) do(ctx context.Context, r Request, c change) (result Result, err error) {
	r.Meta.CorrelationID = r.OrderID
	for range attempts {
		result, err = s.try(ctx, r, c)
		if !errors.Is(err, eventstore.ErrConflict) {
			break
		}
	}
	return result, err
}

func (s *Service) try(ctx context.Context, r Request, c change) (Result, error) {
	at, unchanged, reused := requestkey.Unchanged(ctx, s.Store, r.Meta)
	if unchanged {
		return s.unchanged(ctx, r, at)
	}
	known, err := read(ctx, s.Store, order.Decider, r.OrderID, r.Meta)
	if err != nil {
		return Result{}, err
	}
	stale := admit(r, known, reused)
	if known.done || stale != nil && !errors.Is(stale, handlers.ErrRevision) {
		return Result{known.state, known.revision, known.position, known.done, known.done}, stale
	}
	command, err := c.command(known.state, known.revision)
	var events []order.Event
	if err == nil {
		events, err = order.Decider.Decide(known.state, command)
	}
	switch {
	case err == nil && len(events) == 0:
		return s.nothing(ctx, r, known)
	case stale != nil:
		return Result{}, stale
	case err != nil:
		return Result{}, err
	}
	if c.prepare != nil {
		if err := c.prepare(ctx, known.state); err != nil {
			return Result{}, err
		}
	}
	stream := order.Decider.Stream(r.OrderID)
	done, err := s.Store.Append(ctx, stream, known.revision, eventstore.NewEvents(stream, r.Meta, events...)...)
	if err != nil {
		return Result{}, err
	}
	result := Result{
		State: order.Decider.Fold(known.state, events...), Revision: done.Revision, Position: done.Position, Changed: true,
	}
	return result, s.fault("recorded")
}

// nothing answers a request that has nothing to change.
func (s *Service) nothing(ctx context.Context, r Request, known history[order.State]) (Result, error) {
	at, err := requestkey.KeepUnchanged(ctx, s.Store, r.Meta, known.revision)
	if err == nil && at != known.revision { // the same request of the same moment found it so
		return s.unchanged(ctx, r, at)
	}
	return Result{State: known.state, Revision: known.revision}, err
}

// unchanged answers a request again that had nothing to change.
func (s *Service) unchanged(ctx context.Context, r Request, at eventstore.Revision) (Result, error) {
	state, revision, err := s.At(ctx, r.OrderID, Moment{Revision: &at})
	return Result{State: state, Revision: revision, Replayed: true}, err
}

// admit refuses a request before it is looked at what it wants. Reused says that
// its key stands for another one, which changed nothing.
func admit(r Request, known history[order.State], reused error) error {
	switch {
	case known.state.Status == "":
		return ErrNotFound
	case reused != nil && !known.done:
		return reused
	case known.done && known.fingerprint != r.Meta.Fingerprint:
		return domain.ErrKeyReused
	case !known.done && r.Expected != nil && *r.Expected != known.revision:
		return handlers.ErrRevision.With("expected", int64(*r.Expected)).With("revision", int64(known.revision))
	}
	return nil
}
