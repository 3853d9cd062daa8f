package order

import (
	"fmt"
	"slices"
)

func (s State) requestFulfilment(c RequestFulfilment) ([]Event, error) {
	e := OrderFulfilmentRequested{s.OrderID, c.RequestID, c.Location, slices.Clone(c.Lines)}
	if first, known := find(s.Requests, func(r OrderFulfilmentRequested) bool { return r.RequestID == c.RequestID }); known {
		return nil, once(first, e, "request_id", c.RequestID)
	}
	var m mistakes
	m.name(c.RequestID, "/request_id")
	m.units(s, c.Lines)
	for i, u := range c.Lines {
		line, known := s.Line(u.LineID)
		m.unless(!known || line.Location == c.Location, fmt.Sprintf("/lines/%d/line_id", i), "the line comes from another location")
	}
	if err := m.err(); err != nil {
		return nil, err
	}
	return s.record(e, func() error {
		return s.within(c.Lines, func(l Line, p Progress) int { return s.Left(l) - p.Requested })
	})
}

func (s State) ship(c Ship) ([]Event, error) {
	e := OrderShipped{s.OrderID, c.ShipmentID, slices.Clone(c.Lines), c.Carrier, c.Tracking, c.At}
	if first, known := s.shipment(c.ShipmentID); known {
		e.ShippedAt = first.Shipped.ShippedAt
		return nil, once(first.Shipped, e, "shipment_id", c.ShipmentID)
	}
	var m mistakes
	m.name(c.ShipmentID, "/shipment_id")
	m.carrier(c.Carrier, "/carrier")
	m.optionalName(c.Tracking, "/tracking")
	m.units(s, c.Lines)
	if err := m.err(); err != nil {
		return nil, err
	}
	return s.record(e, func() error {
		return s.within(c.Lines, func(l Line, _ Progress) int { return s.Left(l) })
	})
}

func (s State) shipment(id string) (Shipment, bool) {
	return find(s.Shipments, func(p Shipment) bool { return p.Shipped.ShipmentID == id })
}

func (s State) markDelivered(c MarkDelivered) ([]Event, error) {
	parcel, known := s.shipment(c.ShipmentID)
	switch {
	case !known:
		return nil, ErrUnknown.With("shipment_id", c.ShipmentID)
	case parcel.Delivered:
		return nil, nil
	}
	return s.record(OrderDelivered{s.OrderID, c.ShipmentID, c.At})
}

func (s State) failShipment(c FailShipment) ([]Event, error) {
	var m mistakes
	m.word(c.Reason, "/reason")
	if err := m.err(); err != nil {
		return nil, err
	}
	parcel, known := s.shipment(c.ShipmentID)
	switch {
	case !known:
		return nil, ErrUnknown.With("shipment_id", c.ShipmentID)
	case parcel.Failed == c.Reason:
		return nil, nil
	case parcel.Delivered:
		return nil, ErrTransition.With("state", "delivered").With("command", "fail-shipment").With("allowed", []string{})
	}
	return []Event{OrderShipmentFailed{s.OrderID, c.ShipmentID, c.Reason}}, nil
}

func (s State) requestReturn(c RequestReturn) ([]Event, error) {
	c.External.Time = instant(c.External.Time)
	e := OrderReturnRequested{s.OrderID, c.ReturnID, slices.Clone(c.Lines), c.Kind, c.External}
	if first, known := s.returning(c.ReturnID); known {
		return nil, once(first.Requested, e, "return_id", c.ReturnID)
	}
	var m mistakes
	units := make([]Units, len(c.Lines))
	m.name(c.ReturnID, "/return_id")
	m.unless(c.Kind == ForRefund || c.Kind == ForExchange, "/kind", "refund or exchange")
	if c.External != (External{}) {
		m.name(c.External.Source, "/external/source")
		m.name(c.External.Ref, "/external/ref")
		m.unless(!c.External.Time.IsZero(), "/external/time", "when it came about")
	}
	for i, l := range c.Lines {
		units[i] = Units{l.LineID, l.Quantity}
		m.word(l.Reason, fmt.Sprintf("/lines/%d/reason", i))
	}
	m.units(s, units)
	if err := m.err(); err != nil {
		return nil, err
	}
	return s.record(e, func() error {
		return s.within(units, func(_ Line, p Progress) int { return p.Shipped - p.Returning - p.Returned })
	})
}

func (s State) returning(id string) (Return, bool) {
	return find(s.Returns, func(r Return) bool { return r.Requested.ReturnID == id })
}

func (s State) receiveReturn(c ReceiveReturn) ([]Event, error) {
	asked, known := s.returning(c.ReturnID)
	switch {
	case !known:
		return nil, ErrUnknown.With("return_id", c.ReturnID)
	case asked.Status == ReturnReceived:
		return nil, once(asked.Received, slices.Clone(c.Lines), "return_id", c.ReturnID)
	case asked.Status == ReturnRejected:
		return nil, ErrTransition.With("state", string(asked.Status)).With("command", "receive-return").With("allowed", []string{})
	}
	units, err := s.received(c.Lines)
	if err != nil {
		return nil, err
	}
	return s.record(OrderReturnReceived{s.OrderID, c.ReturnID, slices.Clone(c.Lines)}, func() error {
		return s.within(units, func(l Line, _ Progress) int {
			wanted, _ := find(asked.Requested.Lines, func(u ReturnedUnits) bool { return u.LineID == l.LineID })
			return wanted.Quantity
		})
	})
}

// received sums what came back of each line. A line may be there twice: with
// units to sell again, and with others.
func (s State) received(lines []ReceivedUnits) ([]Units, error) {
	var m mistakes
	var units []Units
	for i, l := range lines {
		m.unless(!slices.ContainsFunc(lines[:i], func(o ReceivedUnits) bool { return o.LineID == l.LineID && o.Restock == l.Restock }),
			fmt.Sprintf("/lines/%d/line_id", i), "the line is there twice")
		m.unless(l.Quantity >= 1 && l.Quantity <= MaxQuantity, fmt.Sprintf("/lines/%d/quantity", i), fmt.Sprintf("1 to %d", MaxQuantity))
		if j := slices.IndexFunc(units, func(u Units) bool { return u.LineID == l.LineID }); j >= 0 {
			units[j].Quantity += l.Quantity
		} else {
			units = append(units, Units{l.LineID, l.Quantity})
		}
	}
	if len(m) == 0 {
		m.units(s, units)
	}
	return units, m.err()
}

func (s State) rejectReturn(c RejectReturn) ([]Event, error) {
	var m mistakes
	m.word(c.Reason, "/reason")
	if err := m.err(); err != nil {
		return nil, err
	}
	asked, known := s.returning(c.ReturnID)
	switch {
	case !known:
		return nil, ErrUnknown.With("return_id", c.ReturnID)
	case asked.Status == ReturnRejected:
		return nil, once(asked.Reason, c.Reason, "return_id", c.ReturnID)
	case asked.Status == ReturnReceived:
		return nil, ErrTransition.With("state", string(asked.Status)).With("command", "reject-return").With("allowed", []string{})
	}
	return []Event{OrderReturnRejected{s.OrderID, c.ReturnID, c.Reason}}, nil
}

// within refuses more units than there are.
func (s State) within(units []Units, available func(Line, Progress) int) error {
	for _, u := range units {
		line, _ := s.Line(u.LineID)
		if n := available(line, s.PerLine[u.LineID]); u.Quantity > n {
			return ErrQuantity.With("line_id", u.LineID).With("requested", u.Quantity).With("available", max(n, 0))
		}
	}
	return nil
}
