package stock

import (
	"errors"
	"time"

	"github.com/waybill-dev/waybill/domain"
)

// maxSwept bounds how many expired reservations one command releases, so that
// what it causes fits into one append of 256 events.
const maxSwept = 250

// find returns a reservation that was ever made. One that is neither open nor
// remembered may have been forgotten: then the log is asked.
func (s State) find(id string, forgotten bool) (r Reservation, made bool, err error) {
	if r, made = s.Reservation(id); made {
		return r, true, nil
	}
	if s.memory != nil && s.memory.Key == reservationKey(id) {
		r, made = s.memory.state.Reservation(id)
		return r, made, nil
	}
	if forgotten {
		return Reservation{}, false, &forgottenError{reservationKey(id)}
	}
	return Reservation{}, false, nil
}

// lost reports whether any reservation was forgotten.
func (s State) lost() bool { return s.closed.lost > 0 || s.lapsed.lost > 0 }

func reserve(s State, c Reserve) ([]Event, error) {
	if c.Quantity < 1 {
		return nil, ErrInvalid.Because(domain.Mistake{
			Pointer: "/quantity", Code: "invalid-quantity", Detail: "at least one unit is reserved",
		})
	}
	r, made, err := s.find(c.ReservationID, s.lost() && !c.ExpiresAt.After(s.horizon.of(c.ReservationID)))
	switch {
	case err != nil:
		return nil, err
	case !made:
	case r.Quantity != c.Quantity || r.CheckoutID != c.CheckoutID:
		return nil, ErrConflict.With("reservation_id", c.ReservationID)
	case r.Status != StatusReleased:
		return nil, nil
	case r.Reason != Expired:
		return nil, ErrConflict.With("reservation_id", c.ReservationID).With("released", string(r.Reason))
	}
	return take(s, c)
}

// take sets units aside, where it must by releasing what has expired.
func take(s State, c Reserve) ([]Event, error) {
	var events []Event
	if enough := func(s State) bool { return s.Available() >= c.Quantity }; !enough(s) {
		s, events = sweep(s, c.At, enough)
		switch {
		case enough(s):
		case len(events) > 0:
			return nil, ErrCrowded
		default:
			return nil, ErrOutOfStock.With("sku", c.SKU).With("location", c.Location).
				With("requested", c.Quantity).With("available", max(0, s.Available()))
		}
	}
	onHand := max(0, s.OnHand-s.Reserved-s.Committed)
	return append(events, StockReserved{
		SKU: s.SKU, Location: s.Location, ReservationID: c.ReservationID, CheckoutID: c.CheckoutID,
		Quantity: c.Quantity, ExpiresAt: c.ExpiresAt, BackorderedQuantity: max(0, c.Quantity-onHand),
	}), nil
}

// sweep releases expired reservations, the oldest first, until there is enough.
func sweep(s State, at time.Time, enough func(State) bool) (State, []Event) {
	var events []Event
	for len(events) < maxSwept && s.Expired(at) && !enough(s) {
		first, _ := s.expiry.first()
		r, _ := s.open.get(first.id)
		e := StockReservationReleased{s.SKU, s.Location, first.id, r.Quantity, Expired, false, 0}
		events, s = append(events, e), evolve(s, e)
	}
	return s, events
}

func extend(s State, c Extend) ([]Event, error) {
	r, made, err := s.find(c.ReservationID, s.lost())
	switch {
	case err != nil:
		return nil, err
	case !made:
		return nil, ErrExpired.With("reservation_id", c.ReservationID)
	case r.Status == StatusCommitted, r.Status == StatusShipped,
		r.Status == StatusReserved && !c.ExpiresAt.After(r.ExpiresAt):
		return nil, nil
	case r.Status == StatusReserved:
		return []Event{StockReservationExtended{s.SKU, s.Location, c.ReservationID, c.ExpiresAt}}, nil
	}
	return again(s, c.ReservationID, r, c.ExpiresAt, c.At)
}

// again makes a reservation that was released as expired once more.
func again(s State, id string, r Reservation, expires, now time.Time) ([]Event, error) {
	if r.Reason != Expired {
		return nil, ErrConflict.With("reservation_id", id).With("released", string(r.Reason))
	}
	events, err := take(s, Reserve{
		ReservationID: id, CheckoutID: r.CheckoutID, Quantity: r.Quantity, ExpiresAt: expires, At: now,
	})
	if errors.Is(err, ErrOutOfStock) {
		return nil, ErrExpired.With("reservation_id", id)
	}
	return events, err
}

func release(s State, c Release) ([]Event, error) {
	r, made := s.Reservation(c.ReservationID)
	switch {
	case !made, r.Status == StatusShipped, r.Status == StatusReleased && (r.Reason != Expired || c.Reason == Expired):
		return nil, nil
	case r.Status == StatusReleased && c.Keep > 0:
		return nil, nil
	case r.Status == StatusReleased:
		return []Event{StockReservationReleased{s.SKU, s.Location, c.ReservationID, 0, c.Reason, false, 0}}, nil
	}
	kept := 0
	if c.Keep > 0 {
		kept = max(c.Keep, r.Shipped)
	}
	freed := r.Left()
	if kept > 0 {
		freed = r.Quantity - kept
	}
	if freed <= 0 {
		return nil, nil
	}
	return []Event{StockReservationReleased{
		s.SKU, s.Location, c.ReservationID, freed, c.Reason, r.Status == StatusCommitted, kept,
	}}, nil
}

func commit(s State, c Commit) ([]Event, error) {
	r, made, err := s.find(c.ReservationID, s.lost())
	if err != nil {
		return nil, err
	}
	if !made {
		return nil, ErrExpired.With("reservation_id", c.ReservationID)
	}
	committed := StockCommitted{s.SKU, s.Location, c.ReservationID, c.OrderID, r.Quantity}
	switch r.Status {
	case StatusReserved:
		return []Event{committed}, nil
	case StatusCommitted, StatusShipped:
		if r.OrderID == c.OrderID {
			return nil, nil
		}
		return nil, ErrConflict.With("reservation_id", c.ReservationID).With("order_id", r.OrderID)
	case StatusReleased:
	}
	events, err := again(s, c.ReservationID, r, c.At, c.At)
	if err != nil {
		return nil, err
	}
	return append(events, committed), nil
}

func ship(s State, c Ship) ([]Event, error) {
	if c.Quantity < 1 {
		return nil, ErrInvalid.Because(domain.Mistake{
			Pointer: "/quantity", Code: "invalid-quantity", Detail: "at least one unit is shipped",
		})
	}
	r, _, err := s.find(c.ReservationID, s.lost())
	if err != nil {
		return nil, err
	}
	for before := r.shipments; before != nil; before = before.before {
		if before.id == c.ShipmentID && before.quantity == c.Quantity {
			return nil, nil
		}
		if before.id == c.ShipmentID {
			return nil, ErrIDReused.With("shipment_id", c.ShipmentID)
		}
	}
	switch {
	case r.Status == StatusShipped, r.Status == StatusCommitted && c.Quantity > r.Left():
		return nil, exceeded("/quantity", c.Quantity, r.Left()).With("reservation_id", c.ReservationID)
	case r.Status != StatusCommitted:
		return nil, ErrConflict.With("reservation_id", c.ReservationID).With("status", string(r.Status))
	}
	return []Event{StockShipped{s.SKU, s.Location, c.ReservationID, c.ShipmentID, c.Quantity}}, nil
}
