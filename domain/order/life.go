package order

import (
	"fmt"
	"slices"

	"github.com/waybill-dev/waybill/domain"
)

// MaxTags is how many tags an order may have.
const MaxTags = 100

func (s State) hold(c Hold) ([]Event, error) {
	var m mistakes
	m.name(c.HoldID, "/hold_id")
	m.unless(slices.Contains([]HoldReason{HoldFraud, HoldManual, HoldAddress, HoldStockShortfall}, c.Reason),
		"/reason", "fraud, manual, address or stock_shortfall")
	m.optionalName(c.NoteRef, "/note_ref")
	if err := m.err(); err != nil {
		return nil, err
	}
	e := OrderHeld{s.OrderID, c.HoldID, c.Reason, c.NoteRef, instant(c.Until)}
	same := func(h OrderHeld) bool { return h.HoldID == c.HoldID }
	for _, holds := range [][]OrderHeld{s.Holds, s.PastHolds} {
		if first, known := find(holds, same); known {
			return nil, once(first, e, "hold_id", c.HoldID)
		}
	}
	return s.record(e)
}

func (s State) release(c ReleaseHold) ([]Event, error) {
	var m mistakes
	m.name(c.By, "/by")
	m.optionalName(c.NoteRef, "/note_ref")
	if err := m.err(); err != nil {
		return nil, err
	}
	e := OrderHoldReleased{s.OrderID, c.By, c.NoteRef}
	if s.Released == e {
		return nil, nil
	}
	return s.record(e)
}

func (s State) note(c AddNote) ([]Event, error) {
	var m mistakes
	m.name(c.NoteID, "/note_id")
	m.name(c.TextRef, "/text_ref")
	m.unless(c.Visibility == Internal || c.Visibility == ForCustomer, "/visibility", "internal or customer")
	if err := m.err(); err != nil {
		return nil, err
	}
	e := OrderNoteAdded{s.OrderID, c.NoteID, c.TextRef, c.Visibility}
	if first, known := find(s.Notes, func(n OrderNoteAdded) bool { return n.NoteID == c.NoteID }); known {
		return nil, once(first, e, "note_id", c.NoteID)
	}
	return []Event{e}, nil
}

func (s State) tag(c Tag) ([]Event, error) {
	var m mistakes
	for i, tag := range c.Add {
		m.unless(domain.ValidLabel(tag), fmt.Sprintf("/add/%d", i), domain.LabelMistake)
		m.unless(!slices.Contains(c.Remove, tag), fmt.Sprintf("/add/%d", i), "both added and removed")
	}
	if err := m.err(); err != nil {
		return nil, err
	}
	e := OrderTagged{
		OrderID: s.OrderID,
		Add:     tags(c.Add, func(t string) bool { return !slices.Contains(s.Tags, t) }),
		Remove:  tags(c.Remove, func(t string) bool { return slices.Contains(s.Tags, t) }),
	}
	m.unless(len(s.Tags)+len(e.Add)-len(e.Remove) <= MaxTags, "/add", fmt.Sprintf("an order has at most %d tags", MaxTags))
	if len(e.Add)+len(e.Remove) == 0 || len(m) > 0 {
		return nil, m.err()
	}
	return []Event{e}, nil
}

// tags are those that make a difference, sorted, each once.
func tags(all []string, wanted func(string) bool) []string {
	all = slices.Clone(all)
	slices.Sort(all)
	return some(slices.DeleteFunc(slices.Compact(all), func(t string) bool { return !wanted(t) }))
}

func (s State) changeAddress(c ChangeAddress) ([]Event, error) {
	var m mistakes
	m.name(c.ShipToRef, "/ship_to_ref")
	m.unless(c.ShipToCountry == "" || domain.ValidCountry(c.ShipToCountry), "/ship_to_country", "a country is a code of ISO 3166, two capital letters")
	if err := m.err(); err != nil {
		return nil, err
	}
	if s.ShipToRef == c.ShipToRef {
		return nil, nil
	}
	return s.record(OrderAddressChanged{OrderID: s.OrderID, ShipToRef: c.ShipToRef, ShipToCountry: c.ShipToCountry}, func() error {
		var told []string
		for _, request := range s.Requests {
			if slices.ContainsFunc(request.Lines, func(u Units) bool { return s.Progress(u.LineID).Requested > 0 }) {
				told = append(told, request.RequestID)
			}
		}
		if len(told) > 0 {
			return ErrHandedOver.With("request_ids", told)
		}
		return nil
	})
}

func (s State) complete(c Complete) ([]Event, error) {
	return s.record(OrderCompleted{s.OrderID, c.At}, func() error {
		if s.Open() {
			return ErrStillOpen
		}
		return nil
	})
}

func (s State) reopen(c Reopen) ([]Event, error) {
	var m mistakes
	m.word(c.Reason, "/reason")
	if err := m.err(); err != nil {
		return nil, err
	}
	e := OrderReopened{s.OrderID, c.Reason}
	if s.Reopened == e {
		return nil, nil
	}
	return s.record(e)
}
