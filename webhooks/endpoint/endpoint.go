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
	StatusPaused   Status = "paused"   // by its owner
	StatusDisabled Status = "disabled" // for a reason
	StatusDeleted  Status = "deleted"
)

// AllTypes stands for every public type, those to come included.
const AllTypes = "*"

// State is an endpoint as its events made it.
type State struct {
	Status   Status
	ID       string
	TenantID string
	Channels []string
	Settings
	// Secrets are those that were live when the last one was made, the newest
	// last.
	Secrets        []Secret
	DisabledReason string
	LastTest       string
	Replays        []Replay // oldest first
	// Seeks counts how often deliveries were told where to go on, and Seek is
	// where the last time.
	Seeks       int
	Seek        uint64
	ResumedFrom *uint64 // by the last [Resumed]
	Operation   Operation
	// Verification is whether the receiver wants to be called.
	Verification Verification
	Created      Created
}

// Exists says that the endpoint was created and not deleted.
func (s State) Exists() bool { return s.Status != "" && s.Status != StatusDeleted }

// Secret returns the newest secret.
func (s State) Secret() Secret {
	if len(s.Secrets) == 0 {
		return Secret{}
	}
	return s.Secrets[len(s.Secrets)-1]
}

// Wants says whether the endpoint wants events of a public type.
func Wants(eventTypes []string, publicType string) bool {
	return slices.Contains(eventTypes, AllTypes) || slices.Contains(eventTypes, publicType)
}

// Decider is the aggregate, of stream endpoint-{id}.
var Decider = domain.Decider[State, Command, Event]{Category: "endpoint", Decide: decide, Evolve: evolve}

// Rules an endpoint may refuse a command by.
var (
	ErrNotFound = domain.Rule("endpoint-not-found", "there is no such endpoint")
	ErrDeleted  = domain.Rule("endpoint-deleted", "the endpoint that this request made was deleted; another one needs another Idempotency-Key")
	ErrInvalid  = domain.Rule("invalid-endpoint", "the endpoint cannot be created as described")
	ErrDisabled = domain.Rule("endpoint-disabled", "the endpoint is disabled; enable it first")
	ErrPaused   = domain.Rule("endpoint-paused", "the endpoint is paused; resume it first")
	ErrActive   = domain.Rule("endpoint-active", "deliveries are going on; pause the endpoint first")
	ErrOverlap  = domain.Rule("overlap-invalid", "an old secret signs for 0 seconds to seven days")

	// ErrInvalidChange is [ErrInvalid] of an endpoint that is there.
	ErrInvalidChange  = domain.Rule("invalid-endpoint", "the endpoint cannot be changed as described")
	ErrTooManySecrets = domain.Rule("too-many-secrets", "five secrets sign already; wait until one ends, or end them all with an overlap of 0")
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
	case Change:
		return decideChange(s, c)
	case SetChannels:
		return decideSetChannels(s, c), nil
	case Pause:
		return decidePause(s, c)
	case Resume:
		return decideResume(s, c)
	case Rotate:
		return decideRotate(s, c)
	case Delete:
		return []Event{Deleted{EndpointID: s.ID, DeletedAt: c.At}}, nil
	case Disable:
		return decideDisable(s, c)
	case Enable:
		return decideEnable(s, c)
	case Test:
		return decideTest(s, c)
	case RequestReplay, ProgressReplay, CancelReplay, CompleteReplay:
		return decideReplay(s, c)
	case ReportFailing, ReportRecovered, ReportGone, ReportExhausted, Resend, Skip:
		return decideOperation(s, c), nil
	case AskVerification:
		return decideAskVerification(s, c)
	case EndVerification:
		return decideEndVerification(s, c), nil
	case Reseal:
		return decideReseal(s, c), nil
	case Create:
	}
	panic("endpoint: impossible command")
}

func evolve(s State, e Event) State {
	switch e := e.(type) { //nolint:gochecksumtype // a Replay embeds an event and is none
	case Created:
		s = State{
			Status: StatusActive, ID: e.EndpointID, TenantID: e.TenantID, Channels: e.Channels, Settings: e.Settings,
			Secrets: []Secret{{Version: e.SecretVersion, Sealed: e.SealedSecret}}, Created: e,
		}
	case Changed:
		s = evolveChanged(s, e)
	case ChannelsChanged:
		s.Channels = e.Channels
	case Paused:
		s.Status = StatusPaused
	case Resumed:
		s = evolveResumed(s, e)
	case SecretRotated:
		s.Secrets = rotate(s.Secrets, e)
	case Deleted:
		s.Status, s.Secrets = StatusDeleted, nil
		s.Replays = evolveReplays(s.Replays, e)
	case Disabled:
		s.Status, s.DisabledReason = StatusDisabled, e.Reason
	case Enabled:
		s.Status, s.DisabledReason = StatusActive, ""
	case Tested:
		s.LastTest = e.TestID
	case ReplayRequested, ReplayProgressed, ReplayCancelled, ReplayCompleted:
		s.Replays = evolveReplays(s.Replays, e)
	case Failing, Recovered, Gone, DeliveryExhausted, DeliveryResent, DeliverySkipped:
		// Gone changes nothing by itself: Disabled follows it.
	case VerificationAsked, VerifiedEndpoint, VerificationUnanswered:
		s.Verification = s.Verification.evolve(e)
	case SecretsResealed:
		s = evolveResealed(s, e)
	}
	s.Operation = evolveOperation(s.Operation, e)
	return s
}

func evolveResumed(s State, e Resumed) State {
	s.Status, s.DisabledReason, s.ResumedFrom = StatusActive, "", e.From
	if e.From != nil {
		s.Seeks, s.Seek = s.Seeks+1, *e.From
	}
	return s
}

// rotate ends the secret before, and every older one when there is no overlap
// at all: that is for secrets that are known to others.
func rotate(secrets []Secret, e SecretRotated) []Secret {
	var list []Secret
	for _, secret := range secrets {
		if secret.Algorithm != e.Secret.Algorithm {
			list = append(list, secret)
			continue
		}
		if secret.NotAfter.IsZero() || !e.OldUntil.After(e.RotatedAt) {
			secret.NotAfter = e.OldUntil
		}
		if secret.Live(e.RotatedAt) {
			list = append(list, secret)
		}
	}
	return append(list, e.Secret)
}
