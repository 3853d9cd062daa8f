// Package endpoint is the aggregate of a partner's webhook endpoint: where it
// is, what it wants, and whether it is on. Its events are its configuration,
// its history and its audit trail. It is pure; secrets reach it sealed.
package endpoint

import (
	"slices"

	"github.com/waybill-dev/waybill/domain"
)

// Status is where an endpoint is in its life.
type Status string

// An endpoint's life. The zero status is before its creation.
const (
	StatusActive   Status = "active"
	StatusDisabled Status = "disabled"
	StatusDeleted  Status = "deleted"
)

// AllTypes stands for every public type, those to come included.
const AllTypes = "*"

// State is an endpoint as its events made it.
type State struct {
	Status         Status
	ID             string
	URL            string
	EventTypes     []string
	Description    string
	SealedSecret   []byte
	SecretVersion  int
	DisabledReason string
	LastTest       string
	Replays        []Replay // oldest first
	Created        Created
}

// Exists says that the endpoint was created and not deleted.
func (s State) Exists() bool { return s.Status == StatusActive || s.Status == StatusDisabled }

// Wants says whether the endpoint wants events of a public type.
func Wants(eventTypes []string, publicType string) bool {
	return slices.Contains(eventTypes, AllTypes) || slices.Contains(eventTypes, publicType)
}

// Decider is the aggregate, of stream endpoint-{id}.
var Decider = domain.Decider[State, Command, Event]{Category: "endpoint", Decide: decide, Evolve: evolve}

// Rules an endpoint may refuse a command by.
var (
	ErrNotFound = domain.Rule("endpoint-not-found", "there is no such endpoint")
	ErrExists   = domain.Rule("endpoint-exists", "an endpoint with this id exists and is another one")
	ErrDeleted  = domain.Rule("endpoint-deleted", "the endpoint that this request made was deleted; another one needs another Idempotency-Key")
	ErrInvalid  = domain.Rule("invalid-endpoint", "the endpoint cannot be created as described")
	ErrDisabled = domain.Rule("endpoint-disabled", "the endpoint is disabled; enable it first")
)

func decide(s State, c Command) ([]Event, error) {
	if create, ok := c.(Create); ok {
		return decideCreate(s, create)
	}
	if !s.Exists() {
		if _, again := c.(Delete); again && s.Status == StatusDeleted {
			return nil, nil
		}
		return nil, ErrNotFound
	}
	switch c := c.(type) {
	case Delete:
		return []Event{Deleted{EndpointID: s.ID, DeletedAt: c.At}}, nil
	case Disable:
		return decideDisable(s, c)
	case Enable:
		if s.Status == StatusActive {
			return nil, nil
		}
		return []Event{Enabled{EndpointID: s.ID, EnabledAt: c.At}}, nil
	case Test:
		return decideTest(s, c)
	case RequestReplay, ProgressReplay, CancelReplay, CompleteReplay:
		return decideReplay(s, c)
	case Create:
	}
	panic("endpoint: impossible command")
}

func decideDisable(s State, c Disable) ([]Event, error) {
	if s.Status == StatusDisabled {
		return nil, nil
	}
	return []Event{Disabled{EndpointID: s.ID, Reason: c.Reason, DisabledAt: c.At}}, nil
}

func decideTest(s State, c Test) ([]Event, error) {
	switch {
	case s.Status == StatusDisabled:
		return nil, ErrDisabled
	case s.LastTest == c.TestID:
		return nil, nil
	}
	return []Event{Tested{EndpointID: s.ID, TestID: c.TestID, TestedAt: c.At}}, nil
}

func evolve(s State, e Event) State {
	switch e := e.(type) {
	case Created:
		s = State{
			Status: StatusActive, ID: e.EndpointID, URL: e.URL, EventTypes: e.EventTypes, Description: e.Description,
			SealedSecret: e.SealedSecret, SecretVersion: e.SecretVersion, Created: e,
		}
	case Deleted:
		s.Status, s.SealedSecret = StatusDeleted, nil
		s.Replays = evolveReplays(s.Replays, e)
	case Disabled:
		s.Status, s.DisabledReason = StatusDisabled, e.Reason
	case Enabled:
		s.Status, s.DisabledReason = StatusActive, ""
	case Tested:
		s.LastTest = e.TestID
	case ReplayRequested, ReplayProgressed, ReplayCancelled, ReplayCompleted:
		s.Replays = evolveReplays(s.Replays, e)
	}
	return s
}
