package webhooks

import (
	"context"
	"fmt"
	"strconv"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
	"github.com/waybill-dev/waybill/webhooks/ledger"
)

// checkpointer writes into the log how far deliveries are, so that whoever
// begins without the ledger need not send everything again.
type checkpointer struct {
	d       *Dispatcher
	written map[string]ledger.Reached
}

// run returns when the context ends.
func (c *checkpointer) run(ctx context.Context) {
	for pause(ctx, c.d.cfg.CheckpointEvery); ctx.Err() == nil; pause(ctx, c.d.cfg.CheckpointEvery) {
		if err := c.write(ctx); err != nil && ctx.Err() == nil {
			c.d.Logger.WarnContext(ctx, "webhooks cannot write down how far they are", "error", err)
		}
	}
}

func (c *checkpointer) write(ctx context.Context) error {
	reached, err := c.d.Ledger.Reached(ctx, c.d.cfg.Owner)
	if err != nil {
		return err
	}
	for _, r := range reached {
		// A cursor passes checkpoints, too: only deliveries are worth another.
		if r.Delivered == 0 || c.written[r.EndpointID].Delivered == r.Delivered {
			continue
		}
		if err := c.append(ctx, r); err != nil {
			return err
		}
		c.written[r.EndpointID] = r
	}
	return nil
}

func (c *checkpointer) append(ctx context.Context, r ledger.Reached) error {
	stream := endpoint.CheckpointStream(r.EndpointID)
	position := strconv.FormatUint(uint64(r.Through), 10)
	event := eventstore.NewEvent{
		ID:    eventstore.EventID(stream, eventstore.DeriveID("delivery-checkpoint", r.EndpointID, position, strconv.Itoa(r.Seeks)), 0),
		Event: endpoint.Checkpointed{EndpointID: r.EndpointID, Through: uint64(r.Through), Seeks: r.Seeks},
		Metadata: eventstore.Metadata{
			Actor: eventstore.Actor{Type: "system", ID: "webhooks"},
		},
	}
	appended, err := c.d.Store.Append(ctx, stream, eventstore.Any, event)
	if err != nil {
		return fmt.Errorf("append to %s: %w", stream, err)
	}
	if appended.Revision == 0 && c.d.Retain != nil {
		return c.d.Retain(ctx, stream, 1)
	}
	return nil
}

// checkpointed returns how far deliveries to an endpoint are known to have come, if
// this ledger has nothing of it: by the last checkpoint, unless the endpoint
// was told to go on elsewhere after it.
func (d *Dispatcher) checkpointed(ctx context.Context, id string, seeks int) (*eventstore.Position, error) {
	_, ok, err := d.Ledger.Endpoint(ctx, id)
	if err != nil || ok {
		return nil, err
	}
	var last *endpoint.Checkpointed
	for r, err := range d.Store.ReadStream(ctx, endpoint.CheckpointStream(id), 0) {
		if err != nil {
			return nil, fmt.Errorf("read the checkpoint of endpoint %s: %w", id, err)
		}
		event, err := r.Decode()
		if err != nil {
			return nil, fmt.Errorf("read the checkpoint of endpoint %s: %w", id, err)
		}
		if one, ok := event.(endpoint.Checkpointed); ok {
			last = &one
		}
	}
	if last == nil || last.Seeks < seeks {
		return nil, nil
	}
	through := eventstore.Position(last.Through)
	return &through, nil
}
