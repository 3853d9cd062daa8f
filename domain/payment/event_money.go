package payment

import (
	"time"

	"github.com/waybill-dev/waybill/domain"
)

// PaymentActionRequired is recorded when the shopper has to do something before
// the gateway decides, such as 3-D Secure. It may be recorded again with
// another address, which then is the one. No money is held.
type PaymentActionRequired struct {
	PaymentID string `json:"payment_id"`
	// URL is where the shopper goes, from a browser.
	URL       string    `json:"url"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
}

// PaymentVoidFailed is recorded when the gateway refused to let go of the
// money. The payment is again where it was before PaymentVoidRequested.
type PaymentVoidFailed struct {
	PaymentID string `json:"payment_id"`
	// Code is the gateway's.
	Code string `json:"code"`
}

// PaymentCaptureRequested is recorded before the gateway is asked to take money
// that it holds. The amount counts as taken until PaymentCaptureFailed says
// otherwise.
type PaymentCaptureRequested struct {
	PaymentID string       `json:"payment_id"`
	CaptureID string       `json:"capture_id"`
	Amount    domain.Money `json:"amount"`
	// Final says that the gateway lets go of what is left.
	Final bool `json:"final,omitzero"`
}

// PaymentCaptured is recorded once for a capture, when the gateway took the
// money. The sum of a payment's captures is at most what was authorised.
type PaymentCaptured struct {
	PaymentID  string       `json:"payment_id"`
	CaptureID  string       `json:"capture_id"`
	Amount     domain.Money `json:"amount"`
	GatewayRef string       `json:"gateway_ref"`
}

// PaymentCaptureFailed is recorded when the gateway refused to take the money.
// Nothing happens to this capture after it; another attempt has another id.
type PaymentCaptureFailed struct {
	PaymentID string `json:"payment_id"`
	CaptureID string `json:"capture_id"`
	// Code is the gateway's, or [CodeExceedsOrder].
	Code string `json:"code"`
}

// PaymentRefundRequested is recorded before the gateway is asked to give money
// back. The amount counts as given back until PaymentRefundFailed says
// otherwise.
type PaymentRefundRequested struct {
	PaymentID string       `json:"payment_id"`
	RefundID  string       `json:"refund_id"`
	Amount    domain.Money `json:"amount"`
}

// PaymentRefunded is recorded once for a refund, when the gateway gave the
// money back. The sum of a payment's refunds is at most what was captured.
type PaymentRefunded struct {
	PaymentID  string       `json:"payment_id"`
	RefundID   string       `json:"refund_id"`
	Amount     domain.Money `json:"amount"`
	GatewayRef string       `json:"gateway_ref"`
}

// PaymentRefundFailed is recorded when the gateway refused to give the money
// back. Nothing happens to this refund after it; another attempt has another
// id.
type PaymentRefundFailed struct {
	PaymentID string `json:"payment_id"`
	RefundID  string `json:"refund_id"`
	// Code is the gateway's.
	Code string `json:"code"`
}

// PaymentAuthorisationExpired is recorded when the gateway let go of the money
// that was not captured, because its time was up. Only captures that were
// requested before may still succeed.
type PaymentAuthorisationExpired struct {
	PaymentID string `json:"payment_id"`
}

// PaymentChargedBack is recorded once for a case, when the shopper's bank took
// captured money back. It may come together with refunds to more than was
// captured: nobody asked us.
type PaymentChargedBack struct {
	PaymentID string       `json:"payment_id"`
	Amount    domain.Money `json:"amount"`
	// CaseRef is the gateway's name for the case.
	CaseRef string `json:"case_ref"`
}

// EventName implements [domain.Event].
func (PaymentActionRequired) EventName() string { return "PaymentActionRequired" }

// EventName implements [domain.Event].
func (PaymentVoidFailed) EventName() string { return "PaymentVoidFailed" }

// EventName implements [domain.Event].
func (PaymentCaptureRequested) EventName() string { return "PaymentCaptureRequested" }

// EventName implements [domain.Event].
func (PaymentCaptured) EventName() string { return "PaymentCaptured" }

// EventName implements [domain.Event].
func (PaymentCaptureFailed) EventName() string { return "PaymentCaptureFailed" }

// EventName implements [domain.Event].
func (PaymentRefundRequested) EventName() string { return "PaymentRefundRequested" }

// EventName implements [domain.Event].
func (PaymentRefunded) EventName() string { return "PaymentRefunded" }

// EventName implements [domain.Event].
func (PaymentRefundFailed) EventName() string { return "PaymentRefundFailed" }

// EventName implements [domain.Event].
func (PaymentAuthorisationExpired) EventName() string { return "PaymentAuthorisationExpired" }

// EventName implements [domain.Event].
func (PaymentChargedBack) EventName() string { return "PaymentChargedBack" }

func (PaymentActionRequired) event()       {}
func (PaymentVoidFailed) event()           {}
func (PaymentCaptureRequested) event()     {}
func (PaymentCaptured) event()             {}
func (PaymentCaptureFailed) event()        {}
func (PaymentRefundRequested) event()      {}
func (PaymentRefunded) event()             {}
func (PaymentRefundFailed) event()         {}
func (PaymentAuthorisationExpired) event() {}
func (PaymentChargedBack) event()          {}
