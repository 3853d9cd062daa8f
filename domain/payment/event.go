package payment

import (
	"time"

	"github.com/waybill-dev/waybill/domain"
)

// Event is a fact about a payment.
//
//sumtype:decl
type Event interface {
	domain.Event
	event()
}

// PaymentAuthorisationRequested is recorded before the gateway is called, so
// that no authorisation can exist that nobody knows of.
type PaymentAuthorisationRequested struct {
	PaymentID string       `json:"payment_id"`
	OrderID   string       `json:"order_id"`
	Amount    domain.Money `json:"amount"`
	Method    string       `json:"method"`
	Gateway   string       `json:"gateway"`
	// Key is what the gateway recognises a repeated request by.
	Key         string    `json:"gateway_idempotency_key"`
	RequestedAt time.Time `json:"requested_at"`
	// ByHand says that somebody asked for it after the order was placed: who
	// pays may be sent elsewhere to confirm it, and comes back to ReturnURL.
	ByHand    bool   `json:"by_hand,omitempty"`
	ReturnURL string `json:"return_url,omitempty"`
}

// PaymentAuthorised is recorded when the gateway holds the money.
type PaymentAuthorised struct {
	PaymentID  string       `json:"payment_id"`
	GatewayRef string       `json:"gateway_ref"`
	Amount     domain.Money `json:"amount"`
	ExpiresAt  time.Time    `json:"expires_at,omitzero"`
}

// PaymentDeclined is recorded when the gateway refused.
type PaymentDeclined struct {
	PaymentID string `json:"payment_id"`
	// Code is the gateway's.
	Code    string `json:"code"`
	Message string `json:"message"`
	// Retryable says that another method may succeed.
	Retryable bool `json:"retryable"`
}

// PaymentOutcomeUnknown is recorded when the gateway may or may not hold the
// money. No other authorisation is asked for until the outcome is known.
type PaymentOutcomeUnknown struct {
	PaymentID string `json:"payment_id"`
	// Cause is timeout, connection, 5xx, interrupted (nobody waited for the
	// answer) or failure (it could not be understood).
	Cause   string `json:"cause"`
	AfterMS int64  `json:"after_ms"`
}

// PaymentOutcomeResolved is recorded when an outcome that was unknown came to
// light. PaymentAuthorised or PaymentDeclined follows at once, with the
// particulars, unless the gateway never heard of the payment.
type PaymentOutcomeResolved struct {
	PaymentID string     `json:"payment_id"`
	As        Resolution `json:"as"`
	By        Source     `json:"by"`
}

// PaymentVoidRequested is recorded before the gateway is asked to let go of
// the money.
type PaymentVoidRequested struct {
	PaymentID string `json:"payment_id"`
	Reason    string `json:"reason"`
}

// PaymentVoided is recorded when the gateway holds no money under this
// payment's key. What was captured before stays captured.
type PaymentVoided struct {
	PaymentID string `json:"payment_id"`
}

// EventName implements [domain.Event].
func (PaymentAuthorisationRequested) EventName() string { return "PaymentAuthorisationRequested" }

// EventName implements [domain.Event].
func (PaymentAuthorised) EventName() string { return "PaymentAuthorised" }

// EventName implements [domain.Event].
func (PaymentDeclined) EventName() string { return "PaymentDeclined" }

// EventName implements [domain.Event].
func (PaymentOutcomeUnknown) EventName() string { return "PaymentOutcomeUnknown" }

// EventName implements [domain.Event].
func (PaymentOutcomeResolved) EventName() string { return "PaymentOutcomeResolved" }

// EventName implements [domain.Event].
func (PaymentVoidRequested) EventName() string { return "PaymentVoidRequested" }

// EventName implements [domain.Event].
func (PaymentVoided) EventName() string { return "PaymentVoided" }

func (PaymentAuthorisationRequested) event() {}
func (PaymentAuthorised) event()             {}
func (PaymentDeclined) event()               {}
func (PaymentOutcomeUnknown) event()         {}
func (PaymentOutcomeResolved) event()        {}
func (PaymentVoidRequested) event()          {}
func (PaymentVoided) event()                 {}

// EventTypes describes the events of a payment to the codec.
func EventTypes() []domain.EventType {
	return domain.EventTypes(PaymentAuthorisationRequested{}, PaymentAuthorised{}, PaymentDeclined{},
		PaymentActionRequired{}, PaymentOutcomeUnknown{}, PaymentOutcomeResolved{},
		PaymentVoidRequested{}, PaymentVoided{}, PaymentVoidFailed{},
		PaymentCaptureRequested{}, PaymentCaptured{}, PaymentCaptureFailed{},
		PaymentRefundRequested{}, PaymentRefunded{}, PaymentRefundFailed{},
		PaymentAuthorisationExpired{}, PaymentChargedBack{})
}
