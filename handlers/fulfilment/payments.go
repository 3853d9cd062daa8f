package fulfilment

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/domain/payment"
	"github.com/waybill-dev/waybill/eventstore"
	gateway "github.com/waybill-dev/waybill/gateways/payment"
	"github.com/waybill-dev/waybill/handlers"
)

// paid is a payment as last seen, and how it got there.
type paid struct {
	id       string
	state    payment.State
	revision eventstore.Revision
	history  []moment
	request  eventstore.Recorded // its first event
}

// moment is a payment after one of its events.
type moment struct {
	revision eventstore.Revision
	position eventstore.Position
	event    payment.Event
	state    payment.State
}

// nextPayment names the payment that is made when the one before cannot be
// captured any more, or not for long.
func nextPayment(id string) string { return eventstore.DeriveID("next payment", id) }

// payment reads a payment. One that was never asked for has no status.
func (r *run) payment(ctx context.Context, id string) (*paid, error) {
	p := &paid{id: id}
	return p, r.read(ctx, p)
}

func (r *run) read(ctx context.Context, p *paid) error {
	p.state, p.revision, p.history = payment.State{}, eventstore.NoStream, nil
	for own, err := range eventstore.Events(ctx, r.Store, payment.Decider, p.id, 0) {
		if err != nil {
			return fmt.Errorf("read %s: %w", payment.Decider.Stream(p.id), err)
		}
		if len(p.history) == 0 {
			p.request = own.Recorded
		}
		p.state, p.revision = payment.Decider.Evolve(p.state, own.Event), own.Revision
		p.history = append(p.history, moment{p.revision, own.Position, own.Event, p.state})
	}
	return nil
}

// payments reads every payment of the order: the one it was placed with, those
// that followed, whether the order knows them yet or not, and any other.
func (r *run) payments(ctx context.Context) ([]*paid, error) {
	all, _, err := r.chain(ctx)
	if err != nil {
		return nil, err
	}
	for _, known := range r.order.Payments {
		if slices.ContainsFunc(all, func(p *paid) bool { return p.id == known.PaymentID }) {
			continue
		}
		p, err := r.payment(ctx, known.PaymentID)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// chain reads the payments that follow one another, and returns the one that
// is not asked for yet. An order that was placed without a payment has a first
// one, too.
func (r *run) chain(ctx context.Context) (all []*paid, next *paid, err error) {
	for id := cmp.Or(r.order.PaymentID, r.id("payment")); ; id = nextPayment(id) {
		p, err := r.payment(ctx, id)
		if err != nil || p.state.Status == "" {
			return all, p, err
		}
		all = append(all, p)
	}
}

// pay lets a payment decide a command, wherever it is by now.
func (r *run) pay(ctx context.Context, p *paid, step string, c payment.Command) error {
	h := handlers.CommandHandler[payment.State, payment.Command, payment.Event]{Store: r.Store, Decider: payment.Decider}
	result, err := h.Handle(ctx, p.id, r.meta(step, p.id), c)
	return r.decided(p, step, result, err)
}

// payHere lets a payment decide a command, unless it changed since it was
// read: then the task begins again.
func (r *run) payHere(ctx context.Context, p *paid, step string, c payment.Command) error {
	h := handlers.CommandHandler[payment.State, payment.Command, payment.Event]{Store: r.Store, Decider: payment.Decider}
	result, err := h.HandleAt(ctx, p.id, p.revision, r.meta(step, p.id), c)
	return r.decided(p, step, result, err)
}

func (r *run) decided(p *paid, step string, result handlers.Result[payment.State], err error) error {
	if err != nil {
		return fmt.Errorf("payment %s: %s: %w", p.id, step, err)
	}
	p.state, p.revision = result.State, result.Revision
	if len(result.Events) == 0 {
		return nil
	}
	return r.step(step)
}

// provider is the gateway of a payment.
func (r *run) provider(p *paid) (gateway.Provider, error) {
	g, err := r.Gateways.Provider(p.state.Gateway)
	if err != nil {
		return nil, fmt.Errorf("payment %s: %w", p.id, err)
	}
	return g, nil
}

// call asks a gateway, for a while.
func call[Q, A any](ctx context.Context, r *run, step string, ask func(context.Context, Q) (A, error), question Q) (A, error) {
	calling, cancel := context.WithTimeout(ctx, r.config.GatewayTimeout)
	answer, err := ask(calling, question)
	cancel()
	if fault := r.step(step); fault != nil {
		return answer, fault
	}
	return answer, err
}

// captured is the sum of what the gateways took.
func captured(all []*paid) (n int64) {
	for _, p := range all {
		n += p.state.Captured().Amount
	}
	return n
}

// kept is what was captured and not given back because the order came to cost
// less. What was given back for goods that returned was paid for them.
func (r *run) kept(all []*paid) int64 { return captured(all) - r.corrected() }

// capturable is the sum of what they may still take.
func capturable(all []*paid) (n int64) {
	for _, p := range all {
		n += p.state.Capturable().Amount
	}
	return n
}

func find(all []payment.Movement, id string) (payment.Movement, bool) {
	for _, m := range all {
		if m.ID == id {
			return m, true
		}
	}
	return payment.Movement{}, false
}

func (r *run) money(amount int64) domain.Money { return amountOf(r.order, amount) }

func amountOf(s order.State, amount int64) domain.Money {
	return domain.Money{Amount: amount, Currency: s.Currency}
}
