package checkout

import (
	"time"

	"github.com/waybill-dev/waybill/domain"
)

// Event is a fact about a checkout.
//
//sumtype:decl
type Event interface {
	domain.Event
	event()
}

// CheckoutStarted is recorded once, first in a checkout's stream, when the
// cart has been priced. Prices hold for the whole checkout. A cart that was
// refused has no priced lines, and CheckoutFailed follows at once.
type CheckoutStarted struct {
	CheckoutID string `json:"checkout_id"`
	OrderID    string `json:"order_id"`
	Number     string `json:"number,omitempty"`
	CustomerID string `json:"customer_id"`
	// Fingerprint tells two requests under one idempotency key apart.
	Fingerprint string    `json:"request_fingerprint"`
	Request     Request   `json:"request"`
	Lines       []Line    `json:"priced_lines"`
	Totals      Totals    `json:"totals"`
	StartedAt   time.Time `json:"started_at"`
}

// CheckoutStockReserved is recorded when every unit is set aside.
type CheckoutStockReserved struct {
	CheckoutID   string        `json:"checkout_id"`
	Reservations []Reservation `json:"reservations"`
	ExpiresAt    time.Time     `json:"expires_at"`
	At           time.Time     `json:"at"`
}

// CheckoutStockRefused is recorded for each SKU of which there is not enough.
type CheckoutStockRefused struct {
	CheckoutID string    `json:"checkout_id"`
	SKU        string    `json:"sku"`
	Location   string    `json:"location"`
	Requested  int       `json:"requested"`
	Available  int       `json:"available"`
	At         time.Time `json:"at"`
}

// CheckoutPaymentRequested is recorded before a payment is begun. Attempts
// count from 1.
type CheckoutPaymentRequested struct {
	CheckoutID string `json:"checkout_id"`
	PaymentID  string `json:"payment_id"`
	Attempt    int    `json:"attempt"`
	Method     string `json:"method"`
	ReturnURL  string `json:"return_url,omitempty"`
	// RequestID is the shopper's command that asked for this attempt; empty
	// for the first one.
	RequestID string    `json:"request_id,omitempty"`
	At        time.Time `json:"at"`
	// Fingerprint tells two requests under one idempotency key apart; empty for
	// the first attempt, and where it was not kept yet.
	Fingerprint string `json:"request_fingerprint,omitempty"`
}

// CheckoutPaymentActionRequired is recorded when the shopper has to confirm the
// payment at an address, such as 3-D Secure. What is not confirmed in time is
// declined.
type CheckoutPaymentActionRequired struct {
	CheckoutID string    `json:"checkout_id"`
	PaymentID  string    `json:"payment_id"`
	URL        string    `json:"url"`
	ExpiresAt  time.Time `json:"expires_at"`
	At         time.Time `json:"at"`
}

// CheckoutLatePaymentVoided is recorded when the gateway turned out to hold
// money after the checkout had failed, and has let go of it.
type CheckoutLatePaymentVoided struct {
	CheckoutID string       `json:"checkout_id"`
	PaymentID  string       `json:"payment_id"`
	GatewayRef string       `json:"gateway_ref"`
	Amount     domain.Money `json:"amount"`
	At         time.Time    `json:"at"`
}

// CheckoutPaymentAuthorised is recorded when the money is held, or none is
// needed and there is no payment, and the stock is committed. Consumers may rely on an order following: nothing is undone from
// here on.
type CheckoutPaymentAuthorised struct {
	CheckoutID string    `json:"checkout_id"`
	PaymentID  string    `json:"payment_id"`
	At         time.Time `json:"at"`
}

// CheckoutPaymentDeclined is recorded when the gateway refused. The stock
// stays reserved until RetryUntil, for another method.
type CheckoutPaymentDeclined struct {
	CheckoutID string    `json:"checkout_id"`
	PaymentID  string    `json:"payment_id"`
	Code       string    `json:"code"`
	Message    string    `json:"message"`
	RetryUntil time.Time `json:"retry_until"`
	At         time.Time `json:"at"`
}

// CheckoutPaymentUnknown is recorded when the gateway gave no answer. The
// checkout goes on when the answer is found.
type CheckoutPaymentUnknown struct {
	CheckoutID string    `json:"checkout_id"`
	PaymentID  string    `json:"payment_id"`
	At         time.Time `json:"at"`
}

// CheckoutCompleted says that the order has been placed. The first event of the
// order says so by itself: this one is recorded only for a checkout that was
// still listed as open some time later.
type CheckoutCompleted struct {
	CheckoutID string    `json:"checkout_id"`
	OrderID    string    `json:"order_id"`
	At         time.Time `json:"at"`
}

// CheckoutCompensating is recorded before anything is undone: from here on the
// checkout can only fail.
type CheckoutCompensating struct {
	CheckoutID string    `json:"checkout_id"`
	Reason     string    `json:"reason"` // the code of a rule
	Message    string    `json:"message"`
	At         time.Time `json:"at"`
}

// CheckoutFailed is recorded when nothing is left of the checkout: no stock
// and no money is held for it.
type CheckoutFailed struct {
	CheckoutID string           `json:"checkout_id"`
	Reason     string           `json:"reason"` // the code of a rule
	Message    string           `json:"message"`
	Mistakes   []domain.Mistake `json:"mistakes,omitempty"`
	Released   []string         `json:"released,omitempty"` // reservation ids
	Voided     bool             `json:"voided,omitempty"`
	// Watch is a payment that the gateway knew nothing of: it is looked for a
	// while longer, because a request that was under way may still arrive.
	Watch string    `json:"watch,omitempty"`
	At    time.Time `json:"at"`
}

// CheckoutAbandoned is recorded when a checkout was interrupted before any
// payment and is too old to go on. Its stock has been released.
type CheckoutAbandoned struct {
	CheckoutID string    `json:"checkout_id"`
	Reason     string    `json:"reason"`
	At         time.Time `json:"at"`
}

// EventName implements [domain.Event].
func (CheckoutStarted) EventName() string { return "CheckoutStarted" }

// EventName implements [domain.Event].
func (CheckoutStockReserved) EventName() string { return "CheckoutStockReserved" }

// EventName implements [domain.Event].
func (CheckoutStockRefused) EventName() string { return "CheckoutStockRefused" }

// EventName implements [domain.Event].
func (CheckoutPaymentRequested) EventName() string { return "CheckoutPaymentRequested" }

// EventName implements [domain.Event].
func (CheckoutPaymentAuthorised) EventName() string { return "CheckoutPaymentAuthorised" }

// EventName implements [domain.Event].
func (CheckoutPaymentDeclined) EventName() string { return "CheckoutPaymentDeclined" }

// EventName implements [domain.Event].
func (CheckoutPaymentUnknown) EventName() string { return "CheckoutPaymentUnknown" }

// EventName implements [domain.Event].
func (CheckoutPaymentActionRequired) EventName() string { return "CheckoutPaymentActionRequired" }

// EventName implements [domain.Event].
func (CheckoutLatePaymentVoided) EventName() string { return "CheckoutLatePaymentVoided" }

// EventName implements [domain.Event].
func (CheckoutCompleted) EventName() string { return "CheckoutCompleted" }

// EventName implements [domain.Event].
func (CheckoutCompensating) EventName() string { return "CheckoutCompensating" }

// EventName implements [domain.Event].
func (CheckoutFailed) EventName() string { return "CheckoutFailed" }

// EventName implements [domain.Event].
func (CheckoutAbandoned) EventName() string { return "CheckoutAbandoned" }

func (CheckoutStarted) event()           {}
func (CheckoutStockReserved) event()     {}
func (CheckoutStockRefused) event()      {}
func (CheckoutPaymentRequested) event()  {}
func (CheckoutPaymentAuthorised) event() {}
func (CheckoutPaymentDeclined) event()   {}
func (CheckoutPaymentUnknown) event()    {}
func (CheckoutCompleted) event()         {}

func (CheckoutPaymentActionRequired) event() {}
func (CheckoutLatePaymentVoided) event()     {}
func (CheckoutCompensating) event()          {}
func (CheckoutFailed) event()                {}
func (CheckoutAbandoned) event()             {}

// EventTypes describes the events of a checkout to the codec.
func EventTypes() []domain.EventType {
	return domain.EventTypes(CheckoutStarted{}, CheckoutStockReserved{}, CheckoutStockRefused{},
		CheckoutPaymentRequested{}, CheckoutPaymentAuthorised{}, CheckoutPaymentDeclined{}, CheckoutPaymentUnknown{},
		CheckoutCompleted{}, CheckoutCompensating{}, CheckoutFailed{}, CheckoutAbandoned{}, CheckoutPaymentActionRequired{}, CheckoutLatePaymentVoided{})
}
