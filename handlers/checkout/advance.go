package checkout

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/domain/payment"
	"github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/eventstore"
)

// maxConflicts bounds how often a run begins again because another one, mostly
// of recovery, works on the same checkout.
const maxConflicts = 20

type (
	checkoutStream = aggregate[checkout.State, checkout.Command, checkout.Event]
	paymentStream  = aggregate[payment.State, payment.Command, payment.Event]
	orderStream    = aggregate[order.State, order.Command, order.Event]
)

// run is one process's work on one checkout.
type run struct {
	id       string
	actor    eventstore.Actor
	checkout checkoutStream
	payment  paymentStream // of the last attempt
	order    orderStream
	cause    string // the last event this run caused
	// first says that this run began the checkout and has met nobody else at it.
	first bool
	// asked says that somebody else may have asked the gateway for the last
	// attempt, so that its stream is to be read first.
	asked bool
}

func (s *Service) run(id string, actor eventstore.Actor) *run {
	return &run{
		id: id, actor: actor, checkout: fresh(checkout.Decider, id),
		order: fresh(order.Decider, ""), cause: id, asked: true,
	}
}

// meta describes a command of a step. Its id is the same whoever does the
// step, so that a step done twice is seen to be one.
func (r *run) meta(step string) eventstore.Metadata {
	return eventstore.Metadata{
		CorrelationID: r.id, CausationID: r.cause, Actor: r.actor,
		CommandID: eventstore.DeriveID("checkout step", r.id, strconv.Itoa(r.checkout.state.Attempt), step),
	}
}

func (r *run) paymentID(attempt int) string {
	return eventstore.DeriveIDBeside(r.checkout.state.OrderID, "payment", strconv.Itoa(attempt))
}

// record appends to the checkout.
func (s *Service) record(ctx context.Context, r *run, step string, commands ...checkout.Command) error {
	cause, err := r.checkout.do(ctx, s.Store, r.meta(step), commands...)
	if err == nil && cause != "" {
		r.cause = cause
	}
	return err
}

// load reads what happened to the checkout since. It is completed when its order
// is there: nobody records that a second time.
func (s *Service) load(ctx context.Context, r *run) error {
	if err := r.checkout.load(ctx, s.Store); err != nil || r.checkout.state.Step != checkout.Authorised {
		return err
	}
	placed := fresh(order.Decider, r.checkout.state.OrderID)
	if err := placed.load(ctx, s.Store); err != nil || placed.revision == eventstore.NoStream {
		return err
	}
	r.order = placed
	return s.complete(r)
}

func (s *Service) complete(r *run) error {
	_, err := r.checkout.later(r.meta("completed"), checkout.Complete{At: r.order.state.PlacedAt})
	return err
}

// advance does one step after another until the checkout is closed or waits
// for somebody. Where somebody else was faster it reads what he did and goes
// on from there.
func (s *Service) advance(ctx context.Context, r *run) (Outcome, error) {
	for conflicts := 0; ; {
		before := r.checkout.state.Step
		again, err := s.step(ctx, r)
		if errors.Is(err, eventstore.ErrConflict) || errors.Is(err, checkout.ErrTransition) {
			if conflicts++; conflicts > maxConflicts {
				return Outcome{}, fmt.Errorf("checkout %s: %w", r.id, errors.Join(eventstore.ErrUnavailable, err))
			}
			again, err = true, s.overtaken(ctx, r, before)
		}
		if err != nil {
			return Outcome{}, fmt.Errorf("checkout %s: %w", r.id, err)
		}
		if !again {
			return s.outcome(ctx, r)
		}
	}
}

// step does the next thing, and reports whether there is another one to do.
func (s *Service) step(ctx context.Context, r *run) (again bool, err error) {
	switch r.checkout.state.Step {
	case checkout.Started:
		return true, s.begin(ctx, r)
	case checkout.Reserved:
		if r.checkout.state.Free() {
			return true, s.finish(ctx, r)
		}
		return true, s.requestPayment(ctx, r)
	case checkout.Paying:
		return true, s.authorise(ctx, r)
	case checkout.Authorised:
		return true, s.finish(ctx, r)
	case checkout.Compensating:
		return true, s.undo(ctx, r)
	case checkout.Declined, checkout.Unknown, checkout.ActionRequired, checkout.Completed, checkout.Failed, checkout.Abandoned:
	}
	return false, nil
}

// overtaken reads what somebody else did to the checkout meanwhile. If he
// undid it, what this run took in the meantime is given back too.
func (s *Service) overtaken(ctx context.Context, r *run, before checkout.Step) error {
	if err := s.load(ctx, r); err != nil {
		return err
	}
	r.asked, r.first = true, false
	state := r.checkout.state
	if before == state.Step || state.Step != checkout.Failed && state.Step != checkout.Abandoned {
		return nil
	}
	if _, err := s.giveBack(ctx, r, stock.Compensation); err != nil {
		return err
	}
	_, err := s.void(ctx, r)
	return err
}
