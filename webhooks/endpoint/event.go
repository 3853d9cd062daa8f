package endpoint

import (
	"slices"
	"time"

	"github.com/waybill-dev/waybill/domain"
)

// Event is a fact of an endpoint's life: [Created], [Changed],
// [ChannelsChanged], [Paused], [Resumed], [SecretRotated], [Deleted],
// [Disabled], [Enabled], [Tested].
//
//sumtype:decl
type Event interface {
	domain.Event
	event()
}

// Created is recorded once, first in every endpoint's stream. Deliveries start
// with what is recorded after it.
type Created struct {
	EndpointID string `json:"endpoint_id"`
	// TenantID is the partner it belongs to, "" the shop itself. A partner's
	// endpoint gets the events of orders of its sales channels only.
	TenantID string   `json:"tenant_id,omitempty"`
	Channels []string `json:"channels,omitempty"`
	Settings
	// SealedSecret is the signing secret, encrypted; its associated data are
	// the stream's name and the version.
	SealedSecret  []byte    `json:"sealed_secret"`
	SecretVersion int       `json:"secret_version"`
	CreatedAt     time.Time `json:"created_at"`
}

// Changed is recorded when the owner decided otherwise about an endpoint. It
// holds all settings, as they are from then on.
type Changed struct {
	EndpointID string `json:"endpoint_id"`
	Settings
	ChangedAt time.Time `json:"changed_at"`
}

// ChannelsChanged is recorded when the partner an endpoint belongs to has other
// sales channels from then on.
type ChannelsChanged struct {
	EndpointID string    `json:"endpoint_id"`
	Channels   []string  `json:"channels"`
	ChangedAt  time.Time `json:"changed_at"`
}

// Paused is recorded when the owner wants nothing for a while. Nothing is lost
// meanwhile.
type Paused struct {
	EndpointID string    `json:"endpoint_id"`
	PausedAt   time.Time `json:"paused_at"`
}

// Resumed is recorded when deliveries of a paused or disabled endpoint go on.
type Resumed struct {
	EndpointID string `json:"endpoint_id"`
	// From is the position in the log after which deliveries go on: what was
	// recorded after it is sent, again if need be, and what still waited of
	// what was before it is not. Without it they go on where they stopped.
	From      *uint64   `json:"from,omitempty"`
	ResumedAt time.Time `json:"resumed_at"`
}

// SecretRotated is recorded when an endpoint gets another signing secret. The
// one before signs as well until OldUntil.
type SecretRotated struct {
	EndpointID string `json:"endpoint_id"`
	// Secret is the one from then on; those before are in earlier events.
	Secret    Secret    `json:"secret"`
	OldUntil  time.Time `json:"old_until"`
	RotatedAt time.Time `json:"rotated_at"`
}

// Deleted is recorded once, last of what matters: nothing is sent after it.
type Deleted struct {
	EndpointID string    `json:"endpoint_id"`
	DeletedAt  time.Time `json:"deleted_at"`
}

// Disabled is recorded when deliveries stop. What happens from then on is not
// lost: the endpoint continues where it stopped when it is enabled.
type Disabled struct {
	EndpointID string    `json:"endpoint_id"`
	Reason     string    `json:"reason"` // one of the reasons of this package
	DisabledAt time.Time `json:"disabled_at"`
}

// Why an endpoint may be disabled.
const (
	ReasonRequested = "requested" // by its owner
	ReasonGone      = "gone"      // the receiver answered 410, or asked for it
)

// Enabled is recorded when deliveries of a disabled endpoint go on.
type Enabled struct {
	EndpointID string    `json:"endpoint_id"`
	EnabledAt  time.Time `json:"enabled_at"`
}

// Tested is recorded when somebody asks for a test message. It goes to this
// endpoint only, whatever types it wants.
type Tested struct {
	EndpointID string    `json:"endpoint_id"`
	TestID     string    `json:"test_id"`
	TestedAt   time.Time `json:"tested_at"`
}

func (Created) event()         {}
func (Changed) event()         {}
func (ChannelsChanged) event() {}
func (Paused) event()          {}
func (Resumed) event()         {}
func (SecretRotated) event()   {}
func (Deleted) event()         {}
func (Disabled) event()        {}
func (Enabled) event()         {}
func (Tested) event()          {}

// EventName implements [domain.Event].
func (Created) EventName() string { return "EndpointCreated" }

// EventName implements [domain.Event].
func (Changed) EventName() string { return "EndpointChanged" }

// EventName implements [domain.Event].
func (ChannelsChanged) EventName() string { return "EndpointChannelsChanged" }

// EventName implements [domain.Event].
func (Paused) EventName() string { return "EndpointPaused" }

// EventName implements [domain.Event].
func (Resumed) EventName() string { return "EndpointResumed" }

// EventName implements [domain.Event].
func (SecretRotated) EventName() string { return "EndpointSecretRotated" }

// EventName implements [domain.Event].
func (Deleted) EventName() string { return "EndpointDeleted" }

// EventName implements [domain.Event].
func (Disabled) EventName() string { return "EndpointDisabled" }

// EventName implements [domain.Event].
func (Enabled) EventName() string { return "EndpointEnabled" }

// EventName implements [domain.Event].
func (Tested) EventName() string { return "EndpointTested" }

// EventTypes lists the stored events of this package for the codec.
func EventTypes() []domain.EventType {
	return append(domain.EventTypes(
		Created{}, Changed{}, ChannelsChanged{}, Paused{}, Resumed{}, SecretRotated{}, Deleted{}, Disabled{}, Enabled{}, Tested{},
	), slices.Concat(replayEvents(), operationEvents(), verificationEvents(), resealEvents())...)
}
