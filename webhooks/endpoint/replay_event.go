package endpoint

import (
	"time"

	"github.com/waybill-dev/waybill/domain"
)

// ReplayRequested is recorded when history is to be sent to the endpoint once
// more. The replay ends with what was recorded before this event, or earlier
// if its description says so.
type ReplayRequested struct {
	EndpointID string `json:"endpoint_id"`
	ReplayID   string `json:"replay_id"`
	ReplaySpec
	RequestedAt time.Time `json:"requested_at"`
}

// ReplayProgressed is recorded now and then while a replay runs: should
// everything else be lost, it goes on from there.
type ReplayProgressed struct {
	EndpointID   string    `json:"endpoint_id"`
	ReplayID     string    `json:"replay_id"`
	Through      uint64    `json:"through"` // everything up to this position is settled
	Delivered    int       `json:"delivered"`
	GivenUp      int       `json:"given_up,omitempty"`
	ProgressedAt time.Time `json:"progressed_at"`
}

// ReplayCancelled is recorded when a replay ends before its time. What was
// sent by then stays sent.
type ReplayCancelled struct {
	EndpointID  string    `json:"endpoint_id"`
	ReplayID    string    `json:"replay_id"`
	Through     uint64    `json:"through,omitempty"` // everything up to this position is settled; 0 if not known
	Until       uint64    `json:"until,omitempty"`   // where it would have ended; 0 if not known
	Delivered   int       `json:"delivered"`
	GivenUp     int       `json:"given_up,omitempty"`
	CancelledAt time.Time `json:"cancelled_at"`
}

// ReplayCompleted is recorded when everything a replay is to send was
// delivered or given up.
type ReplayCompleted struct {
	EndpointID  string    `json:"endpoint_id"`
	ReplayID    string    `json:"replay_id"`
	Through     uint64    `json:"through,omitempty"` // where it ended; 0 if not known
	Delivered   int       `json:"delivered"`         // messages, those sent twice counted twice
	GivenUp     int       `json:"given_up,omitempty"`
	CompletedAt time.Time `json:"completed_at"`
}

func (ReplayRequested) event()  {}
func (ReplayProgressed) event() {}
func (ReplayCancelled) event()  {}
func (ReplayCompleted) event()  {}

// EventName implements [domain.Event].
func (ReplayRequested) EventName() string { return "ReplayRequested" }

// EventName implements [domain.Event].
func (ReplayProgressed) EventName() string { return "ReplayProgressed" }

// EventName implements [domain.Event].
func (ReplayCancelled) EventName() string { return "ReplayCancelled" }

// EventName implements [domain.Event].
func (ReplayCompleted) EventName() string { return "ReplayCompleted" }

func replayEvents() []domain.EventType {
	return domain.EventTypes(ReplayRequested{}, ReplayProgressed{}, ReplayCancelled{}, ReplayCompleted{})
}
