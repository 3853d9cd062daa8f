// Package deadletter is what people decide about events that a handler of side
// effects put aside: one aggregate for each handler, over the store's own list.
// It promises that an event is handled or discarded once, and that a retry that
// was asked for stays open until its outcome is recorded. It does not know what
// a handler does.
package deadletter

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/domain"
)

// Status is where an event is that was put aside.
type Status string

// Where it may be. One that nobody decided about is put aside.
const (
	Parked    Status = "parked"
	Retrying  Status = "retrying"
	Failed    Status = "failed" // once more, by a retry
	Handled   Status = "handled"
	Discarded Status = "discarded"
)

// Closed reports whether nothing is left to be decided.
func (s Status) Closed() bool { return s == Handled || s == Discarded }

// Rules a decision may be refused by.
var (
	ErrNotFound = domain.Rule("dead-letter-not-found", "the handler has put aside no such event")
	ErrClosed   = domain.Rule("dead-letter-closed", "it was handled or discarded already")
	ErrRetrying = domain.Rule("dead-letter-retrying", "it is being retried")
	ErrInvalid  = domain.Rule("dead-letter-invalid", "the decision is not valid")
)

const edited = "edited"

// Change is one thing that happened to it.
type Change struct {
	Kind   string // of the event: retried, edited, handled, failed, discarded
	By     string
	Reason string
	Sealed []byte // the error, or the payload
	At     time.Time
}

// Letter is what was decided about one event.
type Letter struct {
	Status  Status
	Sealed  []byte // payload of the edited copy; nil without one
	Changes []Change
}

// State is what was decided, by number. It is kept in shelves, so that a change
// copies little of it.
type State struct{ shelves map[int64]map[int64]Letter }

const shelf = 64 // numbers

// Letter is that of a number.
func (s State) Letter(number int64) Letter {
	l := s.shelves[number/shelf][number]
	if l.Status == "" {
		l.Status = Parked
	}
	return l
}

// Command is what may be decided.
//
//sumtype:decl
type Command interface{ command() }

// Retry asks for some to be handled once more. What is closed or being retried
// is left out where there are several.
type Retry struct {
	Of []Of
	By string
	At time.Time
}

// Edit has a copy with another payload handled.
type Edit struct {
	Of         Of
	SealedData []byte
	Reason     string
	By         string
	At         time.Time
}

// Discard decides that it is not to be handled.
type Discard struct {
	Of     Of
	Reason string
	By     string
	At     time.Time
}

// Close records what became of a retry: SealedError is nil when it succeeded.
type Close struct {
	Of          Of
	SealedError []byte
	At          time.Time
}

func (Retry) command()   {}
func (Edit) command()    {}
func (Discard) command() {}
func (Close) command()   {}

// Decider decides about the dead letters of a handler.
var Decider = domain.Decider[State, Command, Event]{Category: "deadletters", Decide: decide, Evolve: evolve}

func decide(s State, c Command) ([]Event, error) {
	switch c := c.(type) {
	case Retry:
		return retry(s, c)
	case Edit:
		return edit(s, c)
	case Discard:
		return discard(s, c)
	case Close:
		return closed(s, c), nil
	}
	panic(fmt.Sprintf("deadletter: unknown command %T", c))
}

func retry(s State, c Retry) (all []Event, err error) {
	for _, of := range c.Of {
		status := s.Letter(of.Number).Status
		switch {
		case status == Retrying:
		case !status.Closed():
			all = append(all, DeadLetterRetried{Of: of, By: c.By, At: c.At})
		case len(c.Of) == 1:
			return nil, ErrClosed.With("status", string(status))
		}
	}
	return all, nil
}

// open refuses a decision about what is closed, or under way.
func open(s State, number int64) error {
	switch status := s.Letter(number).Status; {
	case status.Closed():
		return ErrClosed.With("status", string(status))
	case status == Retrying:
		return ErrRetrying
	}
	return nil
}

func reasoned(reason string) error {
	if domain.ValidWord(reason) {
		return nil
	}
	return ErrInvalid.Because(domain.Mistake{Pointer: "/reason", Code: "not-a-word", Detail: "send " + domain.WordMistake})
}

func edit(s State, c Edit) ([]Event, error) {
	if err := reasoned(c.Reason); err != nil {
		return nil, err
	}
	if l := s.Letter(c.Of.Number); l.Status == Retrying && bytes.Equal(l.Sealed, c.SealedData) {
		return nil, nil
	}
	if err := open(s, c.Of.Number); err != nil {
		return nil, err
	}
	return []Event{
		DeadLetterEdited{Of: c.Of, SealedData: c.SealedData, Reason: c.Reason, By: c.By, At: c.At},
		DeadLetterRetried{Of: c.Of, By: c.By, At: c.At},
	}, nil
}

func discard(s State, c Discard) ([]Event, error) {
	if err := reasoned(c.Reason); err != nil {
		return nil, err
	}
	if s.Letter(c.Of.Number).Status == Discarded {
		return nil, nil
	}
	if err := open(s, c.Of.Number); err != nil {
		return nil, err
	}
	return []Event{DeadLetterDiscarded{Of: c.Of, Reason: c.Reason, By: c.By, At: c.At}}, nil
}

// closed is recorded once for each retry.
func closed(s State, c Close) []Event {
	switch {
	case s.Letter(c.Of.Number).Status != Retrying:
		return nil
	case c.SealedError != nil:
		return []Event{DeadLetterFailed{Of: c.Of, SealedError: c.SealedError, At: c.At}}
	}
	return []Event{DeadLetterHandled{Of: c.Of, At: c.At}}
}

func evolve(s State, e Event) State {
	switch e := e.(type) {
	case DeadLetterRetried:
		return s.with(e.Number, Retrying, Change{Kind: "retried", By: e.By, At: e.At})
	case DeadLetterEdited:
		return s.with(e.Number, s.Letter(e.Number).Status, Change{Kind: edited, By: e.By, Reason: e.Reason, Sealed: e.SealedData, At: e.At})
	case DeadLetterHandled:
		return s.with(e.Number, Handled, Change{Kind: "handled", At: e.At})
	case DeadLetterFailed:
		return s.with(e.Number, Failed, Change{Kind: "failed", Sealed: e.SealedError, At: e.At})
	case DeadLetterDiscarded:
		return s.with(e.Number, Discarded, Change{Kind: "discarded", By: e.By, Reason: e.Reason, At: e.At})
	}
	return s
}

// with leaves the state before as it was.
func (s State) with(number int64, status Status, change Change) State {
	shelves := maps.Clone(s.shelves)
	if shelves == nil {
		shelves = map[int64]map[int64]Letter{}
	}
	letters := maps.Clone(shelves[number/shelf])
	if letters == nil {
		letters = map[int64]Letter{}
	}
	l := letters[number]
	l.Status = status
	l.Changes = append(slices.Clip(l.Changes), change)
	if change.Kind == edited {
		l.Sealed = change.Sealed
	}
	letters[number] = l
	shelves[number/shelf] = letters
	return State{shelves}
}
