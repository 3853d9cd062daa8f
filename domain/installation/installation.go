// Package installation is the name of a log. Whoever keeps a checkpoint beside
// the log can tell by it whether it is still the same log.
package installation

import (
	"fmt"
	"time"

	"github.com/waybill-dev/waybill/domain"
)

// Command is a wish concerning the installation.
//
//sumtype:decl
type Command interface{ command() }

// Found names a log that has no name yet.
type Found struct {
	ID string
	At time.Time
}

func (Found) command() {}

// Event is a fact about the installation.
//
//sumtype:decl
type Event interface {
	domain.Event
	event()
}

// InstallationFounded is recorded once in a log, when the first process meets
// it. Consumers may rely on the id being another one in every other log.
type InstallationFounded struct {
	InstallationID string    `json:"installation_id"`
	FoundedAt      time.Time `json:"founded_at"`
}

// EventName implements [domain.Event].
func (InstallationFounded) EventName() string { return "InstallationFounded" }

func (InstallationFounded) event() {}

// EventTypes describes the events of an installation to the codec.
func EventTypes() []domain.EventType { return domain.EventTypes(InstallationFounded{}) }

// State is the log's name, empty before it has one.
type State struct{ ID string }

// Decider is the installation as an aggregate.
var Decider = domain.Decider[State, Command, Event]{Category: "installation", Decide: decide, Evolve: evolve}

func decide(s State, c Command) ([]Event, error) {
	switch c := c.(type) {
	case Found:
		if s.ID != "" {
			return nil, nil // it keeps the name it has
		}
		return []Event{InstallationFounded{InstallationID: c.ID, FoundedAt: c.At}}, nil
	}
	panic(fmt.Sprintf("installation: unknown command %T", c))
}

func evolve(s State, e Event) State {
	switch e := e.(type) {
	case InstallationFounded:
		s.ID = e.InstallationID
	}
	return s
}
