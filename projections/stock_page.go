package projections

import (
	"context"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/eventstore"
)

// ApplyPage implements [Pager]: an item that many buy at once has one change of
// its level, and a reservation that was made and kept on the same page none.
func (s Stock) ApplyPage(ctx context.Context, tx *Tx, events []eventstore.Recorded) error {
	items, order := map[string]*itemPage{}, []*itemPage(nil)
	for _, r := range events {
		item := items[r.Stream]
		if item == nil {
			item = &itemPage{}
			items[r.Stream] = item
			order = append(order, item)
		}
		if err := item.add(ctx, tx, r); err != nil {
			return err
		}
	}
	for _, item := range order {
		if err := item.write(ctx, tx); err != nil {
			return err
		}
	}
	return nil
}

// itemPage is what a page has of one item and did not write yet.
type itemPage struct {
	events    []domain.Event
	movements []movement
}

func (p *itemPage) add(ctx context.Context, tx *Tx, r eventstore.Recorded) error {
	event, err := r.Decode()
	if err != nil {
		return err
	}
	switch event.(type) {
	case stock.StockItemRegistered, stock.StockPolicyChanged:
		if err := p.write(ctx, tx); err != nil {
			return err
		}
		return Stock{}.Apply(ctx, tx, r)
	}
	m, err := movementOf(event, int64(r.Revision))
	if err != nil {
		return err
	}
	p.events = append(p.events, event)
	p.movements = append(p.movements, m)
	return nil
}

func (p *itemPage) write(ctx context.Context, tx *Tx) error {
	if len(p.events) == 0 {
		return nil
	}
	if err := p.writeLevel(ctx, tx); err != nil {
		return err
	}
	err := p.writeReservations(ctx, tx)
	p.events, p.movements = p.events[:0], p.movements[:0]
	return err
}

// writeLevel falls back to single movements where some of them are in the level
// already.
func (p *itemPage) writeLevel(ctx context.Context, tx *Tx) error {
	sum := p.movements[0]
	for _, m := range p.movements[1:] {
		sum.onHand, sum.reserved, sum.committed = sum.onHand+m.onHand, sum.reserved+m.reserved, sum.committed+m.committed
		sum.revision = m.revision
	}
	if changes, err := sum.changes(ctx, tx); err != nil || changes {
		return err
	}
	for _, m := range p.movements {
		if err := m.apply(ctx, tx); err != nil {
			return err
		}
	}
	return nil
}

// writeReservations passes over those that were made and closed here.
func (p *itemPage) writeReservations(ctx context.Context, tx *Tx) error {
	made := map[string]int{} // where, of reservations that are open
	passed := make([]bool, len(p.events))
	for i, event := range p.events {
		id := ""
		switch e := event.(type) {
		case stock.StockReserved:
			made[e.ReservationID] = i
		case stock.StockReservationExtended:
			delete(made, e.ReservationID)
		case stock.StockReservationReleased:
			id = e.ReservationID
		case stock.StockCommitted:
			id = e.ReservationID
		}
		if at, here := made[id]; here {
			passed[at], passed[i] = true, true
			delete(made, id)
		}
	}
	for i, event := range p.events {
		if passed[i] {
			continue
		}
		if err := reserve(ctx, tx, event); err != nil {
			return err
		}
	}
	return nil
}
