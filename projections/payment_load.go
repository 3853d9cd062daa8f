package projections

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/payment"
	"github.com/waybill-dev/waybill/eventstore"
)

// loadPayment returns the payment that an event is about, as far as it is
// written. Nobody is asked about one that begins with this event: what it
// writes is refused where the row has come farther.
func loadPayment(ctx context.Context, tx *Tx, r eventstore.Recorded) (*paying, error) {
	p := &paying{revision: eventstore.NoStream}
	if r.Revision == 0 {
		return p, nil
	}
	s := &p.state
	s.PaymentID = r.Stream[len(payment.Decider.Stream("")):]
	var requested, expires, changed, back int64
	err := tx.QueryRow(ctx, `SELECT order_id, status, gateway, method, gateway_key, gateway_ref, currency, requested, authorised,
			charged_back, code, void_failure, before_void, requested_at, expires_at, changed_at, revision FROM payments WHERE payment_id = ?`, s.PaymentID).
		Scan(&s.OrderID, &s.Status, &s.Gateway, &s.Method, &s.Key, &s.GatewayRef, &s.Amount.Currency, &s.Amount.Amount, &s.Authorised.Amount,
			&back, &s.Code, &s.VoidFailure, &s.BeforeVoid, &requested, &expires, &changed, &p.revision)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, fmt.Errorf("payment %s was not asked for", s.PaymentID)
	case err != nil:
		return nil, fmt.Errorf("read payment %s: %w", s.PaymentID, err)
	}
	s.RequestedAt, s.ExpiresAt, p.at = fromMillis(requested), fromMillis(expires), fromMillis(changed)
	s.Authorised.Currency = s.Amount.Currency
	if back > 0 {
		s.Chargebacks = []payment.Chargeback{{Amount: domain.Money{Amount: back, Currency: s.Amount.Currency}}}
	}
	return p, p.loadMovements(ctx, tx)
}

func (p *paying) loadMovements(ctx context.Context, tx *Tx) error {
	type movement struct {
		payment.Movement

		kind string
	}
	rows, err := tx.Query(ctx, `SELECT kind, movement_id, amount, final, status, gateway_ref, code FROM movements
		WHERE payment_id = ? ORDER BY kind, place`, p.state.PaymentID)
	list, err := rowsOf(rows, err, func(rows *sql.Rows) (m movement, err error) {
		m.Amount.Currency = p.state.Amount.Currency
		return m, rows.Scan(&m.kind, &m.ID, &m.Amount.Amount, &m.Final, &m.Status, &m.GatewayRef, &m.Code)
	})
	for _, m := range list {
		if m.kind == MovedCapture {
			p.state.Captures = append(p.state.Captures, m.Movement)
		} else {
			p.state.Refunds = append(p.state.Refunds, m.Movement)
		}
	}
	return err
}
