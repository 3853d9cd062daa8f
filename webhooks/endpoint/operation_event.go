package endpoint

import (
	"time"

	"github.com/waybill-dev/waybill/domain"
)

// Failing is recorded when nothing was delivered for long, once for each of
// the times after which owners are told, of each time that it fails.
type Failing struct {
	EndpointID string `json:"endpoint_id"`
	// Since is the first failure without a success after it, AfterMillis the
	// time that has passed without one.
	Since       time.Time `json:"since"`
	AfterMillis int64     `json:"after_ms"`
	FailingAt   time.Time `json:"failing_at"`
}

// Recovered is recorded when something was delivered again after Failing was
// recorded.
type Recovered struct {
	EndpointID  string    `json:"endpoint_id"`
	Since       time.Time `json:"since"` // of Failing
	RecoveredAt time.Time `json:"recovered_at"`
}

// Gone is recorded when the receiver answered 410, or asked to be disabled.
// Disabled follows it.
type Gone struct {
	EndpointID string    `json:"endpoint_id"`
	GoneAt     time.Time `json:"gone_at"`
}

// DeliveryExhausted is recorded when an event's attempts are used up, or when
// its receiver asked to give it up. It is recorded once, and again only if it
// was sent again in between.
type DeliveryExhausted struct {
	EndpointID string `json:"endpoint_id"`
	Exhausted
	ExhaustedAt time.Time `json:"exhausted_at"`
}

// Exhausted is an event that is not tried any more.
type Exhausted struct {
	EventID  string `json:"event_id"`
	Stream   string `json:"stream"`
	Revision uint64 `json:"revision"`
	Attempts int    `json:"attempts"`
	Class    string `json:"class"` // how the last attempt ended
	// Blocks says that events of the same lane wait until somebody decides.
	Blocks bool `json:"blocks,omitempty"`
}

// DeliveryResent is recorded when somebody wants an event sent again.
type DeliveryResent struct {
	EndpointID string `json:"endpoint_id"`
	Chosen
	ResentAt time.Time `json:"resent_at"`
}

// DeliverySkipped is recorded when somebody gives up an event that blocks its
// lane or waits for its next attempt.
type DeliverySkipped struct {
	EndpointID string `json:"endpoint_id"`
	Chosen
	SkippedAt time.Time `json:"skipped_at"`
}

// Chosen names one event of the log.
type Chosen struct {
	EventID  string `json:"event_id"`
	Stream   string `json:"stream"`
	Revision uint64 `json:"revision"`
	Position uint64 `json:"position"`
}

func (Failing) event()           {}
func (Recovered) event()         {}
func (Gone) event()              {}
func (DeliveryExhausted) event() {}
func (DeliveryResent) event()    {}
func (DeliverySkipped) event()   {}

// EventName implements [domain.Event].
func (Failing) EventName() string { return "EndpointFailing" }

// EventName implements [domain.Event].
func (Recovered) EventName() string { return "EndpointRecovered" }

// EventName implements [domain.Event].
func (Gone) EventName() string { return "EndpointGone" }

// EventName implements [domain.Event].
func (DeliveryExhausted) EventName() string { return "EndpointDeliveryExhausted" }

// EventName implements [domain.Event].
func (DeliveryResent) EventName() string { return "EndpointDeliveryResent" }

// EventName implements [domain.Event].
func (DeliverySkipped) EventName() string { return "EndpointDeliverySkipped" }

func operationEvents() []domain.EventType {
	return domain.EventTypes(Failing{}, Recovered{}, Gone{}, DeliveryExhausted{}, DeliveryResent{}, DeliverySkipped{}, Checkpointed{})
}
