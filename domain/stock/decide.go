package stock

import (
	"fmt"
	"time"

	"github.com/waybill-dev/waybill/domain"
)

// maxSwept bounds how many expired reservations one command releases, so that
// what it causes fits into one append.
const maxSwept = 1_000

func decide(s State, c Command) ([]Event, error) {
	switch c := c.(type) {
	case Register:
		return register(s, c)
	case Receive:
		return receive(s, c)
	case Reserve:
		return reserve(s, c)
	case Extend:
		return extend(s, c)
	case Release:
		return release(s, c)
	case Commit:
		return commit(s, c)
	}
	panic(fmt.Sprintf("stock: unknown command %T", c))
}

func register(s State, c Register) ([]Event, error) {
	if err := checkItem(c.Location, c.SKU); err != nil {
		return nil, err
	}
	if c.Policy != Deny && c.Policy != Backorder || c.BackorderLimit < 0 || c.BackorderLimit > MaxReceived ||
		c.Policy == Deny && c.BackorderLimit > 0 {
		return nil, ErrInvalid.Because(domain.Mistake{
			Pointer: "/policy", Code: "invalid-policy", Detail: "the policy is deny, or backorder with a limit",
		})
	}
	if s.Known() {
		if s.Policy == c.Policy && s.BackorderLimit == c.BackorderLimit {
			return nil, nil
		}
		return nil, ErrIDReused.With("sku", c.SKU).With("location", c.Location)
	}
	return []Event{StockItemRegistered{c.SKU, c.Location, c.Policy, c.BackorderLimit}}, nil
}

func receive(s State, c Receive) ([]Event, error) {
	if err := checkItem(c.Location, c.SKU); err != nil {
		return nil, err
	}
	if c.Quantity < 1 || c.Quantity > MaxReceived {
		return nil, ErrInvalid.Because(domain.Mistake{
			Pointer: "/quantity", Code: "invalid-quantity", Detail: fmt.Sprintf("1 to %d units arrive at once", MaxReceived),
		})
	}
	if quantity, done := s.receipts.get(c.Ref); done {
		if quantity == c.Quantity {
			return nil, nil
		}
		return nil, ErrIDReused.With("ref", c.Ref)
	}
	received := StockReceived{c.SKU, c.Location, c.Quantity, c.Ref}
	if s.Known() {
		return []Event{received}, nil
	}
	return []Event{StockItemRegistered{SKU: c.SKU, Location: c.Location, Policy: Deny}, received}, nil
}

func reserve(s State, c Reserve) ([]Event, error) {
	if c.Quantity < 1 {
		return nil, ErrInvalid.Because(domain.Mistake{
			Pointer: "/quantity", Code: "invalid-quantity", Detail: "at least one unit is reserved",
		})
	}
	r, made := s.Reservation(c.ReservationID)
	switch {
	case !made:
	case r.Quantity != c.Quantity || r.CheckoutID != c.CheckoutID:
		return nil, ErrConflict.With("reservation_id", c.ReservationID)
	case r.Status != StatusReleased:
		return nil, nil
	case r.Reason != Expired:
		return nil, ErrConflict.With("reservation_id", c.ReservationID).With("released", string(r.Reason))
	}
	taken, ok := take(s, c)
	if !ok {
		return nil, ErrOutOfStock.With("sku", c.SKU).With("location", c.Location).
			With("requested", c.Quantity).With("available", max(0, s.Available()))
	}
	return taken, nil
}

// take sets units aside, where it must by releasing what has expired. It
// reports false when there are not enough.
func take(s State, c Reserve) ([]Event, bool) {
	var events []Event
	if s.Available() < c.Quantity {
		if s, events = sweep(s, c); s.Available() < c.Quantity {
			return nil, false
		}
	}
	onHand := max(0, s.OnHand-s.Reserved-s.Committed)
	return append(events, StockReserved{
		SKU: s.SKU, Location: s.Location, ReservationID: c.ReservationID, CheckoutID: c.CheckoutID,
		Quantity: c.Quantity, ExpiresAt: c.ExpiresAt, BackorderedQuantity: max(0, c.Quantity-onHand),
	}), true
}

// sweep releases expired reservations until there is enough.
func sweep(s State, c Reserve) (State, []Event) {
	if s.nextExpiry.After(c.At) {
		return s, nil
	}
	var events []Event
	swept := s
	for id, expires := range s.open.all() {
		if expires.After(c.At) {
			continue
		}
		r, _ := s.Reservation(id)
		e := StockReservationReleased{s.SKU, s.Location, id, r.Quantity, Expired, false}
		events = append(events, e)
		if swept = evolve(swept, e); swept.Available() >= c.Quantity || len(events) == maxSwept {
			break
		}
	}
	return swept, events
}

func extend(s State, c Extend) ([]Event, error) {
	r, made := s.Reservation(c.ReservationID)
	switch {
	case !made:
		return nil, ErrExpired.With("reservation_id", c.ReservationID)
	case r.Status == StatusCommitted, r.Status == StatusReserved && !c.ExpiresAt.After(r.ExpiresAt):
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
	events, ok := take(s, Reserve{
		ReservationID: id, CheckoutID: r.CheckoutID, Quantity: r.Quantity, ExpiresAt: expires, At: now,
	})
	if !ok {
		return nil, ErrExpired.With("reservation_id", id)
	}
	return events, nil
}

func release(s State, c Release) ([]Event, error) {
	r, made := s.Reservation(c.ReservationID)
	if !made || r.Status == StatusReleased {
		return nil, nil
	}
	return []Event{StockReservationReleased{
		s.SKU, s.Location, c.ReservationID, r.Quantity, c.Reason, r.Status == StatusCommitted,
	}}, nil
}

func commit(s State, c Commit) ([]Event, error) {
	r, made := s.Reservation(c.ReservationID)
	if !made {
		return nil, ErrExpired.With("reservation_id", c.ReservationID)
	}
	committed := StockCommitted{s.SKU, s.Location, c.ReservationID, c.OrderID, r.Quantity}
	switch r.Status {
	case StatusReserved:
		return []Event{committed}, nil
	case StatusCommitted:
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

func checkItem(location, sku string) error {
	var m []domain.Mistake
	if !domain.ValidLocation(location) {
		m = append(m, domain.Mistake{Pointer: "/location", Code: "invalid-location", Detail: `a location has 1 to 64 letters, digits, "-" and "_"`})
	}
	if !domain.ValidSKU(sku) {
		m = append(m, domain.Mistake{Pointer: "/sku", Code: "invalid-sku", Detail: `a SKU has 1 to 64 letters, digits and signs of "-_.+:"`})
	}
	if len(m) > 0 {
		return ErrInvalid.Because(m...)
	}
	return nil
}
