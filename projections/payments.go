package projections

import (
	"context"
	"fmt"
	"io/fs"
	"time"

	"github.com/waybill-dev/waybill/domain/payment"
	"github.com/waybill-dev/waybill/eventstore"
)

// Payments is the list of payments, and of the captures and refunds of each,
// whatever became of the order: a row per payment, written once for all that a
// page says of it.
type Payments struct{}

// Name implements [Projection].
func (Payments) Name() string { return "payments" }

// Version implements [Projection].
func (Payments) Version() int { return 1 }

// Migrations implements [Projection].
func (Payments) Migrations() fs.FS { return schema("payments") }

// Prefixes implements [Projection].
func (Payments) Prefixes() []string { return []string{payment.Decider.Category + "-"} }

// PerStream implements [PerStream].
func (Payments) PerStream() {}

// LateIndexes implements [LateIndexes].
func (Payments) LateIndexes() []string { return []string{"payments", "movements"} }

// Apply implements [Projection].
func (p Payments) Apply(ctx context.Context, tx *Tx, r eventstore.Recorded) error {
	return p.ApplyPage(ctx, tx, []eventstore.Recorded{r})
}

// ApplyPage implements [Pager].
func (Payments) ApplyPage(ctx context.Context, tx *Tx, events []eventstore.Recorded) error {
	known, order := map[string]*paying{}, []*paying(nil)
	for _, r := range events {
		event, err := r.Decode()
		if err != nil {
			return err
		}
		e, ok := event.(payment.Event)
		if !ok {
			return fmt.Errorf("%T is no event of a payment", event)
		}
		p := known[r.Stream]
		if p == nil {
			if p, err = loadPayment(ctx, tx, r); err != nil {
				return err
			}
			known[r.Stream] = p
			order = append(order, p)
		}
		p.apply(r, e)
	}
	var rows, movements []any
	for _, p := range order {
		rows, movements = p.rows(rows, movements)
	}
	if err := insertPayments.run(ctx, tx, rows); err != nil {
		return err
	}
	return insertMovements.run(ctx, tx, movements)
}

// paying is a payment that a page changes.
type paying struct {
	state     payment.State
	revision  eventstore.Revision // up to which it is in state
	changed   bool
	at        time.Time
	movements map[movementKey]*moving
}

type movementKey struct{ kind, id string }

// moving is a capture or a refund that a page changes.
type moving struct {
	requestedAt, changedAt time.Time
	revision               eventstore.Revision
}

// Kinds of movements of money.
const (
	MovedCapture = "capture"
	MovedRefund  = "refund"
)

// apply folds an event onto what is known, unless that has it already.
func (p *paying) apply(r eventstore.Recorded, e payment.Event) {
	if r.Revision <= p.revision {
		return
	}
	p.state, p.revision, p.changed, p.at = payment.Decider.Evolve(p.state, e), r.Revision, true, r.Created
	switch e := e.(type) { //nolint:gochecksumtype // the others are no movement
	case payment.PaymentCaptureRequested:
		p.move(MovedCapture, e.CaptureID)
	case payment.PaymentCaptured:
		p.move(MovedCapture, e.CaptureID)
	case payment.PaymentCaptureFailed:
		p.move(MovedCapture, e.CaptureID)
	case payment.PaymentRefundRequested:
		p.move(MovedRefund, e.RefundID)
	case payment.PaymentRefunded:
		p.move(MovedRefund, e.RefundID)
	case payment.PaymentRefundFailed:
		p.move(MovedRefund, e.RefundID)
	}
}

func (p *paying) move(kind, id string) {
	key := movementKey{kind, id}
	m := p.movements[key]
	if m == nil {
		if p.movements == nil {
			p.movements = map[movementKey]*moving{}
		}
		m = &moving{requestedAt: p.at}
		p.movements[key] = m
	}
	m.changedAt, m.revision = p.at, p.revision
}

// rows adds what is to be written.
func (p *paying) rows(payments, movements []any) (_, _ []any) {
	if !p.changed {
		return payments, movements
	}
	s := p.state
	payments = append(payments, s.PaymentID, s.OrderID, string(s.Status), s.Gateway, s.Method, s.Key, s.GatewayRef,
		s.Amount.Currency, s.Amount.Amount, s.Authorised.Amount, s.Captured().Amount, s.Refunded().Amount, s.ChargedBack().Amount,
		s.Code, s.VoidFailure, string(s.BeforeVoid), millis(s.RequestedAt), millis(s.ExpiresAt), millis(p.at), int64(p.revision))
	for _, kind := range []struct {
		name string
		all  []payment.Movement
	}{{MovedCapture, s.Captures}, {MovedRefund, s.Refunds}} {
		for place, m := range kind.all {
			moved := p.movements[movementKey{kind.name, m.ID}]
			if moved == nil {
				continue
			}
			movements = append(movements, s.PaymentID, kind.name, m.ID, s.OrderID, string(m.Status), s.Amount.Currency, m.Amount.Amount, m.Final,
				m.GatewayRef, m.Code, place, millis(moved.requestedAt), millis(moved.changedAt), int64(moved.revision))
		}
	}
	return payments, movements
}

// What was written before a page came again is not written once more: its rows
// have come as far, or farther.
//
//nolint:gochecknoglobals // texts that are put together once
var (
	insertPayments = newInsert(20, `INSERT INTO payments (payment_id, order_id, status, gateway, method, gateway_key, gateway_ref,
			currency, requested, authorised, captured, refunded, charged_back, code, void_failure, before_void, requested_at, expires_at, changed_at, revision)`,
		`ON CONFLICT (payment_id) DO UPDATE SET status = excluded.status, gateway_ref = excluded.gateway_ref, authorised = excluded.authorised,
			captured = excluded.captured, refunded = excluded.refunded, charged_back = excluded.charged_back, code = excluded.code,
			void_failure = excluded.void_failure, before_void = excluded.before_void, expires_at = excluded.expires_at, changed_at = excluded.changed_at, revision = excluded.revision
		WHERE payments.revision < excluded.revision`)
	insertMovements = newInsert(14, `INSERT INTO movements (payment_id, kind, movement_id, order_id, status, currency, amount, final,
			gateway_ref, code, place, requested_at, changed_at, revision)`,
		`ON CONFLICT (payment_id, kind, movement_id) DO UPDATE SET status = excluded.status, gateway_ref = excluded.gateway_ref,
			code = excluded.code, changed_at = excluded.changed_at, revision = excluded.revision
		WHERE movements.revision < excluded.revision`)
)
