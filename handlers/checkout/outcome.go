package checkout

import (
	"context"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
)

// Outcome is where a checkout got. There are three kinds: an order, when
// Checkout.Step is Completed; a refusal, when Refused is set; and otherwise
// neither yet, because the payment's outcome is looked for.
type Outcome struct {
	Checkout checkout.State
	// Order and Revision, that of its stream, are set when there is an order.
	Order    order.State
	Revision eventstore.Revision
	// Position is that of the order in the log, where this run placed it.
	Position eventstore.Position
	// Replayed says that this answers a request that was made before.
	Replayed bool
	// Refused is the rule that says no; see also RetryAfter.
	Refused *domain.RuleError
	// RetryAfter is set with ErrInProgress.
	RetryAfter time.Duration
}

// outcome answers from the fold of what this run knows, or reads.
func (s *Service) outcome(ctx context.Context, r *run) (Outcome, error) {
	o := Outcome{Checkout: r.checkout.state, Refused: r.checkout.state.Refusal()}
	if o.Checkout.Step != checkout.Completed {
		return o, nil
	}
	if r.order.revision == eventstore.NoStream {
		r.order = fresh(order.Decider, o.Checkout.OrderID)
		if err := r.order.load(ctx, s.Store); err != nil {
			return Outcome{}, err
		}
	}
	o.Order, o.Revision, o.Position = r.order.state, r.order.revision, r.order.position
	return o, nil
}

// Get returns where a checkout is, and refuses with ErrNotFound if there is
// none.
func (s *Service) Get(ctx context.Context, id string) (Outcome, error) {
	r := s.run(id, eventstore.Actor{})
	if err := s.load(ctx, r); err != nil {
		return Outcome{}, err
	}
	if r.checkout.state.Step == "" {
		return Outcome{Refused: ErrNotFound.With("checkout_id", id)}, nil
	}
	return s.outcome(ctx, r)
}

// busy refuses a request for a checkout that is being worked on.
func busy(state checkout.State, after time.Duration) Outcome {
	after = max(after.Round(time.Second), time.Second)
	return Outcome{
		Checkout: state, Replayed: true, RetryAfter: after,
		Refused: ErrInProgress.With("retry_after", int(after.Seconds())),
	}
}
