package stock

import "time"

func evolve(s State, e Event) State {
	switch e := e.(type) {
	case StockItemRegistered:
		s.SKU, s.Location, s.Policy, s.BackorderLimit = e.SKU, e.Location, e.Policy, e.BackorderLimit
	case StockReceived:
		s.OnHand += e.Quantity
		s.receipts = s.receipts.with(e.Ref, e.Quantity)
	case StockReserved:
		s.Reserved += e.Quantity
		s.reservations = s.reservations.with(e.ReservationID, &Reservation{
			Status: StatusReserved, CheckoutID: e.CheckoutID, Quantity: e.Quantity, ExpiresAt: e.ExpiresAt,
		})
		s = opened(s, e.ReservationID, e.ExpiresAt)
	case StockReservationExtended:
		s = changed(s, e.ReservationID, func(r *Reservation) { r.ExpiresAt = e.ExpiresAt })
		s = opened(s, e.ReservationID, e.ExpiresAt)
	case StockReservationReleased:
		if e.Committed {
			s.Committed -= e.Quantity
		} else {
			s.Reserved -= e.Quantity
		}
		s = closed(s, e.ReservationID, func(r *Reservation) { r.Status, r.OrderID, r.Reason = StatusReleased, "", e.Reason })
	case StockCommitted:
		s.Reserved -= e.Quantity
		s.Committed += e.Quantity
		s = closed(s, e.ReservationID, func(r *Reservation) { r.Status, r.OrderID = StatusCommitted, e.OrderID })
	}
	return s
}

func opened(s State, id string, expires time.Time) State {
	if s.open.size == 0 || expires.Before(s.nextExpiry) {
		s.nextExpiry = expires
	}
	s.open = s.open.with(id, expires)
	return s
}

func closed(s State, id string, change func(*Reservation)) State {
	s = changed(s, id, change)
	s.open = s.open.without(id)
	return s
}

func changed(s State, id string, change func(*Reservation)) State {
	r, _ := s.Reservation(id)
	change(&r)
	s.reservations = s.reservations.with(id, &r)
	return s
}
