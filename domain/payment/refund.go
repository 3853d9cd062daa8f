package payment

func requestRefund(s State, c RequestRefund) ([]Event, error) {
	if m, known := find(s.Refunds, c.RefundID); known {
		if m.Amount == c.Amount {
			return nil, nil
		}
		return nil, ErrIDReused.With("refund_id", c.RefundID)
	}
	if s.Authorised.Currency == "" {
		return nil, refuse(s, "refund")
	}
	if err := s.movable(c.Amount); err != nil {
		return nil, err
	}
	if c.Amount.Amount > s.Refundable().Amount {
		return nil, ErrExceedsCaptured.With("captured", s.Captured()).
			With("taken", s.money(s.givenBack())).With("requested", c.Amount)
	}
	return []Event{PaymentRefundRequested{s.PaymentID, c.RefundID, c.Amount}}, nil
}

// refund is recorded wherever the payment is by then: the gateway did it.
func refund(s State, c Refund) ([]Event, error) {
	m, _ := find(s.Refunds, c.RefundID)
	return done(s, "record refund", m, c.GatewayRef,
		PaymentRefunded{s.PaymentID, c.RefundID, m.Amount, c.GatewayRef})
}

func failRefund(s State, c FailRefund) ([]Event, error) {
	m, _ := find(s.Refunds, c.RefundID)
	return failed(s, "fail refund", m, PaymentRefundFailed{s.PaymentID, c.RefundID, c.Code})
}

// chargeBack believes the bank, except that it took back what nobody captured.
func chargeBack(s State, c ChargeBack) ([]Event, error) {
	for _, known := range s.Chargebacks {
		if known.CaseRef != c.CaseRef {
			continue
		}
		if known.Amount == c.Amount {
			return nil, nil
		}
		return nil, ErrIDReused.With("case_ref", c.CaseRef)
	}
	if s.Authorised.Currency == "" {
		return nil, refuse(s, "charge back")
	}
	if err := s.movable(c.Amount); err != nil {
		return nil, err
	}
	if c.Amount.Amount > s.Captured().Amount-s.ChargedBack().Amount {
		return nil, ErrExceedsCaptured.With("captured", s.Captured()).
			With("taken", s.ChargedBack()).With("requested", c.Amount)
	}
	return []Event{PaymentChargedBack{s.PaymentID, c.Amount, c.CaseRef}}, nil
}
