package stock

import "slices"

// maxShortfall bounds how many reservations one event names.
const maxShortfall = 1_000

// Short returns what cannot be kept at present, if anything.
func (s State) Short() (e StockShortfallDetected, short bool) {
	if s.Available() >= 0 {
		return StockShortfallDetected{}, false
	}
	return shortfall(s), true
}

// withShortfall is an event, and the shortfall behind it if it leaves one. What
// does not leave less than before tells none anew.
func withShortfall(s State, e Event, less bool) []Event {
	if after := evolve(s, e); less && after.Available() < 0 {
		return []Event{e, shortfall(after)}
	}
	return []Event{e}
}

// shortfall names the newest reservations that cannot be kept: who came first
// is served first.
func shortfall(s State) StockShortfallDetected {
	e := StockShortfallDetected{SKU: s.SKU, Location: s.Location, Quantity: -s.Available()}
	type entry struct {
		id string
		*Reservation
	}
	entries := make([]entry, 0, s.open.size)
	for id, r := range s.open.all() {
		entries = append(entries, entry{id, r})
	}
	slices.SortFunc(entries, func(a, b entry) int { return b.number - a.number })
	for covered := 0; covered < e.Quantity && len(e.Reservations) < min(len(entries), maxShortfall); {
		r := entries[len(e.Reservations)]
		e.Reservations = append(e.Reservations, Shortfall{r.id, r.CheckoutID, r.OrderID, r.Left()})
		covered += r.Left()
	}
	return e
}
