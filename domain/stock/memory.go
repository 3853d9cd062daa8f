package stock

import (
	"errors"
	"time"
)

// Memory is what the log tells of one thing that an item has forgotten: a
// reservation, or the reference of a delivery, an adjustment or a return.
type Memory struct {
	Key    string
	state  State
	latest time.Time // the item's time
}

// Forgotten returns what is to be looked up for the answer [ErrForgotten]: fold
// all of the item's events with [Memory.With], and decide the command on the
// state that [State.Recall] returns.
func Forgotten(err error) (Memory, bool) {
	f, ok := errors.AsType[*forgottenError](err)
	if !ok {
		return Memory{}, false
	}
	return Memory{Key: f.key}, true
}

// forgottenError is ErrForgotten about something.
type forgottenError struct{ key string }

// Error implements error.
func (e *forgottenError) Error() string { return ErrForgotten.Error() + " about " + e.key }

// Is makes it an ErrForgotten.
func (*forgottenError) Is(target error) bool { return target == ErrForgotten }

// With folds an event, if it is about what is looked for.
func (m Memory) With(e Event) Memory {
	if e, ok := e.(StockReserved); ok && e.ExpiresAt.After(m.latest) {
		m.latest = plain(e.ExpiresAt)
	}
	if keyOf(e) == m.Key {
		m.state = evolve(m.state, e)
	}
	return m
}

// Recall returns the state to decide a command on that might repeat something
// forgotten. Fold what it causes onto the state without. Where so much time went
// by since the log was asked that something can have been made and forgotten, it
// is to be asked again.
func (s State) Recall(m Memory) State {
	if s.latest.Sub(m.latest) < s.lasts() {
		s.memory = &m
	}
	return s
}

func reservationKey(id string) string { return "reservation:" + id }
func receiptKey(ref string) string    { return "receipt:" + ref }
func adjustmentKey(ref string) string { return "adjustment:" + ref }
func returnKey(id string) string      { return "return:" + id }

// keyOf returns what may be forgotten of an event.
func keyOf(e Event) string {
	switch e := e.(type) {
	case StockReceived:
		return receiptKey(e.Ref)
	case StockAdjusted:
		return adjustmentKey(e.Ref)
	case StockReturned:
		return returnKey(e.ReturnID)
	case StockReserved:
		return reservationKey(e.ReservationID)
	case StockReservationExtended:
		return reservationKey(e.ReservationID)
	case StockReservationReleased:
		return reservationKey(e.ReservationID)
	case StockCommitted:
		return reservationKey(e.ReservationID)
	case StockShipped:
		return reservationKey(e.ReservationID)
	case StockItemRegistered, StockPolicyChanged, StockShortfallDetected:
	}
	return ""
}
