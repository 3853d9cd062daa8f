package payment

import (
	"context"
	"net/http"

	"github.com/waybill-dev/waybill/domain"
)

// Listener reads what a gateway tells on its own account.
type Listener interface {
	// Callback verifies the signature of a callback and reads it. The error is
	// [ErrBadSignature] or [ErrBadCallback]. It is [ErrUnknownOutcome] or
	// [ErrNotSent] where the callback does not name the payment and the gateway
	// could not be asked whose it is: then the gateway is to send it again.
	Callback(ctx context.Context, header http.Header, body []byte) (Callback, error)
}

// CallbackKind is what a callback tells of.
type CallbackKind string

// Kinds of callbacks. Callbacks are repeated and come in any order: what one
// tells may be old.
const (
	// TellsAuthorisation carries the state of the authorisation.
	TellsAuthorisation CallbackKind = "authorisation"
	// TellsMovement carries the state of a capture or a refund.
	TellsMovement CallbackKind = "movement"
	// TellsChargeback carries a case.
	TellsChargeback CallbackKind = "chargeback"
	// TellsOther is nothing that we act on.
	TellsOther CallbackKind = "other"
)

// Callback is what a gateway tells.
type Callback struct {
	ID   string // the gateway's, the same on every repeat
	Kind CallbackKind
	Key  string // of our authorisation; empty if it is none of ours
	Ref  string // the gateway's own name for it

	Authorisation Authorisation
	Movement      Movement
	Chargeback    Chargeback
}

// Chargeback is money that the shopper's bank took back.
type Chargeback struct {
	CaseRef string
	Amount  domain.Money
}
