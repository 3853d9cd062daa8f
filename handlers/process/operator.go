package process

import (
	"context"

	"github.com/waybill-dev/waybill/domain/process"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers"
)

// Operator records what people decide about tasks.
type Operator struct{ Store eventstore.Store }

// Retry lets a task that failed be tried at once. The error is
// [process.ErrClosed] where it is done or was given up.
func (o Operator) Retry(ctx context.Context, meta eventstore.Metadata, orderID string, task process.Task) error {
	return o.handle(ctx, meta, orderID, process.Retry{OrderID: orderID, Task: task})
}

// Abandon gives a task up for ever. The error is [process.ErrClosed] where it
// is done.
func (o Operator) Abandon(ctx context.Context, meta eventstore.Metadata, orderID string, task process.Task, reason string) error {
	return o.handle(ctx, meta, orderID, process.Abandon{OrderID: orderID, Task: task, Reason: reason})
}

func (o Operator) handle(ctx context.Context, meta eventstore.Metadata, orderID string, command process.Command) error {
	h := handlers.CommandHandler[process.State, process.Command, process.Event]{Store: o.Store, Decider: process.Decider}
	meta.CorrelationID = orderID
	_, err := h.Handle(ctx, orderID, meta, command)
	return err
}
