package webhooks

import (
	"context"
	"errors"
	"math"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/delivery"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
	"github.com/waybill-dev/waybill/webhooks/ledger"
)

// running is a courier and how to stop it.
type running struct {
	*courier
	stop context.CancelFunc
	err  error // why it ended, valid once it is gone
}

// supervisor keeps one courier at work for each cursor of an active endpoint
// that this process can get: the live one, and one more for each replay.
type supervisor struct {
	d        *Dispatcher
	couriers map[ledger.Key]*running
	budgets  map[string]*delivery.Budget // by endpoint, while it has couriers
	gone     chan *running
	// unwanted are endpoints that get nothing any more, with the revision that
	// says so: until their rows are that far, they are not served.
	unwanted map[string]eventstore.Revision
	recorded chan stopped
	replays  replays
	aside    aside
	leases   leases
	beside   sync.WaitGroup
}

// run returns when the context has ended and all couriers have come home.
func (s *supervisor) run(ctx context.Context, changed <-chan struct{}) {
	renew := time.NewTicker(s.d.cfg.Lease / 3)
	defer renew.Stop()
	look := time.NewTimer(asideEvery)
	defer look.Stop()
	s.reconcile(ctx)
	for ctx.Err() == nil {
		select {
		case <-changed:
		case <-renew.C:
			s.renew(ctx)
		case r := <-s.gone:
			s.home(ctx, r)
		case one := <-s.recorded:
			s.unwanted[one.id] = one.at
		case id := <-s.d.tooFar:
			s.setAside(ctx, id)
		case <-look.C:
			if !s.mayHaveChanged(ctx) {
				look.Reset(asideEvery)
				continue
			}
		case <-ctx.Done():
			continue
		}
		s.reconcile(ctx)
		if s.looks() {
			look.Reset(asideEvery)
		}
	}
	for len(s.couriers) > 0 {
		s.home(ctx, <-s.gone)
	}
	s.beside.Wait()
}

// reconcile starts and stops couriers so that they match the rows.
func (s *supervisor) reconcile(ctx context.Context) {
	rows, err := s.d.Ledger.Endpoints(ctx)
	if err != nil {
		s.complain(ctx, "webhooks cannot read the endpoints", err)
		return
	}
	runs, err := s.d.Ledger.Runs(ctx)
	if err != nil {
		s.complain(ctx, "webhooks cannot read the cursors", err)
		return
	}
	s.leases.look(runs, s.d.Now())
	active := s.active(rows)
	if err := s.lookAside(ctx, active, runs); err != nil {
		s.complain(ctx, "webhooks cannot read what is set aside", err)
		return
	}
	wanted := map[ledger.Key]bool{}
	for _, run := range runs {
		row, ok := active[run.EndpointID]
		if wanted[run.Key] = ok && s.here(run.EndpointID) && s.mayServe(run.Key) && s.maySend(ctx, row, run); !wanted[run.Key] {
			continue
		}
		if s.replays.completed[run.Key] {
			continue // which the log is about to say
		}
		if r := s.couriers[run.Key]; r == nil {
			s.start(ctx, row, run)
		} else if !same(r.to.Endpoint, row) {
			r.stop() // and starts again as it is by then
		}
	}
	for key, r := range s.couriers {
		if !wanted[key] {
			r.stop()
		}
	}
	s.grant(ctx)
	s.replays.forget(runs)
}

// mayServe says whether a run may be served here: a replay only where the live
// run is, so that one process knows all that its endpoint is sent.
func (s *supervisor) mayServe(key ledger.Key) bool {
	if key.RunID == ledger.Live || IsPing(key.RunID) { // beside a ping nothing is sent
		return true
	}
	_, live := s.couriers[ledger.Key{EndpointID: key.EndpointID, RunID: ledger.Live}]
	return live
}

// budgetOf returns the budget of an endpoint, as it is by now.
func (s *supervisor) budgetOf(to *target) *delivery.Budget {
	cfg := s.d.cfg.budget(to)
	budget := s.budgets[to.ID]
	if budget == nil {
		budget = delivery.NewBudget(cfg)
		s.budgets[to.ID] = budget
		return budget
	}
	budget.Change(cfg)
	return budget
}

// forgetBudget drops the budget of an endpoint that has no courier any more.
func (s *supervisor) forgetBudget(endpointID string) {
	if !s.serves(endpointID) {
		delete(s.budgets, endpointID)
	}
}

// active returns the endpoints to serve by their ids.
func (s *supervisor) active(rows []ledger.Endpoint) map[string]ledger.Endpoint {
	active := map[string]ledger.Endpoint{}
	for _, row := range rows {
		if revision, ok := s.unwanted[row.ID]; ok && row.Revision >= revision {
			delete(s.unwanted, row.ID)
		}
		if _, unwanted := s.unwanted[row.ID]; row.Active() && !unwanted {
			active[row.ID] = row
		}
	}
	return active
}

// same says whether a courier may go on as it is.
func same(a, b ledger.Endpoint) bool {
	return a.Equal(b.Settings) && slices.Equal(a.Channels, b.Channels) &&
		slices.EqualFunc(a.Secrets, b.Secrets, func(a, b endpoint.Secret) bool {
			return a.Version == b.Version && a.NotAfter.Equal(b.NotAfter) && slices.Equal(a.Sealed, b.Sealed)
		})
}

// start serves an endpoint if its cursor can be had.
func (s *supervisor) start(ctx context.Context, row ledger.Endpoint, run ledger.Run) {
	to, err := s.d.target(row, run)
	if err != nil {
		s.complain(ctx, "webhooks cannot sign for an endpoint", err)
		return
	}
	again, err := replayOf(run)
	if err != nil {
		s.complain(ctx, "webhooks cannot run a replay", err)
		return
	}
	until := s.d.Now().Add(s.d.cfg.Lease)
	lease, ours, err := s.d.Ledger.Acquire(ctx, run.Key, s.claim(run))
	if err != nil || !ours {
		s.complain(ctx, "webhooks cannot get a cursor", err)
		return
	}
	parked, err := s.d.Ledger.Parked(ctx, lease)
	if err != nil {
		s.complain(ctx, "webhooks cannot read what is parked", err)
		return
	}
	to.replay, to.budget = again, s.budgetOf(to)
	if to.audience, err = audienceOf(row); err != nil { // it was checked when it was saved
		s.complain(ctx, "webhooks cannot read a filter, everything goes through", err)
	}
	c := newCourier(s.d, to, lease, parked, until)
	if run.RunID == ledger.Live {
		s.report(ctx, c)
	}
	s.launch(ctx, c)
}

func (s *supervisor) launch(process context.Context, c *courier) {
	ctx, stop := context.WithCancel(process)
	r := &running{courier: c, stop: stop}
	s.couriers[c.lease.Key] = r
	s.beside.Go(func() {
		r.err = r.run(ctx, process)
		stop()
		s.gone <- r
	})
}

// home receives a courier that ended.
func (s *supervisor) home(ctx context.Context, r *running) {
	delete(s.couriers, r.lease.Key)
	s.forgetBudget(r.to.ID)
	r.to.session.Close()
	if errors.Is(r.err, errFenced) && s.deleted(ctx, r.lease.Key) {
		return
	}
	if errors.Is(r.err, errFenced) && s.d.Meter.Fenced != nil {
		s.d.Meter.Fenced()
	}
	if errors.Is(r.err, errFenced) || errors.Is(r.err, errAbandoned) {
		s.d.Logger.WarnContext(ctx, "webhooks stopped serving an endpoint", "endpoint", r.to.ID, "run", r.lease.RunID, "error", r.err)
		return
	}
	if err := s.d.Ledger.Release(context.WithoutCancel(ctx), r.lease); err != nil {
		s.complain(ctx, "webhooks cannot give back a cursor", err)
	}
	if errors.Is(r.err, errCompleted) {
		s.replays.completed[r.lease.Key] = true
		if r.to.replay.ping != nil {
			s.beside.Go(func() { s.pingSent(ctx, r) })
		} else {
			s.beside.Go(func() { s.complete(ctx, r) })
		}
	}
	if errors.Is(r.err, errUnwanted) {
		s.unwanted[r.to.ID] = math.MaxInt64 // until it is known
		s.beside.Go(func() { s.disable(ctx, r) })
	}
}

// deleted reports whether a cursor is gone, with its endpoint or its replay.
func (s *supervisor) deleted(ctx context.Context, key ledger.Key) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.d.cfg.Drain) // it may be gone while this process ends
	defer cancel()
	runs, err := s.d.Ledger.Runs(ctx)
	return err == nil && !slices.ContainsFunc(runs, func(run ledger.Run) bool { return run.Key == key })
}

// disable records that an endpoint gets nothing any more. Should this process
// die before, the next one finds out by the next attempt.
func (s *supervisor) disable(ctx context.Context, r *running) {
	var cmd endpoint.Command = endpoint.ReportGone{At: s.d.Now()}
	if r.plan.Stopped() == delivery.StoppedFailing {
		cmd = endpoint.Disable{Reason: endpoint.ReasonFailing, At: s.d.Now()}
	}
	revision := strconv.FormatInt(int64(r.to.Revision), 10)
	at, ok := s.record(ctx, r.to.ID, eventstore.DeriveID("endpoint-stopped", r.to.ID, revision), cmd)
	if !ok {
		return
	}
	s.d.Logger.InfoContext(ctx, "webhook endpoint disabled", "endpoint", r.to.ID, "reason", string(r.plan.Stopped()))
	select {
	case s.recorded <- stopped{r.to.ID, at}:
	case <-ctx.Done():
	}
}

// stopped is an endpoint that gets nothing any more, and the revision that
// says so.
type stopped struct {
	id string
	at eventstore.Revision
}

// renew prolongs the leases and stops couriers whose cursor went elsewhere.
func (s *supervisor) renew(ctx context.Context) {
	now := s.d.Now()
	until := now.Add(s.d.cfg.Lease)
	renewal, err := s.d.Ledger.Renew(ctx, s.d.cfg.Owner, s.d.cfg.Lease)
	if err != nil {
		s.complain(ctx, "webhooks cannot renew leases", err)
		return // the couriers stop by themselves when their leases run out
	}
	s.compareClocks(ctx, now, renewal.At)
	s.noteProgress(ctx, now)
	for _, r := range s.couriers {
		if epoch, ok := renewal.Epochs[r.lease.Key]; ok && epoch == r.lease.Epoch {
			r.own(until)
		} else {
			r.lose()
		}
	}
	s.giveUp(ctx, renewal)
}

// giveUp gives back cursors that are ours and that nobody serves here, as where
// that failed when a courier came home: renewed with the others they would be
// nobody else's for ever.
func (s *supervisor) giveUp(ctx context.Context, renewal ledger.Renewal) {
	for key, epoch := range renewal.Epochs {
		if s.couriers[key] == nil {
			s.complain(ctx, "webhooks cannot give back a cursor", s.d.Ledger.Release(ctx, ledger.Lease{Key: key, Epoch: epoch}))
		}
	}
}

func (s *supervisor) complain(ctx context.Context, what string, err error) {
	if err != nil && ctx.Err() == nil {
		s.d.Logger.ErrorContext(ctx, "trouble in the dispatcher", "what", what, "error", err)
	}
}

// Status is where deliveries to an endpoint stand.
type Status struct {
	ledger.Status
	Head eventstore.Position // of the log; of what this process has read, if it delivers
}

// CaughtUp says that everything up to the head is delivered or parked.
func (s Status) CaughtUp() bool { return s.Through >= s.Head }

// Status returns where deliveries to an endpoint stand, or
// [endpoint.ErrNotFound].
func (d *Dispatcher) Status(ctx context.Context, endpointID string) (Status, error) {
	status, ok, err := d.Ledger.Status(ctx, ledger.Key{EndpointID: endpointID, RunID: ledger.Live})
	if err == nil && !ok {
		err = endpoint.ErrNotFound
	}
	if err != nil {
		return Status{Status: status, Head: d.head()}, err
	}
	head, err := d.headOrEnd(ctx)
	return Status{Status: status, Head: head}, err
}

// headOrEnd asks the log itself where this process does not read it.
func (d *Dispatcher) headOrEnd(ctx context.Context) (eventstore.Position, error) {
	if head := d.head(); head > 0 {
		return head, nil
	}
	return d.End(ctx)
}

// Attempts returns the last attempts at an endpoint, newest first.
func (d *Dispatcher) Attempts(ctx context.Context, endpointID string, limit int) ([]ledger.Attempt, error) {
	return d.Ledger.Attempts(ctx, endpointID, limit)
}

// BreakerState is whether an endpoint is believed to be up.
type BreakerState = delivery.BreakerState
