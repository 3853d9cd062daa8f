package gatewaycallback

import (
	"time"

	"github.com/waybill-dev/waybill/domain"
)

// Event is a fact about a callback.
//
//sumtype:decl
type Event interface {
	domain.Event
	event()
}

// GatewayCallbackReceived is recorded once for each callback whose signature
// was good, before it is answered, also when nobody knows the payment. So is
// what a gateway answered, and not told, when it holds money for a payment that
// ended without ("answer:{payment}"), and a payment that ends without while the
// gateway may come to hold money for it ("unseen:{payment}").
type GatewayCallbackReceived struct {
	ID         string `json:"id"`
	Gateway    string `json:"gateway"`
	CallbackID string `json:"callback_id"` // the gateway's, the same on every repeat
	Kind       string `json:"kind"`
	// PaymentID is empty where the callback is of no payment of ours.
	PaymentID     string        `json:"payment_id,omitempty"`
	GatewayRef    string        `json:"gateway_ref,omitempty"`
	Authorisation Authorisation `json:"authorisation,omitzero"`
	Movement      Movement      `json:"movement,omitzero"`
	Chargeback    Chargeback    `json:"chargeback,omitzero"`
	ReceivedAt    time.Time     `json:"received_at"`
}

// Authorisation is the state of a payment at its gateway.
type Authorisation struct {
	Status    string       `json:"status"`
	Amount    domain.Money `json:"amount,omitzero"`
	Code      string       `json:"code,omitempty"`
	Message   string       `json:"message,omitempty"`
	ExpiresAt time.Time    `json:"expires_at,omitzero"`
	ActionURL string       `json:"action_url,omitempty"`
}

// Movement is the state of a capture or a refund.
type Movement struct {
	Kind   string       `json:"kind"`
	ID     string       `json:"id,omitempty"` // ours
	Ref    string       `json:"gateway_ref,omitempty"`
	Status string       `json:"status"`
	Amount domain.Money `json:"amount,omitzero"`
	Code   string       `json:"code,omitempty"`
}

// Chargeback is money that the shopper's bank took back.
type Chargeback struct {
	CaseRef string       `json:"case_ref"`
	Amount  domain.Money `json:"amount"`
}

// GatewayCallbackApplied is recorded when everything was done about a callback.
type GatewayCallbackApplied struct {
	ID     string    `json:"id"`
	Effect Effect    `json:"effect"`
	At     time.Time `json:"at"`
}

// GatewayCallbackUnclaimed is recorded when a callback was tried for a day and
// belongs to nothing, or contradicts what is known for certain. Somebody has to
// look at it.
type GatewayCallbackUnclaimed struct {
	ID     string    `json:"id"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

// EventName implements [domain.Event].
func (GatewayCallbackReceived) EventName() string { return "GatewayCallbackReceived" }

// EventName implements [domain.Event].
func (GatewayCallbackApplied) EventName() string { return "GatewayCallbackApplied" }

// EventName implements [domain.Event].
func (GatewayCallbackUnclaimed) EventName() string { return "GatewayCallbackUnclaimed" }

func (GatewayCallbackReceived) event()  {}
func (GatewayCallbackApplied) event()   {}
func (GatewayCallbackUnclaimed) event() {}

// EventTypes describes the events of a callback to the codec.
func EventTypes() []domain.EventType {
	return domain.EventTypes(GatewayCallbackReceived{}, GatewayCallbackApplied{}, GatewayCallbackUnclaimed{})
}
