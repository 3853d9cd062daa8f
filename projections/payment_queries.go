package projections

import (
	"context"
	"database/sql"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/payment"
)

// PaymentRow is one payment of the list.
type PaymentRow struct {
	PaymentID, OrderID                                     string
	Status                                                 payment.Status
	Gateway, Method, GatewayKey, GatewayRef                string
	Requested, Authorised, Captured, Refunded, ChargedBack domain.Money
	Code, VoidFailure                                      string // why it was declined; why it was not voided the last time
	RequestedAt, ChangedAt                                 time.Time
	ExpiresAt                                              time.Time // zero if the gateway did not say
}

// PaymentFilter narrows a list of payments; empty fields do not.
type PaymentFilter struct {
	Status, OrderID, Gateway string
	From, To                 time.Time // of the request: from inclusive, to exclusive
}

// PaymentKey is the place of a payment in the list.
type PaymentKey struct {
	RequestedAt time.Time
	PaymentID   string
}

// MovementRow is a capture or a refund of the list.
type MovementRow struct {
	MovementID, PaymentID, OrderID string
	Status                         payment.MovementStatus
	Amount                         domain.Money
	Final                          bool // of a capture: what is left was let go
	GatewayRef, Code               string
	RequestedAt, ChangedAt         time.Time
}

// MovementFilter narrows a list of captures or refunds; empty fields do not.
type MovementFilter struct {
	Kind            string // MovedCapture or MovedRefund
	Status, OrderID string
	From, To        time.Time // of the request: from inclusive, to exclusive
}

// MovementKey is the place of a capture or a refund in the list.
type MovementKey struct {
	RequestedAt           time.Time
	PaymentID, MovementID string
}

// PaymentQueries reads payments.
type PaymentQueries struct{ DB *sql.DB }

func (f PaymentFilter) query(after *PaymentKey) (string, []any) {
	w := listing{
		columns: `payment_id, order_id, status, gateway, method, gateway_key, gateway_ref, currency, requested, authorised, captured, refunded,
			charged_back, code, void_failure, requested_at, expires_at, changed_at`,
		from: "payments", key: []string{"requested_at", "payment_id"},
	}
	w.equal("status", f.Status)
	w.equal("order_id", f.OrderID)
	w.equal("gateway", f.Gateway)
	var place []any
	if after != nil {
		place = []any{millis(after.RequestedAt), after.PaymentID}
	}
	w.stretch(f.From, f.To, place...)
	return w.query()
}

func (f MovementFilter) query(after *MovementKey) (string, []any) {
	w := listing{
		columns: "movement_id, payment_id, order_id, status, currency, amount, final, gateway_ref, code, requested_at, changed_at",
		from:    "movements", key: []string{"requested_at", "payment_id", "movement_id"},
	}
	w.equal("kind", f.Kind)
	w.equal("status", f.Status)
	w.equal("order_id", f.OrderID)
	var place []any
	if after != nil {
		place = []any{millis(after.RequestedAt), after.PaymentID, after.MovementID}
	}
	w.stretch(f.From, f.To, place...)
	return w.query()
}

// List returns up to limit payments, those that were asked for last first, that
// come after a place in the list; nil is its beginning.
func (q PaymentQueries) List(ctx context.Context, filter PaymentFilter, after *PaymentKey, limit int) ([]PaymentRow, error) {
	query, args := filter.query(after)
	rows, err := q.DB.QueryContext(ctx, query, append(args, limit)...)
	return rowsOf(rows, err, func(rows *sql.Rows) (p PaymentRow, err error) {
		var requested, expires, changed int64
		var currency string
		err = rows.Scan(&p.PaymentID, &p.OrderID, &p.Status, &p.Gateway, &p.Method, &p.GatewayKey, &p.GatewayRef, &currency,
			&p.Requested.Amount, &p.Authorised.Amount, &p.Captured.Amount, &p.Refunded.Amount, &p.ChargedBack.Amount,
			&p.Code, &p.VoidFailure, &requested, &expires, &changed)
		for _, m := range []*domain.Money{&p.Requested, &p.Authorised, &p.Captured, &p.Refunded, &p.ChargedBack} {
			m.Currency = currency
		}
		p.RequestedAt, p.ExpiresAt, p.ChangedAt = fromMillis(requested), fromMillis(expires), fromMillis(changed)
		return p, err
	})
}

// Movements returns up to limit captures or refunds, those that were asked for
// last first, that come after a place in the list; nil is its beginning.
func (q PaymentQueries) Movements(ctx context.Context, filter MovementFilter, after *MovementKey, limit int) ([]MovementRow, error) {
	query, args := filter.query(after)
	rows, err := q.DB.QueryContext(ctx, query, append(args, limit)...)
	return rowsOf(rows, err, func(rows *sql.Rows) (m MovementRow, err error) {
		var requested, changed int64
		err = rows.Scan(&m.MovementID, &m.PaymentID, &m.OrderID, &m.Status, &m.Amount.Currency, &m.Amount.Amount, &m.Final,
			&m.GatewayRef, &m.Code, &requested, &changed)
		m.RequestedAt, m.ChangedAt = fromMillis(requested), fromMillis(changed)
		return m, err
	})
}
