package endpoint

import (
	"time"

	"github.com/waybill-dev/waybill/domain"
)

// PingFor is how long an endpoint has to answer a ping.
const PingFor = 24 * time.Hour

// ErrUnverified refuses what would wait until the endpoint is verified.
var ErrUnverified = domain.Rule("endpoint-unverified",
	"the endpoint has not shown yet that it verifies signatures; POST …/verify asks it again")

// Verification is what is known of whether the receiver wants to be called: it
// has answered a ping, and refused one with a wrong signature.
type Verification struct {
	Number int // of the last ping, 0 is none
	Status VerificationStatus
	// Reason is why a ping failed, one of the reasons below.
	Reason                          string
	RequestedAt, ExpiresAt, EndedAt time.Time
}

// VerificationStatus is what became of the last ping.
type VerificationStatus string

// What may become of a ping. The zero status is of an endpoint that was never
// asked.
const (
	VerificationPending VerificationStatus = "pending"
	Verified            VerificationStatus = "verified"
	VerificationFailed  VerificationStatus = "failed"
)

// Why a ping may fail.
const (
	ReasonExpired = "expired"  // nobody answered in time
	ReasonGivenUp = "given_up" // its attempts are used up
	ReasonMoved   = "moved"    // the endpoint has another URL
)

// Unverified says that an endpoint was asked and has not answered.
func (v Verification) Unverified() bool { return v.Status != "" && v.Status != Verified }

// AskVerification sends a ping. Asking while one is under way is harmless, and
// asking who has answered changes nothing.
type AskVerification struct {
	For time.Duration
	At  time.Time
}

// EndVerification says what became of a ping.
type EndVerification struct {
	Number int
	Reason string // why it failed, "" if it did not
	At     time.Time
}

func (AskVerification) command() {}
func (EndVerification) command() {}

// VerificationAsked is recorded when a receiver has to show that it wants to be
// called: with the endpoint, with a change of its URL, and when somebody asks.
type VerificationAsked struct {
	EndpointID string    `json:"endpoint_id"`
	Number     int       `json:"number"` // from 1
	ExpiresAt  time.Time `json:"expires_at"`
	AskedAt    time.Time `json:"asked_at"`
}

// VerifiedEndpoint is recorded when a receiver took a ping and refused one with
// a wrong signature. What happened since the endpoint's creation is sent then.
type VerifiedEndpoint struct {
	EndpointID string    `json:"endpoint_id"`
	Number     int       `json:"number"`
	VerifiedAt time.Time `json:"verified_at"`
}

// VerificationUnanswered is recorded when a ping is not tried any more.
type VerificationUnanswered struct {
	EndpointID string    `json:"endpoint_id"`
	Number     int       `json:"number"`
	Reason     string    `json:"reason"` // one of the reasons of this package
	EndedAt    time.Time `json:"ended_at"`
}

func (VerificationAsked) event()      {}
func (VerifiedEndpoint) event()       {}
func (VerificationUnanswered) event() {}

// EventName implements [domain.Event].
func (VerificationAsked) EventName() string { return "EndpointVerificationAsked" }

// EventName implements [domain.Event].
func (VerifiedEndpoint) EventName() string { return "EndpointVerified" }

// EventName implements [domain.Event].
func (VerificationUnanswered) EventName() string { return "EndpointVerificationUnanswered" }

func verificationEvents() []domain.EventType {
	return domain.EventTypes(VerificationAsked{}, VerifiedEndpoint{}, VerificationUnanswered{})
}

// ask records the next ping, if pings are sent at all.
func (s State) ask(id string, ping time.Duration, at time.Time) []Event {
	if ping <= 0 {
		return nil
	}
	return []Event{VerificationAsked{EndpointID: id, Number: s.Verification.Number + 1, ExpiresAt: at.Add(ping), AskedAt: at}}
}

// moved records what a new URL means: nobody knows who is there.
func (s State) moved(c Change) []Event {
	if c.URL == s.URL {
		return nil
	}
	var events []Event
	if s.Verification.Status == VerificationPending {
		events = append(events, VerificationUnanswered{EndpointID: s.ID, Number: s.Verification.Number, Reason: ReasonMoved, EndedAt: c.At})
	}
	return append(events, s.ask(s.ID, c.Ping, c.At)...)
}

func decideAskVerification(s State, c AskVerification) ([]Event, error) {
	switch {
	case s.Verification.Status == VerificationPending, s.Verification.Status == Verified:
		return nil, nil
	case s.Status == StatusDisabled:
		return nil, ErrDisabled
	case s.Status == StatusPaused:
		return nil, ErrPaused
	}
	return s.ask(s.ID, c.For, c.At), nil
}

func decideEndVerification(s State, c EndVerification) []Event {
	switch {
	case s.Verification.Number != c.Number || s.Verification.Status != VerificationPending:
		return nil
	case c.Reason != "":
		return []Event{VerificationUnanswered{EndpointID: s.ID, Number: c.Number, Reason: c.Reason, EndedAt: c.At}}
	}
	return []Event{VerifiedEndpoint{EndpointID: s.ID, Number: c.Number, VerifiedAt: c.At}}
}

func (v Verification) evolve(e Event) Verification {
	switch e := e.(type) { //nolint:gochecksumtype // evolve has a case for each event
	case VerificationAsked:
		return Verification{Number: e.Number, Status: VerificationPending, RequestedAt: e.AskedAt, ExpiresAt: e.ExpiresAt}
	case VerifiedEndpoint:
		v.Status, v.EndedAt = Verified, e.VerifiedAt
	case VerificationUnanswered:
		v.Status, v.Reason, v.EndedAt = VerificationFailed, e.Reason, e.EndedAt
	}
	return v
}

// evolveChanged forgets that another URL was verified.
func evolveChanged(s State, e Changed) State {
	if e.URL != s.URL && s.Verification.Status == Verified {
		s.Verification.Status, s.Verification.Reason = VerificationFailed, ReasonMoved
	}
	s.Settings = e.Settings
	return s
}
