package fulfilment

import (
	"context"
	"fmt"
	"time"

	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers"
	"github.com/waybill-dev/waybill/handlers/process"
	writer "github.com/waybill-dev/waybill/handlers/stock"
)

// run is one attempt at one task.
type run struct {
	*Service
	config   Config // with defaults
	task     process.Task
	order    order.State // as last seen
	revision eventstore.Revision
}

// load reads the order.
func (r *run) load(ctx context.Context) error {
	state, revision, err := eventstore.Load(ctx, r.Store, order.Decider, r.task.OrderID)
	if err != nil {
		return fmt.Errorf("read order %s: %w", r.task.OrderID, err)
	}
	r.order, r.revision = state, revision
	return nil
}

// meta describes a command. Its id is the same whoever does the step.
func (r *run) meta(step ...string) eventstore.Metadata {
	return eventstore.Metadata{
		CorrelationID: r.task.OrderID, CausationID: r.task.Cause, Actor: eventstore.Actor{Type: "process", ID: "fulfilment"},
		CommandID: eventstore.DeriveID("task step", append([]string{r.task.OrderID, string(r.task.Kind), r.task.Ref}, step...)...),
	}
}

// id names something that follows from the order.
func (r *run) id(kind string, parts ...string) string {
	return eventstore.DeriveID(kind, append([]string{r.task.OrderID}, parts...)...)
}

// step is passed between two appends or calls.
func (r *run) step(name string) error {
	if r.Fault == nil {
		return nil
	}
	return r.Fault(name)
}

// tell lets the order decide a command, wherever it is by now.
func (r *run) tell(ctx context.Context, step string, c order.Command) error {
	h := handlers.CommandHandler[order.State, order.Command, order.Event]{Store: r.Store, Decider: order.Decider}
	result, err := h.Handle(ctx, r.task.OrderID, r.meta(step), c)
	return r.told(step, result, err)
}

// tellHere lets the order decide a command, unless it changed since it was
// read: then the task begins again.
func (r *run) tellHere(ctx context.Context, step string, c order.Command) error {
	h := handlers.CommandHandler[order.State, order.Command, order.Event]{Store: r.Store, Decider: order.Decider}
	result, err := h.HandleAt(ctx, r.task.OrderID, r.revision, r.meta(step), c)
	return r.told(step, result, err)
}

func (r *run) told(step string, result handlers.Result[order.State], err error) error {
	if err != nil {
		return fmt.Errorf("order: %s: %w", step, err)
	}
	r.order, r.revision = result.State, result.Revision
	if len(result.Events) == 0 {
		return nil
	}
	return r.step(step)
}

// item lets a stock item decide a command.
func (r *run) item(ctx context.Context, step string, item writer.Item, c stock.Command) (stock.State, error) {
	receipt, err := r.Stock.Handle(ctx, r.meta(step, item.Location, item.SKU), item, c)
	if err != nil {
		return receipt.State, fmt.Errorf("stock of %s: %s: %w", item.SKU, step, err)
	}
	return receipt.State, r.step(step)
}

func (r *run) wait(after time.Duration, what string) error {
	return &process.NotYetError{After: after, For: what}
}
