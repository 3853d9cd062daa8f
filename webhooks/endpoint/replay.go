package endpoint

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/domain"
)

// ReplaySpec is what a replay sends. The zero value sends again everything the
// endpoint wants, from the beginning of the log up to the replay's request.
// Positions are those of the log; 0 is none.
type ReplaySpec struct {
	From     uint64    `json:"from,omitempty"` // after this position
	FromTime time.Time `json:"from_time,omitzero"`
	To       uint64    `json:"to,omitempty"` // up to this position and with it
	ToTime   time.Time `json:"to_time,omitzero"`
	// Types narrow what the endpoint wants, Aggregate to one of that id.
	Types     []string `json:"types,omitempty"`
	Aggregate string   `json:"aggregate,omitempty"`
	// Only is one of what may be sent only, Dedupe how it is named.
	Only   string `json:"only,omitempty"`
	Dedupe string `json:"dedupe,omitempty"`
	// Rate bounds the attempts begun in a second; 0 is what the endpoint
	// leaves to replays.
	Rate float64 `json:"rate,omitempty"`
}

// What a replay sends, and under which ids.
const (
	OnlyAll         = ""            // everything
	OnlyUndelivered = "undelivered" // what was given up, still waits, or was passed over
	DedupeSame      = ""            // the ids of the first time: a receiver that has them may ignore them
	DedupeNew       = "new"         // other ids: a receiver takes it for something new
)

// Replay is a replay as the events of its endpoint made it.
type Replay struct {
	ReplayRequested
	Status ReplayStatus
	// Through is a position that everything up to is settled, and the numbers
	// are those of then. While the replay is running they are behind.
	Through   uint64
	Until     uint64 // where it ends at the latest; known of one that has ended, and 0 of one that ended without saying so
	Delivered int
	GivenUp   int
	EndedAt   time.Time
}

// ReplayStatus is where a replay is in its life.
type ReplayStatus string

// A replay's life.
const (
	StatusReplayRunning   ReplayStatus = "running"
	StatusReplayCompleted ReplayStatus = "completed"
	StatusReplayCancelled ReplayStatus = "cancelled"
)

// MostReplays is how many replays of an endpoint may run at once.
const MostReplays = 4

// KnownReplays is how many replays that have ended a state knows: the last ones.
// What [FollowReplay] makes of an endpoint's events is any of them.
const KnownReplays = 500

// Rules a replay may be refused by.
var (
	ErrReplayNotFound = domain.Rule("replay-not-found", "the endpoint has no such replay")
	ErrReplayInvalid  = domain.Rule("invalid-replay", "the replay cannot be run as described")
	ErrReplays        = domain.Rule("too-many-replays", fmt.Sprintf("%d replays of the endpoint are running; wait until one is done, or cancel one", MostReplays))
)

// What may be wrong with a replay.
const (
	CodeNotWanted  = "event-type-not-wanted"
	CodeEmptySpan  = "span-empty"
	CodeRateTooLow = "rate-too-low"
	CodeAggregate  = "aggregate-invalid"
)

// RequestReplay asks for a replay. Asking again under the same id is harmless.
type RequestReplay struct {
	ReplayID string
	ReplaySpec
	KnownTypes []string // the public types there are
	At         time.Time
}

// ProgressReplay notes how far a replay is, so that the ledger's loss does not
// begin it anew.
type ProgressReplay struct {
	ReplayID           string
	Through            uint64
	Delivered, GivenUp int
	At                 time.Time
}

// CancelReplay ends a replay before its time.
type CancelReplay struct {
	ReplayID           string
	Through, Until     uint64
	Delivered, GivenUp int
	At                 time.Time
}

// CompleteReplay notes that everything was sent.
type CompleteReplay struct {
	ReplayID           string
	Through            uint64
	Delivered, GivenUp int
	At                 time.Time
}

func (RequestReplay) command()  {}
func (ProgressReplay) command() {}
func (CancelReplay) command()   {}
func (CompleteReplay) command() {}

// Replay returns one of the endpoint's replays, and whether there is one.
func (s State) Replay(id string) (Replay, bool) {
	i := slices.IndexFunc(s.Replays, func(r Replay) bool { return r.ReplayID == id })
	if i < 0 {
		return Replay{}, false
	}
	return s.Replays[i], true
}

func decideReplay(s State, c Command) ([]Event, error) {
	switch c := c.(type) { //nolint:gochecksumtype // decide sends these alone
	case RequestReplay:
		return decideRequestReplay(s, c)
	case ProgressReplay:
		if replay, _ := s.Replay(c.ReplayID); replay.ReplayID != "" && c.Through <= replay.Through {
			return nil, nil
		}
		return s.ofRunning(c.ReplayID, ReplayProgressed{
			EndpointID: s.ID, ReplayID: c.ReplayID, Through: c.Through, Delivered: c.Delivered, GivenUp: c.GivenUp, ProgressedAt: c.At,
		})
	case CancelReplay:
		return s.ofRunning(c.ReplayID, ReplayCancelled{
			EndpointID: s.ID, ReplayID: c.ReplayID, Through: c.Through, Until: c.Until, Delivered: c.Delivered, GivenUp: c.GivenUp, CancelledAt: c.At,
		})
	case CompleteReplay:
		return s.ofRunning(c.ReplayID, ReplayCompleted{
			EndpointID: s.ID, ReplayID: c.ReplayID, Through: c.Through, Delivered: c.Delivered, GivenUp: c.GivenUp, CompletedAt: c.At,
		})
	default:
		panic("endpoint: impossible command of a replay")
	}
}

// ofRunning records an event of a replay that has not ended.
func (s State) ofRunning(id string, event Event) ([]Event, error) {
	replay, ok := s.Replay(id)
	switch {
	case !ok:
		return nil, ErrReplayNotFound
	case replay.Status != StatusReplayRunning:
		return nil, nil
	}
	return []Event{event}, nil
}

func decideRequestReplay(s State, c RequestReplay) ([]Event, error) {
	if _, again := s.Replay(c.ReplayID); again {
		return nil, nil
	}
	if s.Status == StatusDisabled {
		return nil, ErrDisabled
	}
	if mistakes := c.mistakes(s); len(mistakes) > 0 {
		return nil, ErrReplayInvalid.Because(mistakes...)
	}
	running := 0
	for _, replay := range s.Replays {
		if replay.Status == StatusReplayRunning {
			running++
		}
	}
	if running >= MostReplays {
		return nil, ErrReplays
	}
	return []Event{ReplayRequested{EndpointID: s.ID, ReplayID: c.ReplayID, ReplaySpec: c.ReplaySpec, RequestedAt: c.At}}, nil
}

func (c RequestReplay) mistakes(s State) []domain.Mistake {
	var mistakes []domain.Mistake
	for i, name := range c.Types {
		pointer := fmt.Sprintf("/types/%d", i)
		switch {
		case slices.Contains(c.Types[:i], name):
			mistakes = append(mistakes, domain.Mistake{Pointer: pointer, Code: CodeRepeated, Detail: fmt.Sprintf("%q is named twice", name)})
		case !slices.Contains(c.KnownTypes, name):
			mistakes = append(mistakes, domain.Mistake{Pointer: pointer, Code: CodeUnknownType, Detail: fmt.Sprintf("there is no event type %q", name)})
		case !Wants(s.EventTypes, name):
			mistakes = append(mistakes, domain.Mistake{Pointer: pointer, Code: CodeNotWanted, Detail: fmt.Sprintf("the endpoint does not want %s: add it to its event_types first", name)})
		}
	}
	if c.empty() {
		mistakes = append(mistakes, domain.Mistake{Pointer: "/to", Code: CodeEmptySpan, Detail: "must be after from"})
	}
	if c.Rate < 0 {
		mistakes = append(mistakes, domain.Mistake{Pointer: "/rate", Code: CodeRateTooLow, Detail: "must be above 0"})
	}
	if strings.TrimSpace(c.Aggregate) != c.Aggregate {
		mistakes = append(mistakes, domain.Mistake{Pointer: "/aggregate", Code: CodeAggregate, Detail: "must be the id of an aggregate, without blanks around it"})
	}
	return mistakes
}

// empty says that nothing can be between two ends of the same kind.
func (s ReplaySpec) empty() bool {
	return (s.To > 0 && s.From >= s.To) || (!s.ToTime.IsZero() && !s.FromTime.IsZero() && !s.FromTime.Before(s.ToTime))
}

// evolveReplays returns the replays after an event. The list it is given stays
// as it is: others may hold it.
func evolveReplays(replays []Replay, e Event) []Replay {
	switch e := e.(type) {
	case ReplayRequested:
		return append(withoutOldest(replays), Replay{ReplayRequested: e, Status: StatusReplayRunning, Through: e.From})
	case ReplayProgressed:
		return changeReplay(replays, e.ReplayID, func(r *Replay) {
			r.Through, r.Delivered, r.GivenUp = max(r.Through, e.Through), e.Delivered, e.GivenUp
		})
	case ReplayCancelled:
		return changeReplay(replays, e.ReplayID, func(r *Replay) {
			r.Status, r.EndedAt = StatusReplayCancelled, e.CancelledAt
			r.Through, r.Until = max(r.Through, e.Through), e.Until
			r.Delivered, r.GivenUp = cmp.Or(e.Delivered, r.Delivered), cmp.Or(e.GivenUp, r.GivenUp)
		})
	case ReplayCompleted:
		return changeReplay(replays, e.ReplayID, func(r *Replay) {
			r.Status, r.EndedAt, r.Delivered, r.GivenUp = StatusReplayCompleted, e.CompletedAt, e.Delivered, e.GivenUp
			r.Through, r.Until = max(r.Through, e.Through), e.Through
		})
	case Deleted:
		replays = slices.Clone(replays)
		for i := range replays {
			if replays[i].Status == StatusReplayRunning {
				replays[i].Status, replays[i].EndedAt = StatusReplayCancelled, e.DeletedAt
			}
		}
		return replays
	default:
		return replays
	}
}

// withoutOldest makes room for another replay.
func withoutOldest(replays []Replay) []Replay {
	ended := func(r Replay) bool { return r.Status != StatusReplayRunning }
	oldest := slices.IndexFunc(replays, ended)
	if len(replays) < KnownReplays || oldest < 0 {
		return slices.Clip(replays)
	}
	return slices.Clip(slices.Delete(slices.Clone(replays), oldest, oldest+1))
}

// FollowReplay is the replay of an id after one more event of its endpoint; it
// is nothing before it was asked for.
func FollowReplay(r Replay, id string, e Event) Replay {
	var replays []Replay
	if asked, ok := e.(ReplayRequested); ok && asked.ReplayID != id {
		return r
	}
	if r.ReplayID != "" {
		replays = append(replays, r)
	}
	for _, after := range evolveReplays(replays, e) {
		r = after
	}
	return r
}

func changeReplay(replays []Replay, id string, change func(*Replay)) []Replay {
	replays = slices.Clone(replays)
	for i := range replays {
		if replays[i].ReplayID == id {
			change(&replays[i])
		}
	}
	return replays
}
