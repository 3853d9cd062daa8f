package order

import (
	"fmt"
	"slices"

	"github.com/waybill-dev/waybill/domain"
)

func (s State) requestCancel(c RequestCancel) ([]Event, error) {
	var m mistakes
	m.name(c.RequestID, "/request_id")
	m.word(c.Reason, "/reason")
	m.name(c.By, "/by")
	if err := m.err(); err != nil {
		return nil, err
	}
	e := OrderCancelRequested{s.OrderID, c.RequestID, c.Reason, c.By}
	if first, known := find(s.CancelRequests, func(r OrderCancelRequested) bool { return r.RequestID == c.RequestID }); known {
		return nil, once(first, e, "request_id", c.RequestID)
	}
	return s.record(e)
}

func (s State) cancel(c Cancel) ([]Event, error) {
	e := OrderCancelled{OrderID: s.OrderID, Released: some(c.Released)}
	var m mistakes
	var err error
	if e.Refunded, err = s.undone(&m, c.Refunded, "/refunded"); err != nil {
		return nil, err
	}
	if e.Voided, err = s.undone(&m, c.Voided, "/voided"); err != nil {
		return nil, err
	}
	for i, id := range c.Released {
		m.name(id, fmt.Sprintf("/released/%d", i))
	}
	if err := m.err(); err != nil {
		return nil, err
	}
	if c := s.Cancelled; c.Refunded == e.Refunded && c.Voided == e.Voided && slices.Equal(c.Released, e.Released) {
		return nil, nil
	}
	if n := len(s.CancelRequests); n > 0 {
		e.Reason = s.CancelRequests[n-1].Reason
	}
	for _, l := range s.Lines {
		if left := s.Left(l); left > 0 {
			e.Lines = append(e.Lines, Units{l.LineID, left})
		}
	}
	return s.record(e)
}

// undone is an amount that was given back; none is nothing of the order's
// currency.
func (s State) undone(m *mistakes, amount domain.Money, pointer string) (domain.Money, error) {
	if amount == (domain.Money{}) {
		amount.Currency = s.Currency
	}
	m.unless(amount.Amount >= 0, pointer, "not negative")
	return amount, s.inCurrency(amount)
}

func (s State) refuseCancel(c RefuseCancel) ([]Event, error) {
	var m mistakes
	m.name(c.Reason, "/reason")
	if err := m.err(); err != nil {
		return nil, err
	}
	e := OrderCancelRefused{s.OrderID, c.Reason}
	if s.CancelRefused == e {
		return nil, nil
	}
	return s.record(e)
}
