package endpoint

import (
	"slices"
	"time"

	"github.com/waybill-dev/waybill/domain"
)

// Command is a wish about an endpoint: [Create], [Change], [SetChannels],
// [Pause], [Resume], [Rotate], [Delete], [Disable], [Enable], [Test], and those
// of replays, operation, verification and seals.
//
//sumtype:decl
type Command interface{ command() }

// Create describes an endpoint.
type Create struct {
	EndpointID string
	TenantID   string   // the partner it belongs to, "" the shop itself
	Channels   []string // of the partner
	Settings
	SealedSecret  []byte
	SecretVersion int
	Ping          time.Duration // how long the receiver has to answer a ping, 0 is that it gets none
	At            time.Time
	Limits        Limits
}

// Change replaces all settings.
type Change struct {
	Settings
	Ping   time.Duration // as for [Create], if the URL is another one
	At     time.Time
	Limits Limits
}

// SetChannels tells which sales channels the endpoint's partner has.
type SetChannels struct {
	Channels []string
	At       time.Time
}

// Pause stops deliveries for a while, as their owner wishes.
type Pause struct{ At time.Time }

// Resume lets deliveries go on: where they stopped, or after a position.
type Resume struct {
	From *uint64
	At   time.Time
}

// Rotate gives an endpoint another signing secret, of the version after its
// last one. The one before signs as well for as long as Overlap.
type Rotate struct {
	Secret  Secret
	Overlap time.Duration
	At      time.Time
}

// Delete stops deliveries for good.
type Delete struct{ At time.Time }

// Disable stops deliveries for a while.
type Disable struct {
	Reason string
	At     time.Time
}

// Enable lets deliveries of a disabled endpoint go on where they stopped.
type Enable struct{ At time.Time }

// Test asks for a test message. Asking again with the id of the last test is
// harmless.
type Test struct {
	TestID   string
	Verified bool // only if the endpoint is
	At       time.Time
}

func (Create) command()      {}
func (Change) command()      {}
func (SetChannels) command() {}
func (Pause) command()       {}
func (Resume) command()      {}
func (Rotate) command()      {}
func (Delete) command()      {}
func (Disable) command()     {}
func (Enable) command()      {}
func (Test) command()        {}

// What secrets may be at most.
const (
	MostSecrets    = 5 // live at once
	LongestOverlap = 7 * 24 * time.Hour
)

func decideCreate(s State, c Create) ([]Event, error) {
	if s.Status != "" {
		return nil, repeated(s, c)
	}
	if mistakes := c.Limits.mistakes(c.Settings); len(mistakes) > 0 {
		return nil, ErrInvalid.Because(mistakes...)
	}
	return append([]Event{Created{
		EndpointID: c.EndpointID, TenantID: c.TenantID, Channels: c.Channels, Settings: c.Settings,
		SealedSecret: c.SealedSecret, SecretVersion: c.SecretVersion, CreatedAt: c.At,
	}}, s.ask(c.EndpointID, c.Ping, c.At)...), nil
}

// repeated accepts a command that was carried out already; the secret of the
// repetition is another one and does not count.
func repeated(s State, c Create) error {
	switch {
	case s.TenantID != c.TenantID || !s.Created.Equal(c.Settings):
		return domain.ErrKeyReused
	case !s.Exists():
		return ErrDeleted
	}
	return nil
}

func decideChange(s State, c Change) ([]Event, error) {
	if mistakes := c.Limits.mistakes(c.Settings); len(mistakes) > 0 {
		return nil, ErrInvalidChange.Because(mistakes...)
	}
	if s.Equal(c.Settings) {
		return nil, nil
	}
	return append([]Event{Changed{EndpointID: s.ID, Settings: c.Settings, ChangedAt: c.At}}, s.moved(c)...), nil
}

func decideSetChannels(s State, c SetChannels) []Event {
	if slices.Equal(s.Channels, c.Channels) {
		return nil
	}
	return []Event{ChannelsChanged{EndpointID: s.ID, Channels: c.Channels, ChangedAt: c.At}}
}

func decidePause(s State, c Pause) ([]Event, error) {
	switch s.Status {
	case StatusPaused:
		return nil, nil
	case StatusDisabled:
		return nil, ErrDisabled
	case StatusActive, StatusDeleted: // what is deleted does not come here
	}
	return []Event{Paused{EndpointID: s.ID, PausedAt: c.At}}, nil
}

// decideResume takes a seek only of an endpoint at rest: one at work would go
// on from where it is while it is told to go elsewhere.
func decideResume(s State, c Resume) ([]Event, error) {
	if s.Status == StatusActive {
		if c.From == nil || (s.ResumedFrom != nil && *s.ResumedFrom == *c.From) {
			return nil, nil
		}
		return nil, ErrActive
	}
	return []Event{Resumed{EndpointID: s.ID, From: c.From, ResumedAt: c.At}}, nil
}

func decideRotate(s State, c Rotate) ([]Event, error) {
	last := s.Secrets[len(s.Secrets)-1]
	switch {
	case c.Secret.Version == last.Version:
		return nil, nil
	case c.Overlap < 0 || c.Overlap > LongestOverlap:
		return nil, ErrOverlap
	case c.Overlap > 0 && len(LiveSecrets(s.Secrets, c.At)) >= MostSecrets:
		return nil, ErrTooManySecrets
	}
	return []Event{SecretRotated{EndpointID: s.ID, Secret: c.Secret, OldUntil: c.At.Add(c.Overlap), RotatedAt: c.At}}, nil
}

func decideDisable(s State, c Disable) ([]Event, error) {
	if s.Status == StatusDisabled {
		return nil, nil
	}
	return []Event{Disabled{EndpointID: s.ID, Reason: c.Reason, DisabledAt: c.At}}, nil
}

func decideEnable(s State, c Enable) ([]Event, error) {
	switch s.Status {
	case StatusActive:
		return nil, nil
	case StatusPaused:
		return nil, ErrPaused
	case StatusDisabled, StatusDeleted: // what is deleted does not come here
	}
	return []Event{Enabled{EndpointID: s.ID, EnabledAt: c.At}}, nil
}

func decideTest(s State, c Test) ([]Event, error) {
	switch {
	case s.Status == StatusDisabled:
		return nil, ErrDisabled
	case s.Status == StatusPaused:
		return nil, ErrPaused
	case s.LastTest == c.TestID:
		return nil, nil
	case c.Verified && s.Verification.Unverified():
		return nil, ErrUnverified
	}
	return []Event{Tested{EndpointID: s.ID, TestID: c.TestID, TestedAt: c.At}}, nil
}
