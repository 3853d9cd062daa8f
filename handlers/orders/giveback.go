package orders

import (
	"context"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers/process"
	writer "github.com/waybill-dev/waybill/handlers/stock"
)

// GiveBack does the tasks of kind [process.EditStock]: it releases units that
// an edit took and never recorded, because its process died in between. The
// task is due long after the request's time is up, so that no edit is under way
// any more.
func (s *Service) GiveBack(ctx context.Context, t process.Task) error {
	item, reservation, _ := strings.Cut(t.Ref, "#")
	location, sku, _ := strings.Cut(item, ".")
	state, _, err := eventstore.Load(ctx, s.Store, order.Decider, t.OrderID)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(state.Edits, func(e order.OrderEdited) bool {
		return slices.ContainsFunc(e.Changes, func(c order.Change) bool { return c.ReservationID == reservation })
	}) {
		return nil
	}
	meta := eventstore.Metadata{
		CommandID: eventstore.DeriveID("give back", t.OrderID, t.Ref), CorrelationID: t.OrderID, CausationID: t.Cause,
		Actor: eventstore.Actor{Type: "process", ID: "edits"},
	}
	_, err = s.Stock.Handle(ctx, meta, writer.Item{Location: location, SKU: sku}, stock.Release{ReservationID: reservation, Reason: stock.Compensation})
	return err
}
