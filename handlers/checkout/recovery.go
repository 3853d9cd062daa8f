package checkout

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/domain/payment"
	"github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/eventstore"
	gateway "github.com/waybill-dev/waybill/gateways/payment"
	"github.com/waybill-dev/waybill/gateways/registry"
	"github.com/waybill-dev/waybill/handlers"
)

// OpenCheckouts lists checkouts that are not closed. It may lag: what it says
// is checked against the log.
type OpenCheckouts interface {
	// Due returns open checkouts whose time has come, the longest waiting
	// first, as many as are worth one round.
	Due(ctx context.Context, now time.Time) ([]Open, error)
}

// Open is a checkout that is not closed, or one that failed with a payment that
// is to be looked for.
type Open struct {
	CheckoutID string
	Step       checkout.Step
	LastAt     time.Time // of its last event
	DueAt      time.Time // of a declined one: when its stock is released
}

// Recovery finishes or undoes checkouts that were interrupted, looks for
// unknown outcomes, and releases the stock of declined checkouts. Several
// processes may do so at once: every step is harmless to repeat.
type Recovery struct {
	Service  *Service
	Open     OpenCheckouts
	Logger   *slog.Logger
	Interval time.Duration // between two rounds; 0 means 1 s

	mu       sync.Mutex
	polls    map[string]time.Time // when each unknown outcome was asked for last
	failures map[string]*failure  // of checkouts that could not be recovered
}

// failure is how often a checkout could not be recovered, in a row.
type failure struct {
	times int
	next  time.Time
}

// recoveryWorkers is how many checkouts are recovered at once.
const recoveryWorkers = 8

// Run recovers until the context ends.
func (r *Recovery) Run(ctx context.Context) error {
	return handlers.Rounds(ctx, r.Interval, r.Logger, "recovery of checkouts", r.Round)
}

// Round works once through what is due. It returns all failures; the
// checkouts they belong to stay due.
func (r *Recovery) Round(ctx context.Context) error {
	now := r.Service.Now()
	open, err := r.Open.Due(ctx, now)
	if err != nil {
		return fmt.Errorf("list open checkouts: %w", err)
	}
	r.forget(open)
	due := slices.DeleteFunc(open, func(o Open) bool { return !r.due(o, now) })
	return handlers.ForEach(due, recoveryWorkers, func(o Open) error {
		if ctx.Err() != nil {
			return nil
		}
		outcome, err := r.Service.Recover(ctx, o.CheckoutID)
		if outcome.Refused == nil || !errors.Is(outcome.Refused, ErrInProgress) { // else nobody asked the gateway: it stays due
			r.polled(o.CheckoutID, now)
		}
		r.note(ctx, o.CheckoutID, err)
		return err
	})
}

// due decides from the read model alone whether to look at a checkout.
func (r *Recovery) due(o Open, now time.Time) bool {
	config := r.Service.Config.withDefaults()
	r.mu.Lock()
	defer r.mu.Unlock()
	if f := r.failures[o.CheckoutID]; f != nil && now.Before(f.next) {
		return false
	}
	every := config.PollEvery
	switch o.Step {
	case checkout.Declined:
		return !now.Before(o.DueAt)
	case checkout.Unknown:
	case checkout.ActionRequired:
		every = config.ActionPoll
	case checkout.Failed:
		if now.Sub(o.LastAt) >= config.WatchFor {
			return false
		}
		every = config.WatchEvery
	default:
		return now.Sub(o.LastAt) >= config.Patience
	}
	return !now.Before(config.poll(o.LastAt, r.polls[o.CheckoutID], every))
}

// polled notes when an outcome was asked for.
func (r *Recovery) polled(id string, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.polls == nil {
		r.polls = map[string]time.Time{}
	}
	r.polls[id] = now
}

// poll returns when to ask for an outcome that was lost at a time and last
// asked for at another.
func (c Config) poll(lost, last time.Time, every time.Duration) time.Time {
	for _, after := range c.Polls {
		if at := lost.Add(after); at.After(last) {
			return at
		}
	}
	return last.Add(every)
}

// note remembers a failure, so that one checkout that cannot be recovered is
// tried ever less often. That the store is away is nobody's failure: everything
// is tried again at once when it is back.
func (r *Recovery) note(ctx context.Context, id string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil || errors.Is(err, eventstore.ErrUnavailable) {
		delete(r.failures, id)
		return
	}
	if r.failures == nil {
		r.failures = map[string]*failure{}
	}
	f := r.failures[id]
	if f == nil {
		f = &failure{}
		r.failures[id] = f
	}
	f.times++
	f.next = r.Service.Now().Add(handlers.BackOff(f.times, 0.5))
	if f.times == handlers.AlarmAt && r.Logger != nil {
		r.Logger.ErrorContext(ctx, "checkout cannot be recovered; it is tried on", "checkout_id", id, "failures", f.times, "error", err)
	}
}

// Alarms returns how many checkouts this process failed to recover five times
// in a row, or more often.
func (r *Recovery) Alarms() (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range r.failures {
		if f.times >= handlers.AlarmAt {
			n++
		}
	}
	return n
}

// forget drops what is remembered of checkouts that are no longer listed.
func (r *Recovery) forget(open []Open) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.polls)+len(r.failures) <= 2*len(open) {
		return
	}
	listed := map[string]bool{}
	for _, o := range open {
		listed[o.CheckoutID] = true
	}
	maps.DeleteFunc(r.polls, func(id string, _ time.Time) bool { return !listed[id] })
	maps.DeleteFunc(r.failures, func(id string, _ *failure) bool { return !listed[id] })
}

// Recover takes one checkout as far as it gets, or gives it up. One that this
// process is working on is left alone.
func (s *Service) Recover(ctx context.Context, id string) (Outcome, error) {
	if _, free := s.claim(id, ""); !free {
		return Outcome{Refused: ErrInProgress}, nil
	}
	ctx, cancel := s.detach(ctx)
	defer cancel()
	r := s.run(id, eventstore.Actor{Type: "process", ID: "checkout-recovery"})
	outcome, err := s.recover(ctx, r)
	s.release(id, err)
	return outcome, err
}

func (s *Service) recover(ctx context.Context, r *run) (Outcome, error) {
	if err := s.load(ctx, r); err != nil {
		return Outcome{}, err
	}
	state, now, config := r.checkout.state, s.Now(), s.Config.withDefaults()
	var err error
	switch {
	case state.Step == checkout.Completed:
		err = r.checkout.flush(ctx, s.Store) // whoever still lists it has missed the order
	case state.Step == checkout.Started && now.Sub(state.StartedAt) >= config.Abandon:
		err = s.abandon(ctx, r)
	case state.Step == checkout.Declined && !now.Before(state.RetryUntil):
		err = s.compensate(ctx, r, checkout.ErrDeclined)
	case state.Step == checkout.Unknown, state.Step == checkout.ActionRequired:
		err = s.reconcile(ctx, r)
	case state.Watch != "" && !state.LateVoided:
		err = s.watch(ctx, r)
	}
	if err != nil && !errors.Is(err, eventstore.ErrConflict) {
		return Outcome{}, fmt.Errorf("recover checkout %s: %w", r.id, err)
	}
	if err := s.load(ctx, r); err != nil {
		return Outcome{}, err
	}
	return s.advance(ctx, r)
}

// abandon gives up a checkout that nobody paid for. Where a payment was
// announced the checkout goes on instead.
func (s *Service) abandon(ctx context.Context, r *run) error {
	announced, err := s.announced(ctx, r)
	if err != nil {
		return err
	}
	if announced {
		return s.record(ctx, r, "reserved", s.reserved(r)...)
	}
	if err := s.forbid(ctx, r); err != nil {
		return err
	}
	if _, err := s.giveBack(ctx, r, stock.Compensation); err != nil {
		return err
	}
	return s.record(ctx, r, "abandoned", checkout.Abandon{Reason: CodeInterrupted, At: s.Now()})
}

// announced finds out whether the gateway may have been asked for the first
// payment, although the checkout does not say so yet.
func (s *Service) announced(ctx context.Context, r *run) (bool, error) {
	if r.checkout.state.Free() {
		return false, nil
	}
	r.payment = fresh(payment.Decider, r.paymentID(1))
	err := r.payment.load(ctx, s.Store)
	p := r.payment.state
	return p.Status != "" && (p.Status != payment.StatusDeclined || p.Code != CodeInterrupted), err
}

// forbid keeps a run that is not dead but slow from asking the gateway: its
// announcement meets a payment that is declined already.
func (s *Service) forbid(ctx context.Context, r *run) error {
	if r.checkout.state.Free() || r.payment.state.Status != "" {
		return nil
	}
	c := r.checkout.state
	_, err := r.payment.do(ctx, s.Store, r.meta("payment forbidden"),
		payment.Request{
			PaymentID: r.payment.id, OrderID: c.OrderID, Amount: c.Totals.Grand, Method: c.Request.Method,
			Gateway: registry.Of(c.Request.Method), Key: r.payment.id, At: s.Now(),
		},
		payment.Decline{Code: CodeInterrupted, Message: "the checkout was given up before the payment was asked for"})
	if err != nil {
		return err
	}
	return s.fault("payment forbidden")
}

// reconcile looks for an unknown outcome. That the gateway knows nothing is
// believed once no request can be under way any more. After a long time the
// payment is voided instead.
func (s *Service) reconcile(ctx context.Context, r *run) error {
	if err := s.readPayment(ctx, r); err != nil {
		return err
	}
	if r.payment.state.Settled() {
		return s.settle(ctx, r)
	}
	config, lost := s.Config.withDefaults(), s.Now().Sub(r.checkout.state.ChangedAt)
	answer, err := s.find(ctx, r)
	switch {
	case err == nil && answer.Status == gateway.ActionRequired && r.payment.state.Status == payment.StatusActionRequired:
		return s.waitForAction(ctx, r)
	case err == nil:
		err = s.resolve(ctx, r, answer)
	case errors.Is(err, gateway.ErrNotFound) && lost >= 2*config.GatewayTimeout:
		err = s.recordPayment(ctx, r, "payment resolved "+string(payment.AsNotFound), payment.Resolve{As: payment.AsNotFound, By: payment.ByPoll})
	case lost >= config.PollFor:
		return s.compensate(ctx, r, checkout.ErrUnresolved)
	default:
		return nil // asked again later
	}
	if err != nil {
		return err
	}
	return s.settle(ctx, r)
}
