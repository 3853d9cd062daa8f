package fulfilment

import (
	"context"
	"errors"
	"fmt"

	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/domain/stock"
	writer "github.com/waybill-dev/waybill/handlers/stock"
)

// ship takes the units of a shipment out of the stock.
func (r *run) ship(ctx context.Context) error {
	for _, p := range r.order.Shipments {
		if p.Shipped.ShipmentID == r.task.Ref {
			return r.leave(ctx, p.Shipped)
		}
	}
	return nil
}

// reserved is the units of one reservation.
type reserved struct {
	item     writer.Item
	id       string
	quantity int
}

// reservations sums units by their reservations, in the order of the lines: the
// lines of one SKU share one.
func reservations(s order.State, units func(order.Line) int) []reserved {
	var all []reserved
	at := map[string]int{}
	for _, l := range s.Lines {
		n := units(l)
		if n <= 0 || l.ReservationID == "" {
			continue
		}
		item := writer.Item{Location: l.Location, SKU: l.SKU}
		i, known := at[l.ReservationID]
		if !known {
			i = len(all)
			at[l.ReservationID] = i
			all = append(all, reserved{item: item, id: l.ReservationID})
		}
		all[i].quantity += n
	}
	return all
}

// leave takes the units of a parcel out of the stock.
func (r *run) leave(ctx context.Context, e order.OrderShipped) error {
	units := map[string]int{}
	for _, u := range e.Lines {
		units[u.LineID] += u.Quantity
	}
	for _, u := range reservations(r.order, func(l order.Line) int { return units[l.LineID] }) {
		_, err := r.item(ctx, "shipped "+e.ShipmentID+" "+u.id, u.item, stock.Ship{ReservationID: u.id, ShipmentID: e.ShipmentID, Quantity: u.quantity})
		if errors.Is(err, stock.ErrConflict) || errors.Is(err, stock.ErrInvalid) {
			err = r.leaveAnyway(ctx, e.ShipmentID, u)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// leaveAnyway counts units as gone whose reservation was given back before, by
// a cancellation that a parcel overtook.
func (r *run) leaveAnyway(ctx context.Context, shipmentID string, u reserved) error {
	ref := r.id("shipped without reservation", shipmentID, u.id)
	_, err := r.item(ctx, "taken "+ref, u.item, stock.Adjust{Delta: -u.quantity, Reason: "shipped-after-release", Ref: ref})
	if err != nil {
		return fmt.Errorf("shipment %s: %w", shipmentID, err)
	}
	return nil
}
