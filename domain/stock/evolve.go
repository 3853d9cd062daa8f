package stock

import "time"

func evolve(s State, e Event) State {
	switch e := e.(type) {
	case StockItemRegistered:
		s.SKU, s.Location, s.Policy, s.BackorderLimit = e.SKU, e.Location, e.Policy, e.BackorderLimit
	case StockPolicyChanged:
		s.Policy, s.BackorderLimit = e.Policy, e.BackorderLimit
	case StockReceived:
		s.OnHand += e.Quantity
		s = noted(s, receiptKey(e.Ref), e.Quantity)
	case StockAdjusted:
		s.OnHand += e.Delta
		s = noted(s, adjustmentKey(e.Ref), e.Delta)
	case StockReturned:
		s.OnHand += e.Quantity
		s = noted(s, returnKey(e.ReturnID), e.Quantity)
	case StockReserved:
		s = reserved(s, e)
	case StockReservationExtended:
		s = changed(s, e.ReservationID, func(r *Reservation) { r.ExpiresAt = plain(e.ExpiresAt) })
	case StockReservationReleased:
		if e.Committed {
			s.Committed -= e.Quantity
		} else {
			s.Reserved -= e.Quantity
		}
		s = changed(s, e.ReservationID, func(r *Reservation) { r.release(e) })
	case StockCommitted:
		s.Reserved -= e.Quantity
		s.Committed += e.Quantity
		s = changed(s, e.ReservationID, func(r *Reservation) { r.Status, r.OrderID = StatusCommitted, e.OrderID })
	case StockShipped:
		s.OnHand -= e.Quantity
		s.Committed -= e.Quantity
		s = changed(s, e.ReservationID, func(r *Reservation) { r.ship(e.ShipmentID, e.Quantity) })
	case StockShortfallDetected:
	}
	return s
}

// plain is the same time without what does not survive being stored.
func plain(t time.Time) time.Time { return t.Round(0).UTC() }

func (r *Reservation) ship(id string, quantity int) {
	r.shipments = &shipment{id, quantity, r.shipments}
	if r.Shipped += quantity; r.Shipped >= r.Quantity {
		r.Status = StatusShipped
	}
}

func (r *Reservation) release(e StockReservationReleased) {
	switch {
	case e.Kept == 0:
		r.Status, r.OrderID, r.Reason = StatusReleased, "", e.Reason
	case e.Kept <= r.Shipped:
		r.Quantity, r.Status = e.Kept, StatusShipped
	default:
		r.Quantity = e.Kept
	}
}

func reserved(s State, e StockReserved) State {
	s.Reserved += e.Quantity
	s.made++
	before, _ := s.Reservation(e.ReservationID)
	s.closed, s.lapsed = s.closed.without(e.ReservationID), s.lapsed.without(e.ReservationID)
	if expires := plain(e.ExpiresAt); expires.After(s.latest) {
		s.latest = expires
		s = aged(s)
	}
	return put(s, e.ReservationID, Reservation{
		Status: StatusReserved, CheckoutID: e.CheckoutID, Quantity: e.Quantity, ExpiresAt: plain(e.ExpiresAt),
		until: before.until, number: s.made,
	})
}

// changed changes a reservation. One that was forgotten changed when nobody
// was to know it any more: that cannot be seen.
func changed(s State, id string, change func(*Reservation)) State {
	r, there := s.Reservation(id)
	if !there {
		return s
	}
	if r.Status == StatusReserved {
		s.expiry = s.expiry.without(due{r.ExpiresAt, id})
	}
	change(&r)
	return put(s, id, r)
}

// put keeps a reservation where its status belongs.
func put(s State, id string, r Reservation) State {
	if r.ExpiresAt.After(r.until) {
		r.until = r.ExpiresAt
	}
	if r.Status == StatusReserved {
		s.expiry = s.expiry.with(due{r.ExpiresAt, id})
	}
	if r.Open() {
		s.open = s.open.with(id, &r)
		return s
	}
	s.open = s.open.without(id)
	var lost string
	var last *Reservation
	var forgot bool
	if r.lapsed() {
		s.lapsed, lost, last, forgot = s.lapsed.with(id, &r, s.remembered())
	} else {
		if r.over.IsZero() {
			r.over = s.latest
		}
		s.lapsed = s.lapsed.without(id)
		s.closed, lost, last, forgot = s.closed.with(id, &r, s.remembered())
	}
	if forgot {
		s.horizon = s.horizon.after(lost, last)
	}
	return aged(s)
}

func noted(s State, key string, quantity int) State {
	var lost string
	var forgot bool
	if s.refs, lost, _, forgot = s.refs.with(key, quantity, s.remembered()); forgot {
		s.faded = s.faded.with(lost)
	}
	return s
}

func (s State) remembered() int {
	if s.keep == 0 {
		return Remembered
	}
	return s.keep
}
