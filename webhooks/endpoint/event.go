package endpoint

import (
	"time"

	"github.com/waybill-dev/waybill/domain"
)

// Event is a fact of an endpoint's life: [Created], [Deleted], [Disabled],
// [Enabled], [Tested].
//
//sumtype:decl
type Event interface {
	domain.Event
	event()
}

// Created is recorded once, first in every endpoint's stream. Deliveries start
// with what is recorded after it.
type Created struct {
	EndpointID  string   `json:"endpoint_id"`
	URL         string   `json:"url"`
	EventTypes  []string `json:"event_types"` // public types, or "*" alone
	Description string   `json:"description,omitempty"`
	// SealedSecret is the signing secret, encrypted; its associated data are
	// the stream's name and the version.
	SealedSecret  []byte    `json:"sealed_secret"`
	SecretVersion int       `json:"secret_version"`
	CreatedAt     time.Time `json:"created_at"`
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

func (Created) event()  {}
func (Deleted) event()  {}
func (Disabled) event() {}
func (Enabled) event()  {}
func (Tested) event()   {}

// EventName implements [domain.Event].
func (Created) EventName() string { return "EndpointCreated" }

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
	return append(domain.EventTypes(Created{}, Deleted{}, Disabled{}, Enabled{}, Tested{}), replayEvents()...)
}
