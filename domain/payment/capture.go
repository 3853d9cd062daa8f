package payment

import "github.com/waybill-dev/waybill/domain"

// CodeExceedsOrder is why a capture failed that no gateway was asked for: others
// of the order's payments took, just before, what the order costs.
const CodeExceedsOrder = "order-costs-less"

func requestCapture(s State, c RequestCapture) ([]Event, error) {
	if m, known := find(s.Captures, c.CaptureID); known {
		if m.Amount == c.Amount && m.Final == c.Final {
			return nil, nil
		}
		return nil, ErrIDReused.With("capture_id", c.CaptureID)
	}
	if s.Status != StatusAuthorised {
		return nil, refuse(s, "capture")
	}
	if err := s.movable(c.Amount); err != nil {
		return nil, err
	}
	if c.Amount.Amount > s.Capturable().Amount {
		return nil, ErrExceedsAuthorised.With("authorised", s.Authorised).
			With("taken", s.money(s.Authorised.Amount-s.Capturable().Amount)).With("requested", c.Amount)
	}
	return []Event{PaymentCaptureRequested{s.PaymentID, c.CaptureID, c.Amount, c.Final}}, nil
}

// capture is recorded wherever the payment is by then: the gateway did it.
func capture(s State, c Capture) ([]Event, error) {
	m, _ := find(s.Captures, c.CaptureID)
	return done(s, "record capture", m, c.GatewayRef,
		PaymentCaptured{s.PaymentID, c.CaptureID, m.Amount, c.GatewayRef})
}

func failCapture(s State, c FailCapture) ([]Event, error) {
	m, _ := find(s.Captures, c.CaptureID)
	return failed(s, "fail capture", m, PaymentCaptureFailed{s.PaymentID, c.CaptureID, c.Code})
}

// movable tells amounts that may be captured or refunded.
func (s State) movable(amount domain.Money) error {
	if amount.Currency != s.Authorised.Currency {
		return domain.ErrCurrencyMismatch.With("currencies", s.Authorised.Currency+", "+amount.Currency)
	}
	if amount.Amount <= 0 {
		return ErrInvalid.With("amount", amount.String())
	}
	return nil
}

func find(movements []Movement, id string) (m Movement, known bool) {
	for _, m := range movements {
		if m.ID == id {
			return m, true
		}
	}
	return Movement{}, false
}

// done ends a movement once, by success.
func done(s State, command string, m Movement, ref string, e Event) ([]Event, error) {
	switch m.Status {
	case MovementRequested:
		return []Event{e}, nil
	case MovementDone:
		if m.GatewayRef == ref {
			return nil, nil
		}
	case MovementFailed:
	}
	return nil, refuse(s, command).With("movement", string(m.Status))
}

// failed ends a movement once, by failure.
func failed(s State, command string, m Movement, e Event) ([]Event, error) {
	switch m.Status {
	case MovementRequested:
		return []Event{e}, nil
	case MovementFailed:
		return nil, nil
	case MovementDone:
	}
	return nil, refuse(s, command).With("movement", string(m.Status))
}
