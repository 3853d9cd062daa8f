package payment

func requestVoid(s State, c RequestVoid) ([]Event, error) {
	switch s.Status {
	case StatusVoidRequested, StatusVoided, StatusDeclined, StatusExpired:
		return nil, nil
	case StatusRequested, StatusUnknown, StatusActionRequired, StatusNotFound, StatusAuthorised:
		if s.voidable() {
			return []Event{PaymentVoidRequested{s.PaymentID, c.Reason}}, nil
		}
		return nil, refuse(s, "request void").With("captured", s.Captured())
	}
	return nil, refuse(s, "request void")
}

// voidable reports whether anything may be let go of.
func (s State) voidable() bool {
	switch s.Status {
	case StatusRequested, StatusUnknown, StatusActionRequired, StatusNotFound:
		return true
	case StatusAuthorised:
		return sum(s.Captures, MovementRequested) == 0 && !s.takenWhole()
	case StatusVoidRequested, StatusVoided, StatusDeclined, StatusExpired:
	}
	return false
}

func void(s State) ([]Event, error) {
	switch s.Status {
	case StatusVoidRequested:
		return []Event{PaymentVoided{s.PaymentID}}, nil
	case StatusVoided, StatusExpired:
		return nil, nil
	case StatusRequested, StatusUnknown, StatusActionRequired, StatusAuthorised, StatusDeclined, StatusNotFound:
	}
	return nil, refuse(s, "void")
}

func failVoid(s State, c FailVoid) ([]Event, error) {
	if s.Status == StatusVoidRequested {
		return []Event{PaymentVoidFailed{s.PaymentID, c.Code}}, nil
	}
	if s.VoidFailure != "" && s.VoidFailure == c.Code {
		return nil, nil
	}
	return nil, refuse(s, "fail void")
}

func expire(s State) ([]Event, error) {
	expired := []Event{PaymentAuthorisationExpired{s.PaymentID}}
	switch s.Status {
	case StatusVoidRequested:
		return expired, nil
	case StatusAuthorised:
		if s.takenWhole() {
			return nil, nil
		}
		return expired, nil
	case StatusVoided, StatusExpired:
		return nil, nil
	case StatusRequested, StatusUnknown, StatusActionRequired, StatusDeclined, StatusNotFound:
	}
	return nil, refuse(s, "expire")
}

// takenWhole reports whether captures have left nothing that is held.
func (s State) takenWhole() bool {
	captured := false
	for _, c := range s.Captures {
		captured = captured || c.Status == MovementDone
		if c.Final && c.Status == MovementDone {
			return true
		}
	}
	return captured && s.Captured().Amount >= s.Authorised.Amount
}
