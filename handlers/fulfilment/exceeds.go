package fulfilment

import (
	"context"
	"fmt"
	"slices"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/domain/payment"
	"github.com/waybill-dev/waybill/eventstore"
)

// exceeds reports whether a capture is of more than the order still cost when
// it was asked for. Each payment decides alone: several of one order may be
// asked at the same moment for what it costs once. The log tells which was
// first. Nothing that it has from then on counts, so that whoever looks, and
// whenever, sees the same: a capture that is withdrawn is asked for by nobody.
// A server that does not tell where in the log the events of a stream are leaves
// each payment to decide alone.
func (r *run) exceeds(ctx context.Context, p *paid, captureID string) (bool, error) {
	if err := r.load(ctx); err != nil {
		return false, err
	}
	if len(r.order.Payments) < 2 {
		return false, nil
	}
	own, err := r.payment(ctx, p.id)
	if err != nil {
		return false, err
	}
	asked, amount, err := own.asked(captureID)
	if err != nil || asked == 0 {
		return false, err
	}
	then := &run{Service: r.Service, config: r.config, task: r.task}
	if then.order, err = before(ctx, r.Store, order.Decider, r.task.OrderID, asked); err != nil {
		return false, err
	}
	amount -= then.corrected()
	for _, known := range r.order.Payments {
		state, err := before(ctx, r.Store, payment.Decider, known.PaymentID, asked)
		if err != nil {
			return false, err
		}
		amount += taken(state)
	}
	return amount > then.price(), nil
}

// asked is where in the log a capture was asked for, and of how much.
func (p *paid) asked(captureID string) (eventstore.Position, int64, error) {
	i := slices.IndexFunc(p.history, func(m moment) bool {
		e, capture := m.event.(payment.PaymentCaptureRequested)
		return capture && e.CaptureID == captureID
	})
	if i < 0 {
		return 0, 0, fmt.Errorf("payment %s: capture %s was not asked for", p.id, captureID)
	}
	m, _ := find(p.history[i].state.Captures, captureID)
	return p.history[i].position, m.Amount.Amount, nil
}

// taken is what a payment captured, and is about to.
func taken(p payment.State) (n int64) {
	for _, m := range p.Captures {
		if m.Status != payment.MovementFailed {
			n += m.Amount.Amount
		}
	}
	return n
}

// before is an aggregate as it was before a place in the log.
func before[S, C any, E domain.Event](
	ctx context.Context, store eventstore.Store, decider domain.Decider[S, C, E], id string, end eventstore.Position,
) (state S, err error) {
	for own, err := range eventstore.Events(ctx, store, decider, id, 0) {
		if err != nil {
			return state, fmt.Errorf("read %s: %w", decider.Stream(id), err)
		}
		if own.Position >= end {
			break
		}
		state = decider.Evolve(state, own.Event)
	}
	return state, nil
}
