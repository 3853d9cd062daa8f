package stock_test

import (
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/domain/stock"
)

// model is a stock item as the specification tells it, in plain maps, without
// anything clever: it never forgets.
type model struct {
	policy        stock.Policy
	limit, onHand int
	reservations  map[string]*entry
	refs          map[string]int
}

type entry struct {
	id, checkout, order string
	quantity, shipped   int
	status              stock.Status
	reason              stock.Reason
	expires             time.Time
	shipments           map[string]int
}

func (m *model) promised() (reserved, committed int) {
	for _, r := range m.reservations {
		switch r.status {
		case stock.StatusReserved:
			reserved += r.quantity
		case stock.StatusCommitted:
			committed += r.quantity - r.shipped
		case stock.StatusReleased, stock.StatusShipped:
		}
	}
	return reserved, committed
}

func (m *model) available() int {
	reserved, committed := m.promised()
	return m.onHand + m.limit - reserved - committed
}

// ref reports whether a reference is new, and otherwise what is said about it.
func (m *model) ref(key string, quantity int) (isNew bool, err error) {
	before, used := m.refs[key]
	switch {
	case !used:
		m.refs[key] = quantity
		return true, nil
	case before != quantity:
		return false, stock.ErrIDReused
	}
	return false, nil
}

// do does a command and reports whether it changed anything. remembered says
// whether the item still knows the reservation: what is over for long need not
// be closed for good.
func (m *model) do(c stock.Command, remembered func(id string) bool) (changed bool, err error) {
	switch c := c.(type) {
	case stock.Register:
		return false, nil
	case stock.SetPolicy:
		if c.Policy == stock.Deny && c.BackorderLimit > 0 {
			return false, stock.ErrInvalid
		}
		changed = c.Policy != m.policy || c.BackorderLimit != m.limit
		m.policy, m.limit = c.Policy, c.BackorderLimit
	case stock.Receive:
		if changed, err = m.ref("delivery "+c.Ref, c.Quantity); changed {
			m.onHand += c.Quantity
		}
	case stock.Return:
		if changed, err = m.ref("return "+c.ReturnID, c.Quantity); changed {
			m.onHand += c.Quantity
		}
	case stock.Adjust:
		if _, used := m.refs["adjustment "+c.Ref]; !used && c.Delta < 0 && m.onHand+c.Delta < 0 {
			return false, stock.ErrInvalid
		}
		if changed, err = m.ref("adjustment "+c.Ref, c.Delta); changed {
			m.onHand += c.Delta
		}
	case stock.Reserve:
		return m.reserve(c)
	case stock.Extend:
		return m.extend(c)
	case stock.Release:
		return m.release(c, remembered)
	case stock.Commit:
		return m.commit(c)
	case stock.Ship:
		return m.ship(c)
	case stock.Sweep:
		expired := m.expired(c.At)
		for _, r := range expired {
			r.status, r.reason = stock.StatusReleased, stock.Expired
		}
		return len(expired) > 0, nil
	}
	return changed, err
}

func (m *model) expired(at time.Time) (found []*entry) {
	for _, r := range m.reservations {
		if r.status == stock.StatusReserved && !r.expires.After(at) {
			found = append(found, r)
		}
	}
	slices.SortFunc(found, func(a, b *entry) int {
		if c := a.expires.Compare(b.expires); c != 0 {
			return c
		}
		return strings.Compare(a.id, b.id)
	})
	return found
}

func (m *model) reserve(c stock.Reserve) (bool, error) {
	if r := m.reservations[c.ReservationID]; r != nil {
		switch {
		case r.quantity != c.Quantity || r.checkout != c.CheckoutID:
			return false, stock.ErrConflict
		case r.status != stock.StatusReleased:
			return false, nil
		case r.reason != stock.Expired:
			return false, stock.ErrConflict
		}
	}
	return m.take(c)
}

func (m *model) take(c stock.Reserve) (bool, error) {
	free, expired := m.available(), m.expired(c.At)
	for _, r := range expired {
		if free >= c.Quantity {
			break
		}
		free += r.quantity
	}
	switch {
	case free >= c.Quantity:
	case len(expired) > 0:
		return false, stock.ErrCrowded
	default:
		return false, stock.ErrOutOfStock
	}
	for _, r := range expired {
		if m.available() < c.Quantity {
			r.status, r.reason = stock.StatusReleased, stock.Expired
		}
	}
	m.reservations[c.ReservationID] = &entry{
		id: c.ReservationID, checkout: c.CheckoutID, quantity: c.Quantity, expires: c.ExpiresAt,
		status: stock.StatusReserved, shipments: map[string]int{},
	}
	return true, nil
}

func (m *model) again(r *entry, expires, at time.Time) (bool, error) {
	if r.reason != stock.Expired {
		return false, stock.ErrConflict
	}
	changed, err := m.take(stock.Reserve{ReservationID: r.id, CheckoutID: r.checkout, Quantity: r.quantity, ExpiresAt: expires, At: at})
	if err == stock.ErrOutOfStock { //nolint:errorlint // of this model
		err = stock.ErrExpired
	}
	return changed, err
}

func (m *model) extend(c stock.Extend) (bool, error) {
	r := m.reservations[c.ReservationID]
	switch {
	case r == nil:
		return false, stock.ErrExpired
	case r.status == stock.StatusReleased:
		return m.again(r, c.ExpiresAt, c.At)
	case r.status != stock.StatusReserved || !c.ExpiresAt.After(r.expires):
		return false, nil
	}
	r.expires = c.ExpiresAt
	return true, nil
}

func (m *model) release(c stock.Release, remembered func(string) bool) (bool, error) {
	r := m.reservations[c.ReservationID]
	switch {
	case r == nil, r.status == stock.StatusShipped:
		return false, nil
	case r.status == stock.StatusReleased:
		if r.reason != stock.Expired || c.Reason == stock.Expired || !remembered(r.id) {
			return false, nil
		}
	}
	if c.Keep > 0 {
		if kept := max(c.Keep, r.shipped); r.status == stock.StatusReleased || kept >= r.quantity {
			return false, nil
		} else if r.quantity = kept; r.shipped == kept {
			r.status = stock.StatusShipped
		}
		return true, nil
	}
	r.status, r.reason = stock.StatusReleased, c.Reason
	return true, nil
}

func (m *model) commit(c stock.Commit) (bool, error) {
	r := m.reservations[c.ReservationID]
	if r == nil {
		return false, stock.ErrExpired
	}
	switch r.status {
	case stock.StatusCommitted, stock.StatusShipped:
		if r.order != c.OrderID {
			return false, stock.ErrConflict
		}
		return false, nil
	case stock.StatusReleased:
		if changed, err := m.again(r, c.At, c.At); err != nil {
			return changed, err
		}
		r = m.reservations[c.ReservationID]
	case stock.StatusReserved:
	}
	r.status, r.order = stock.StatusCommitted, c.OrderID
	return true, nil
}

func (m *model) ship(c stock.Ship) (bool, error) {
	r := m.reservations[c.ReservationID]
	if r == nil {
		return false, stock.ErrConflict
	}
	before, done := r.shipments[c.ShipmentID]
	switch {
	case done && before == c.Quantity:
		return false, nil
	case done:
		return false, stock.ErrIDReused
	case r.status == stock.StatusShipped, r.status == stock.StatusCommitted && c.Quantity > r.quantity-r.shipped:
		return false, stock.ErrInvalid
	case r.status != stock.StatusCommitted:
		return false, stock.ErrConflict
	}
	r.shipments[c.ShipmentID] = c.Quantity
	r.shipped += c.Quantity
	m.onHand -= c.Quantity
	if r.shipped == r.quantity {
		r.status = stock.StatusShipped
	}
	return true, nil
}
