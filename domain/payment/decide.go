package payment

import (
	"fmt"

	"github.com/waybill-dev/waybill/domain"
)

func decide(s State, c Command) ([]Event, error) {
	switch c := c.(type) {
	case Request:
		return request(s, c)
	case Authorise:
		return authorise(s, c)
	case Decline:
		return decline(s, c)
	case LoseSight:
		return loseSight(s, c)
	case Resolve:
		return resolve(s, c)
	case RequestVoid:
		return requestVoid(s, c)
	case Void:
		return void(s)
	case FailVoid:
		return failVoid(s, c)
	case RequireAction:
		return requireAction(s, c)
	case Expire:
		return expire(s)
	case RequestCapture:
		return requestCapture(s, c)
	case Capture:
		return capture(s, c)
	case FailCapture:
		return failCapture(s, c)
	case RequestRefund:
		return requestRefund(s, c)
	case Refund:
		return refund(s, c)
	case FailRefund:
		return failRefund(s, c)
	case ChargeBack:
		return chargeBack(s, c)
	}
	panic(fmt.Sprintf("payment: unknown command %T", c))
}

func request(s State, c Request) ([]Event, error) {
	if !c.Amount.Valid() || c.Amount.Amount < 0 {
		return nil, ErrInvalid.With("amount", c.Amount.String())
	}
	if s.Status == "" {
		return []Event{PaymentAuthorisationRequested{
			c.PaymentID, c.OrderID, c.Amount, c.Method, c.Gateway, c.Key, c.At, c.ByHand, c.ReturnURL,
		}}, nil
	}
	if s.OrderID == c.OrderID && s.Amount == c.Amount && s.Method == c.Method && s.Gateway == c.Gateway && s.Key == c.Key && s.ByHand == c.ByHand {
		return nil, nil
	}
	return nil, ErrIDReused.With("payment_id", c.PaymentID)
}

func authorise(s State, c Authorise) ([]Event, error) {
	switch s.Status {
	case StatusRequested, StatusUnknown, StatusActionRequired:
		return []Event{PaymentAuthorised{s.PaymentID, c.GatewayRef, c.Amount, c.ExpiresAt}}, nil
	case StatusAuthorised:
		if s.GatewayRef == c.GatewayRef {
			return nil, nil
		}
	case StatusDeclined, StatusNotFound, StatusVoidRequested, StatusVoided, StatusExpired:
	}
	return nil, refuse(s, "authorise")
}

func decline(s State, c Decline) ([]Event, error) {
	switch s.Status {
	case StatusRequested, StatusUnknown, StatusActionRequired:
		return []Event{PaymentDeclined{s.PaymentID, c.Code, c.Message, c.Retryable}}, nil
	case StatusDeclined:
		return nil, nil
	case StatusAuthorised, StatusNotFound, StatusVoidRequested, StatusVoided, StatusExpired:
	}
	return nil, refuse(s, "decline")
}

// requireAction takes news that comes late for nothing new.
func requireAction(s State, c RequireAction) ([]Event, error) {
	required := []Event{PaymentActionRequired{s.PaymentID, c.URL, c.ExpiresAt}}
	switch s.Status {
	case "":
		return nil, refuse(s, "require an action")
	case StatusRequested, StatusUnknown:
		return required, nil
	case StatusActionRequired:
		if s.ActionURL != c.URL {
			return required, nil
		}
	case StatusAuthorised, StatusDeclined, StatusNotFound, StatusVoidRequested, StatusVoided, StatusExpired:
	}
	return nil, nil
}

func loseSight(s State, c LoseSight) ([]Event, error) {
	switch s.Status {
	case StatusRequested:
		return []Event{PaymentOutcomeUnknown{s.PaymentID, c.Cause, c.After.Milliseconds()}}, nil
	case "":
		return nil, refuse(s, "lose sight")
	case StatusActionRequired, StatusAuthorised, StatusDeclined, StatusUnknown, StatusNotFound,
		StatusVoidRequested, StatusVoided, StatusExpired:
	}
	return nil, nil // known already, or known to be unknown
}

func resolve(s State, c Resolve) ([]Event, error) {
	resolved := PaymentOutcomeResolved{s.PaymentID, c.As, c.By}
	switch c.As {
	case AsAuthorised:
		events, err := authorise(s, c.Authorised)
		return after(resolved, events), err
	case AsDeclined:
		events, err := decline(s, c.Declined)
		return after(resolved, events), err
	case AsNotFound:
		switch s.Status {
		case StatusRequested, StatusUnknown, StatusActionRequired:
			return []Event{resolved}, nil
		case StatusNotFound:
			return nil, nil
		case StatusAuthorised, StatusDeclined, StatusVoidRequested, StatusVoided, StatusExpired:
		}
	}
	return nil, refuse(s, "resolve as "+string(c.As))
}

func after(first Event, events []Event) []Event {
	if len(events) == 0 {
		return nil
	}
	return append([]Event{first}, events...)
}

// refuse says that the state forbids a command, and what it allows.
func refuse(s State, command string) *domain.RuleError {
	return ErrTransition.With("state", string(s.Status)).With("command", command).With("allowed", s.allowed())
}

// allowed lists what may be asked of a payment. What the gateway tells is not
// asked.
func (s State) allowed() []string {
	commands := []string{}
	if s.Capturable().Amount > 0 {
		commands = append(commands, "capture")
	}
	if s.Refundable().Amount > 0 {
		commands = append(commands, "refund")
	}
	if s.voidable() {
		commands = append(commands, "request void")
	}
	return commands
}
