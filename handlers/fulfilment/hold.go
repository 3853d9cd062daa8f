package fulfilment

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/domain/stock"
	writer "github.com/waybill-dev/waybill/handlers/stock"
)

// releaseHold lets an order go on whose hold has ended, unless it is held for
// anything else: one release ends all holds.
func (r *run) releaseHold(ctx context.Context) error {
	if !slices.ContainsFunc(r.order.Holds, func(h order.OrderHeld) bool { return h.HoldID == r.task.Ref }) {
		return nil
	}
	for _, h := range r.order.Holds {
		if h.Until.IsZero() || h.Until.After(r.Now()) {
			return nil // its own release ends this one too
		}
	}
	if r.order.Status == order.StatusCancelling {
		return r.wait(r.config.Again, "the cancellation to end")
	}
	if r.order.Status != order.StatusOnHold {
		return nil
	}
	return r.tellHere(ctx, "hold released", order.ReleaseHold{By: "fulfilment"})
}

// complete ends an order to which nothing more is expected to happen. Where a
// rule refuses, something does: what follows on it opens the task again.
func (r *run) complete(ctx context.Context) error {
	err := r.tell(ctx, "completed", order.Complete{At: r.Now()})
	if errors.Is(err, order.ErrTransition) || errors.Is(err, order.ErrStillOpen) {
		return nil
	}
	return err
}

// holdShortage holds an order whose units are promised and not there, if that
// is still so.
func (r *run) holdShortage(ctx context.Context) error {
	name, _, _ := strings.Cut(r.task.Ref, "#")
	location, sku, _ := strings.Cut(name, ".")
	item, err := r.peek(ctx, writer.Item{Location: location, SKU: sku})
	if err != nil {
		return err
	}
	short, any := item.Short()
	mine := func(s stock.Shortfall) bool { return s.OrderID == r.task.OrderID }
	if !any || !slices.ContainsFunc(short.Reservations, mine) {
		return nil
	}
	if r.order.Status == order.StatusCancelling {
		return r.wait(r.config.Again, "the cancellation to end")
	}
	return r.hold(ctx, r.id("hold", "shortage", r.task.Ref))
}

// hold holds an order for want of stock. One that cannot be held has nothing
// left to ship.
func (r *run) hold(ctx context.Context, id string) error {
	err := r.tell(ctx, "held", order.Hold{HoldID: id, Reason: order.HoldStockShortfall})
	if errors.Is(err, order.ErrTransition) {
		return nil
	}
	return err
}

// peek reads a stock item from what the writer knows: nothing expired before
// there was time.
func (r *run) peek(ctx context.Context, item writer.Item) (stock.State, error) {
	return r.item(ctx, "looked at", item, stock.Sweep{At: time.Time{}})
}
