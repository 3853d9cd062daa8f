package checkout

import (
	"time"

	"github.com/waybill-dev/waybill/domain"
)

// Command is a wish to change a checkout; all but Start record what a process
// manager did or is about to do.
//
//sumtype:decl
type Command interface{ command() }

// Start begins a checkout with a priced cart, or, with Refused, ends it at
// once.
type Start struct {
	CheckoutID, OrderID, Number string
	Fingerprint                 string
	Request                     Request
	Lines                       []Line
	Totals                      Totals
	Refused                     *domain.RuleError
	At                          time.Time
}

// ReserveStock records that every unit is set aside.
type ReserveStock struct{ ExpiresAt, At time.Time }

// RefuseStock records what there is not enough of, and that what was set aside
// is about to be released.
type RefuseStock struct {
	Shortages []Shortage
	At        time.Time
}

// RequestPayment records that a payment is about to be begun: the first one,
// or another one after one was declined.
type RequestPayment struct {
	PaymentID, Method string
	// ReturnURL is where the shopper comes back to, if the payment needs them.
	ReturnURL string
	// RequestID and Fingerprint are those of the shopper's request; empty for
	// the first payment.
	RequestID, Fingerprint string
	At                     time.Time
}

// AuthorisePayment records that the money is held, or that none is needed.
type AuthorisePayment struct{ At time.Time }

// DeclinePayment records that the gateway refused.
type DeclinePayment struct {
	Code, Message  string
	RetryUntil, At time.Time
}

// LoseSight records that the gateway did not answer.
type LoseSight struct{ At time.Time }

// RequireAction records that the shopper has to confirm the payment.
type RequireAction struct {
	URL           string
	ExpiresAt, At time.Time
}

// Complete records that the order has been placed.
type Complete struct{ At time.Time }

// Compensate records that everything is about to be undone.
type Compensate struct {
	Reason *domain.RuleError
	At     time.Time
}

// Fail records that everything has been undone.
type Fail struct {
	Released []string
	Voided   bool
	// Unseen says that the gateway knew nothing of the payment that was voided.
	Unseen bool
	At     time.Time
}

// VoidLate records that a payment which the gateway made after the checkout
// had failed was voided.
type VoidLate struct {
	PaymentID, GatewayRef string
	Amount                domain.Money
	At                    time.Time
}

// Abandon records that an interrupted checkout is given up.
type Abandon struct {
	Reason string
	At     time.Time
}

func (Start) command()            {}
func (ReserveStock) command()     {}
func (RefuseStock) command()      {}
func (RequestPayment) command()   {}
func (AuthorisePayment) command() {}
func (DeclinePayment) command()   {}
func (LoseSight) command()        {}
func (RequireAction) command()    {}
func (VoidLate) command()         {}
func (Complete) command()         {}
func (Compensate) command()       {}
func (Fail) command()             {}
func (Abandon) command()          {}
