// Package numbers hands out order numbers in blocks, so that many processes
// can number orders without meeting. It promises that no number is handed out
// twice; a number nobody used leaves a gap.
package numbers

import (
	"fmt"

	"github.com/waybill-dev/waybill/domain"
)

// First is the first order's number; Block is how many are reserved at once.
const (
	First = 100_001
	Block = 100
)

// Command is a wish for numbers.
//
//sumtype:decl
type Command interface{ command() }

// Reserve takes the next block of numbers.
type Reserve struct{}

func (Reserve) command() {}

// Event is a fact about numbers.
//
//sumtype:decl
type Event interface {
	domain.Event
	event()
}

// OrderNumbersReserved is recorded when a process takes the numbers From to
// To, both included.
type OrderNumbersReserved struct {
	From int64 `json:"from"`
	To   int64 `json:"to"`
}

// EventName implements [domain.Event].
func (OrderNumbersReserved) EventName() string { return "OrderNumbersReserved" }

func (OrderNumbersReserved) event() {}

// EventTypes describes the events of numbers to the codec.
func EventTypes() []domain.EventType { return domain.EventTypes(OrderNumbersReserved{}) }

// State is what has been handed out.
type State struct{ Last int64 }

// Decider is the numbers of one tenant as an aggregate. Unlike other commands
// a repeated Reserve takes another block.
var Decider = domain.Decider[State, Command, Event]{Category: "numbers", Decide: decide, Evolve: evolve}

func decide(s State, c Command) ([]Event, error) {
	switch c.(type) {
	case Reserve:
		from := max(s.Last+1, First)
		return []Event{OrderNumbersReserved{from, from + Block - 1}}, nil
	}
	panic(fmt.Sprintf("numbers: unknown command %T", c))
}

func evolve(s State, e Event) State {
	switch e := e.(type) {
	case OrderNumbersReserved:
		s.Last = e.To
	}
	return s
}
