package payment

import "fmt"

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
	}
	panic(fmt.Sprintf("payment: unknown command %T", c))
}

func request(s State, c Request) ([]Event, error) {
	if !c.Amount.Valid() || c.Amount.Amount < 0 {
		return nil, ErrInvalid.With("amount", c.Amount.String())
	}
	if s.Status == "" {
		return []Event{PaymentAuthorisationRequested{c.PaymentID, c.OrderID, c.Amount, c.Method, c.Gateway, c.Key, c.At}}, nil
	}
	if s.OrderID == c.OrderID && s.Amount == c.Amount && s.Method == c.Method && s.Gateway == c.Gateway && s.Key == c.Key {
		return nil, nil
	}
	return nil, ErrIDReused.With("payment_id", c.PaymentID)
}

func authorise(s State, c Authorise) ([]Event, error) {
	switch s.Status {
	case StatusRequested, StatusUnknown:
		return []Event{PaymentAuthorised{s.PaymentID, c.GatewayRef, c.Amount, c.ExpiresAt}}, nil
	case StatusAuthorised:
		if s.GatewayRef == c.GatewayRef {
			return nil, nil
		}
	case StatusDeclined, StatusNotFound, StatusVoidRequested, StatusVoided:
	}
	return nil, refuse(s, "authorise")
}

func decline(s State, c Decline) ([]Event, error) {
	switch s.Status {
	case StatusRequested, StatusUnknown:
		return []Event{PaymentDeclined{s.PaymentID, c.Code, c.Message, c.Retryable}}, nil
	case StatusDeclined:
		return nil, nil
	case StatusAuthorised, StatusNotFound, StatusVoidRequested, StatusVoided:
	}
	return nil, refuse(s, "decline")
}

func loseSight(s State, c LoseSight) ([]Event, error) {
	switch s.Status {
	case StatusRequested:
		return []Event{PaymentOutcomeUnknown{s.PaymentID, c.Cause, c.After.Milliseconds()}}, nil
	case "":
		return nil, refuse(s, "lose sight")
	case StatusAuthorised, StatusDeclined, StatusUnknown, StatusNotFound, StatusVoidRequested, StatusVoided:
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
		case StatusRequested, StatusUnknown:
			return []Event{resolved}, nil
		case StatusNotFound:
			return nil, nil
		case StatusAuthorised, StatusDeclined, StatusVoidRequested, StatusVoided:
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

func requestVoid(s State, c RequestVoid) ([]Event, error) {
	switch s.Status {
	case StatusRequested, StatusUnknown, StatusAuthorised, StatusNotFound:
		return []Event{PaymentVoidRequested{s.PaymentID, c.Reason}}, nil
	case StatusVoidRequested, StatusVoided, StatusDeclined:
		return nil, nil
	}
	return nil, refuse(s, "request void")
}

func void(s State) ([]Event, error) {
	switch s.Status {
	case StatusVoidRequested:
		return []Event{PaymentVoided{s.PaymentID}}, nil
	case StatusVoided:
		return nil, nil
	case StatusRequested, StatusUnknown, StatusAuthorised, StatusDeclined, StatusNotFound:
	}
	return nil, refuse(s, "void")
}

func refuse(s State, command string) error {
	return ErrTransition.With("state", string(s.Status)).With("command", command)
}

func evolve(s State, e Event) State {
	switch e := e.(type) {
	case PaymentAuthorisationRequested:
		return State{
			Status: StatusRequested, PaymentID: e.PaymentID, OrderID: e.OrderID, Amount: e.Amount,
			Method: e.Method, Gateway: e.Gateway, Key: e.Key, RequestedAt: e.RequestedAt,
		}
	case PaymentAuthorised:
		s.Status, s.GatewayRef, s.Authorised, s.ExpiresAt = StatusAuthorised, e.GatewayRef, e.Amount, e.ExpiresAt
	case PaymentDeclined:
		s.Status, s.Code, s.Message, s.Retryable = StatusDeclined, e.Code, e.Message, e.Retryable
	case PaymentOutcomeUnknown:
		s.Status = StatusUnknown
	case PaymentOutcomeResolved:
		if e.As == AsNotFound {
			s.Status = StatusNotFound
		}
	case PaymentVoidRequested:
		s.Status = StatusVoidRequested
	case PaymentVoided:
		s.Status = StatusVoided
	}
	return s
}
