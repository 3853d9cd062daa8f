package payment

import (
	"time"

	"github.com/waybill-dev/waybill/domain"
)

// Command is a wish to change a payment.
//
//sumtype:decl
type Command interface{ command() }

// Request says that the gateway is about to be asked for an authorisation.
type Request struct {
	PaymentID, OrderID   string
	Amount               domain.Money
	Method, Gateway, Key string
	At                   time.Time
	ByHand               bool // asked for by somebody, of an order that was placed
	ReturnURL            string
}

// Authorise records that the gateway holds the money.
type Authorise struct {
	GatewayRef string
	Amount     domain.Money
	ExpiresAt  time.Time
}

// Decline records that the gateway refused.
type Decline struct {
	Code, Message string
	Retryable     bool
}

// RequireAction records that the gateway holds nothing before the shopper has
// done something at an address, such as 3-D Secure.
type RequireAction struct {
	URL       string
	ExpiresAt time.Time
}

// LoseSight records that the gateway did not answer. Once the outcome is known
// this changes nothing.
type LoseSight struct {
	Cause string
	After time.Duration
}

// Resolve records an outcome that was found by asking, or told. Authorised or
// Declined is the one that As names.
type Resolve struct {
	As         Resolution
	By         Source
	Authorised Authorise
	Declined   Decline
}

// RequestVoid says that the gateway is about to be asked to let go of the
// money that it may hold and that was not captured. A declined payment needs no
// voiding, nor does one that expired. While a capture is under way there is no
// telling what is left, and voiding is refused.
type RequestVoid struct{ Reason string }

// Void records that the gateway let go of the money.
type Void struct{}

// FailVoid records that the gateway refused to let go: the payment is again
// where it was before that was asked for. A void without an answer is no
// failure; it is asked for again.
type FailVoid struct{ Code string }

// RequestCapture says that the gateway is about to be asked to take money that
// it holds. CaptureID names it for ever, at the gateway too: after a failure
// another attempt needs another id.
type RequestCapture struct {
	CaptureID string
	Amount    domain.Money
	// Final lets go of what is left. Without it the gateway must be able to
	// capture several times.
	Final bool
}

// Capture records that the gateway took the money.
type Capture struct{ CaptureID, GatewayRef string }

// FailCapture records that the gateway refused to take it. A capture without
// an answer is no failure; it is asked about, or for, with the same id.
type FailCapture struct{ CaptureID, Code string }

// RequestRefund says that the gateway is about to be asked to give money back.
// RefundID names it for ever, at the gateway too: after a failure another
// attempt needs another id.
type RequestRefund struct {
	RefundID string
	Amount   domain.Money
}

// Refund records that the gateway gave the money back.
type Refund struct{ RefundID, GatewayRef string }

// FailRefund records that the gateway refused to give it back. A refund without
// an answer is no failure; it is asked about, or for, with the same id.
type FailRefund struct{ RefundID, Code string }

// Expire records that the gateway let go of what was not captured, because its
// time was up. Where it holds nothing any more this changes nothing.
type Expire struct{}

// ChargeBack records that the shopper's bank took captured money back.
type ChargeBack struct {
	CaseRef string // the gateway's, unique within the payment
	Amount  domain.Money
}

func (Request) command()        {}
func (Authorise) command()      {}
func (Decline) command()        {}
func (RequireAction) command()  {}
func (LoseSight) command()      {}
func (Resolve) command()        {}
func (RequestVoid) command()    {}
func (Void) command()           {}
func (FailVoid) command()       {}
func (RequestCapture) command() {}
func (Capture) command()        {}
func (FailCapture) command()    {}
func (RequestRefund) command()  {}
func (Refund) command()         {}
func (FailRefund) command()     {}
func (Expire) command()         {}
func (ChargeBack) command()     {}
