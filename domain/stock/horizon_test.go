package stock_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/domain/stock"
)

// sold is a reservation that was made at a time, for a quarter of an hour, and
// what became of it.
func sold(id string, at time.Time, then ...stock.Event) []stock.Event {
	r := reserved(id, 1)
	r.ExpiresAt = at.Add(15 * time.Minute)
	return append([]stock.Event{r}, then...)
}

func shippedAt(id string, at time.Time) []stock.Event {
	return sold(id, at, committed(id, 1), shipped(id, "s", 1))
}

// An item that sells all the time remembers what was over in the last minute,
// and not its last thousand sales; what expired it remembers by number.
func TestWhatIsOverForGoodIsForgottenAfterAWhile(t *testing.T) {
	t.Parallel()
	s := stock.Decider.Fold(stock.State{}, registered, stock.StockReceived{SKU: "MUG-1", Location: "main", Quantity: 10_000, Ref: "d"})
	s = stock.Decider.Fold(s, sold("expired", noon, released("expired", 1, stock.Expired, false))...)
	at := noon
	for i := range 600 {
		at = at.Add(time.Second)
		s = stock.Decider.Fold(s, shippedAt(fmt.Sprint(i), at)...)
	}
	if size := s.Size(); size < 60 || size > 65 {
		t.Errorf("%d things are remembered, want a minute's", size)
	}
	for id, known := range map[string]bool{"599": true, "545": true, "530": false, "0": false, "expired": true} {
		if _, is := s.Reservation(id); is != known {
			t.Errorf("reservation %s is known: %v, want %v", id, is, known)
		}
	}
	// Nobody who comes has to be looked for in the log, neither with a cart nor
	// with an edit, whose reservation lasts shorter.
	for _, c := range []stock.Reserve{
		{ReservationID: "new", ExpiresAt: at.Add(15 * time.Minute)}, {ReservationID: stock.ForEdit + "new", ExpiresAt: at.Add(5 * time.Minute)},
	} {
		c.Location, c.SKU, c.CheckoutID, c.Quantity, c.At = "main", "MUG-1", "c", 1, at
		if _, err := stock.Decider.Decide(s, c); err != nil {
			t.Errorf("%s: %v", c.ReservationID, err)
		}
	}
	// Who repeats something old is.
	old := stock.Reserve{Location: "main", SKU: "MUG-1", ReservationID: "3", CheckoutID: "c", Quantity: 1, ExpiresAt: noon.Add(4*time.Second + 15*time.Minute), At: at}
	for _, c := range []stock.Command{old, stock.Commit{ReservationID: "3", OrderID: "o", At: at}, stock.Ship{ReservationID: "3", ShipmentID: "s", Quantity: 1}} {
		if _, err := stock.Decider.Decide(s, c); !errors.Is(err, stock.ErrForgotten) {
			t.Errorf("%T again: %v, want that the log is asked", c, err)
		}
	}
}

// A reservation that was extended holds the horizon back: else everybody who
// comes before its time were to be looked for in the log.
func TestWhatLastsLongIsRememberedUntilOthersLastAsLong(t *testing.T) {
	t.Parallel()
	s := stock.Decider.Fold(stock.State{}, registered, received)
	s = stock.Decider.Fold(s, sold("long", noon,
		stock.StockReservationExtended{SKU: "MUG-1", Location: "main", ReservationID: "long", ExpiresAt: noon.Add(30 * time.Minute)},
		released("long", 1, stock.Declined, false))...)
	for minute := range 20 {
		at := noon.Add(time.Duration(minute) * time.Minute)
		id := fmt.Sprint(minute)
		s = stock.Decider.Fold(s, sold(id, at, released(id, 1, stock.Declined, false))...)
		if _, known := s.Reservation("long"); known != (minute < 16) {
			t.Errorf("in minute %d it is known: %v", minute, known)
		}
		c := stock.Reserve{Location: "main", SKU: "MUG-1", ReservationID: "new", CheckoutID: "c", Quantity: 1, ExpiresAt: at.Add(15 * time.Minute), At: at}
		if _, err := stock.Decider.Decide(s, c); err != nil {
			t.Errorf("in minute %d: %v", minute, err)
		}
	}
}

// What the log told holds for as long as nothing can have been made and
// forgotten since.
func TestWhatTheLogToldIsNotBelievedForLong(t *testing.T) {
	t.Parallel()
	history := append(events{registered, received}, shippedAt("first", noon)...)
	s := stock.Decider.Fold(stock.State{}, append(history, shippedAt("second", noon.Add(2*time.Minute))...)...)
	again := stock.Commit{ReservationID: "first", OrderID: "o", At: noon}
	_, err := stock.Decider.Decide(s, again)
	memory, forgotten := stock.Forgotten(err)
	if !forgotten {
		t.Fatalf("error = %v, want that it is forgotten", err)
	}
	for _, e := range history { // but not what came after it
		memory = memory.With(e)
	}
	if _, err := stock.Decider.Decide(s.Recall(memory), again); !errors.Is(err, stock.ErrForgotten) {
		t.Errorf("with what the log told long ago: %v, want that it is asked again", err)
	}
	for _, e := range shippedAt("second", noon.Add(2*time.Minute)) {
		memory = memory.With(e)
	}
	if got, err := stock.Decider.Decide(s.Recall(memory), again); err != nil || len(got) > 0 {
		t.Errorf("with what the log tells now: %v, %v", got, err)
	}
}
