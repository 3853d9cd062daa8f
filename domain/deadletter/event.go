package deadletter

import (
	"time"

	"github.com/waybill-dev/waybill/domain"
)

// Event is what can have happened to what a handler put aside.
//
//sumtype:decl
type Event interface {
	domain.Event
	event()
}

// Of names an event that was put aside: Number is where it stands in the
// parked stream of its handler.
type Of struct {
	Handler  string `json:"handler"`
	Number   int64  `json:"number"`
	EventID  string `json:"event_id"`
	Stream   string `json:"stream"`
	Revision int64  `json:"revision"`
}

// DeadLetterRetried is recorded when somebody wants the event to be handled once
// more. Whoever runs the handler does, and records what became of it.
type DeadLetterRetried struct {
	Of

	By string    `json:"by"` // id of the API key
	At time.Time `json:"at"`
}

// DeadLetterEdited is recorded when a copy of the event with another payload is
// to be handled in its place. The payload is sealed. The event in the log stays
// as it is.
type DeadLetterEdited struct {
	Of

	SealedData []byte    `json:"sealed_data"`
	Reason     string    `json:"reason"` // a word
	By         string    `json:"by"`     // id of the API key
	At         time.Time `json:"at"`
}

// DeadLetterHandled is recorded when a retry succeeded.
type DeadLetterHandled struct {
	Of

	At time.Time `json:"at"`
}

// DeadLetterFailed is recorded when a retry failed: the event is put aside as
// before. The error is sealed, for it may tell of people.
type DeadLetterFailed struct {
	Of

	SealedError []byte    `json:"sealed_error"`
	At          time.Time `json:"at"`
}

// DeadLetterDiscarded is recorded when somebody decided that the event shall not
// be handled.
type DeadLetterDiscarded struct {
	Of

	Reason string    `json:"reason"` // a word
	By     string    `json:"by"`     // id of the API key
	At     time.Time `json:"at"`
}

// EventName implements [domain.Event].
func (DeadLetterRetried) EventName() string { return "DeadLetterRetried" }

// EventName implements [domain.Event].
func (DeadLetterEdited) EventName() string { return "DeadLetterEdited" }

// EventName implements [domain.Event].
func (DeadLetterHandled) EventName() string { return "DeadLetterHandled" }

// EventName implements [domain.Event].
func (DeadLetterFailed) EventName() string { return "DeadLetterFailed" }

// EventName implements [domain.Event].
func (DeadLetterDiscarded) EventName() string { return "DeadLetterDiscarded" }

func (DeadLetterRetried) event()   {}
func (DeadLetterEdited) event()    {}
func (DeadLetterHandled) event()   {}
func (DeadLetterFailed) event()    {}
func (DeadLetterDiscarded) event() {}

// EventTypes describes every event of this package.
func EventTypes() []domain.EventType {
	return domain.EventTypes(DeadLetterRetried{}, DeadLetterEdited{}, DeadLetterHandled{}, DeadLetterFailed{}, DeadLetterDiscarded{})
}
