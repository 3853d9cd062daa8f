package webhooks

import (
	"context"
	"errors"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/delivery"
	"github.com/waybill-dev/waybill/webhooks/ledger"
)

// errFenced says that the cursor belongs to another owner.
var errFenced = errors.New("the cursor went to another owner")

// errAbandoned says that the last results could not be saved in time; those
// deliveries will be made again.
var errAbandoned = errors.New("the last results could not be saved")

// errWithdrawn says that a message that waited is none of the partner's business
// any more.
var errWithdrawn = errors.New("the partner has its sales channel no more")

// errUnwanted says that the receiver wants nothing any more.
var errUnwanted = errors.New("the receiver asked to be disabled")

// courier serves one endpoint while it owns its cursor. One goroutine owns the
// plan; attempts run beside it and report back.
type courier struct {
	d     *Dispatcher
	to    *target
	lease ledger.Lease
	plan  *delivery.Plan
	share *delivery.Share

	// ownedUntil is moved on by whoever renews the lease. It is compared as it
	// is: a clock on the wall that jumps changes nothing of how long a lease lasts.
	ownedUntil atomic.Pointer[time.Time]
	lost       chan struct{} // closed when renewing found another owner
	loseOnce   sync.Once

	claim   *delivery.Claim
	turn    chan struct{} // told when a slot is set aside, or it may send again
	waiting bool          // for a slot
	paced   time.Time     // when there may be more of the past; zero is now

	past     time.Time // since when it sends the past; zero is not now
	pastSent int       // messages that came since

	previous lastAttempts
	batches  chan batch
	results  chan result
	saved    chan bool
	wishes   chan []ledger.Wish
	granted  granted
	pending  batch // taken from the source, not yet into the plan
	unsaved  []ledger.Attempt
	first    time.Time // when the oldest of unsaved came
	settling int       // attempts being saved; -1 when nothing is
	settled  time.Time
	position eventstore.Position // the cursor as saved, or being saved
	news     []delivery.News     // to be told once what is being saved is
	announce func([]delivery.News)
}

type result struct {
	job delivery.Job
	prepared
	Result
	at      time.Time
	dropped bool // the attempt was cut off by us
}

const (
	nothingSettling = -1
	idleSettle      = time.Second // a cursor that only passes by is saved that often
)

func newCourier(d *Dispatcher, to *target, lease ledger.Lease, parked []delivery.Parked, until time.Time) *courier {
	c := &courier{
		d: d, to: to, lease: lease,
		lost:     make(chan struct{}),
		batches:  make(chan batch, 1),
		results:  make(chan result, delivery.MostInFlight),
		turn:     make(chan struct{}, 1),
		saved:    make(chan bool, 1),
		wishes:   make(chan []ledger.Wish, 1),
		settling: nothingSettling,
		position: lease.Through,
	}
	c.claim = d.slots.claim(to.URL, to.TenantID, c.turn)
	c.share = c.shareOf(to.budget)
	cfg := d.cfg.plan(to, d.Random)
	cfg.Share = c.share
	c.plan = delivery.NewPlan(cfg, lease.Through, parked)
	c.plan.Gate(lease.Gate)
	if !lease.Failing.IsZero() {
		c.plan.Fail(lease.Failing)
	}
	c.own(until)
	return c
}

func (c *courier) own(until time.Time) { c.ownedUntil.Store(&until) }

func (c *courier) lose() { c.loseOnce.Do(func() { close(c.lost) }) }

// run serves the endpoint until the context ends (nil), the cursor is lost
// (errFenced), the receiver wants nothing any more (errUnwanted), or a replay
// has sent everything (errCompleted). The process is that of whoever serves.
func (c *courier) run(ctx, process context.Context) error {
	attempts, cutOff := context.WithCancel(context.WithoutCancel(ctx))
	defer cutOff()
	reading, stop := context.WithCancel(ctx)
	var reader sync.WaitGroup
	from := c.plan.Seen()
	reader.Go(func() { c.source(&chooser{d: c.d, to: c.to, out: c.batches}).run(reading, from) })
	defer reader.Wait()
	defer stop()

	err := c.serve(ctx, attempts)
	c.step()
	defer c.share.Leave()
	if errors.Is(err, errFenced) {
		cutOff()
		c.forget()
		return err
	}
	return errors.Join(err, c.drain(process, cutOff))
}

func (c *courier) serve(ctx, attempts context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		now := c.d.Now()
		if !now.Before(*c.ownedUntil.Load()) {
			return errFenced
		}
		c.plan.Examine(now)
		if c.plan.Stopped() != "" && c.plan.InFlight() == 0 {
			return errUnwanted
		}
		c.plan.Spill(now)
		c.take()
		if c.completed() {
			return errCompleted
		}
		c.send(attempts, now)
		c.settle(now)
		timer.Reset(c.sleep(now))
		if err := c.wait(ctx, timer); err != nil {
			return err
		}
	}
	return nil
}

// wait blocks until something happened.
func (c *courier) wait(ctx context.Context, timer *time.Timer) error {
	batches := c.batches
	if len(c.pending.items) > 0 || c.plan.Room() == 0 {
		batches = nil
	}
	select {
	case c.pending = <-batches:
	case r := <-c.results:
		c.done(r)
		c.doneMore()
	case wishes := <-c.wishes:
		c.grant(wishes, c.d.Now())
	case <-c.turn:
	case ours := <-c.saved:
		return c.noteSaved(ours)
	case <-timer.C:
	case <-c.lost:
		return errFenced
	case <-ctx.Done():
	}
	return nil
}

// take moves what is pending into the plan, as far as there is room.
func (c *courier) take() {
	for len(c.pending.items) > 0 && c.plan.Room() > 0 {
		it := c.pending.items[0]
		c.pending.items = c.pending.items[1:]
		if it.Position <= c.plan.Seen() {
			continue
		}
		c.plan.Take(delivery.Event{
			Position: it.Position, Revision: it.Revision, Lane: it.Stream, ID: it.ID.String(), Payload: it,
		})
	}
	if len(c.pending.items) == 0 {
		c.plan.Pass(c.pending.through)
	}
}

func (c *courier) send(attempts context.Context, now time.Time) {
	c.paced = time.Time{}
	for c.mayGo(now) && c.plan.Sendable(now) {
		if !c.d.slots.take(c.claim) {
			c.waiting = true
			c.yield(now)
			return
		}
		c.waiting = false
		if !c.inPace(now) {
			c.d.slots.give(c.claim)
			c.yield(now)
			return
		}
		job, ok := c.plan.Next(now)
		if !ok {
			c.d.slots.give(c.claim)
			return
		}
		c.begin(attempts, job)
	}
	c.step()
}

// inPace says whether what is sent next does not keep the processor from what
// is live.
func (c *courier) inPace(now time.Time) bool {
	if c.to.replay == nil && c.d.hub.Load().covers(c.plan.Seen()) {
		c.past = time.Time{}
		c.d.pace.sentLive(now)
		return true
	}
	c.sendsPast(now)
	again, ok := c.d.pace.take(now)
	if !ok {
		c.paced = again
	}
	return ok
}

// begin makes an attempt beside the courier. Goroutines that wait for another
// one after theirs cost more, by a sixth of an attempt, than new ones.
func (c *courier) begin(ctx context.Context, job delivery.Job) {
	go func() {
		r := c.attempt(ctx, job)
		c.d.slots.give(c.claim)
		c.results <- r
	}()
}

// mayGo says whether another attempt could be saved in time.
func (c *courier) mayGo(now time.Time) bool {
	if c.unsettled() < c.d.cfg.Window {
		return true
	}
	c.share.Pause(now)
	return false
}

// step leaves the line for a slot, if the courier stands in it.
func (c *courier) step() {
	if c.waiting {
		c.waiting = false
		c.d.slots.leave(c.claim)
	}
}

// unsettled counts attempts that would be made again after a crash.
func (c *courier) unsettled() int { return len(c.unsaved) + max(c.settling, 0) + c.plan.InFlight() }

func (c *courier) attempt(ctx context.Context, job delivery.Job) result {
	r := result{job: job, at: c.d.Now()}
	var err error
	r.prepared, err = c.d.prepare(ctx, c.to, job)
	if err != nil {
		r.Result = c.unmade(ctx, job, err)
	} else {
		r.Previous = c.previous.get(r.MessageID)
		r.Result = c.d.deliver(ctx, c.to, r.prepared)
	}
	r.dropped = ctx.Err() != nil && r.Status == 0
	return r
}

// unmade is the result where a message could not be made. Live it waits with
// its lane for a program that can, as long as the schedule is; a replay goes on
// without it, for it can be asked for again.
func (c *courier) unmade(ctx context.Context, job delivery.Job, err error) Result {
	if errors.Is(err, errWithdrawn) {
		return Result{Class: delivery.ClassWithdrawn, Directive: delivery.DirectiveAbort, Err: err}
	}
	result := Result{Class: delivery.ClassMessage, Err: err}
	if !isUnreadable(err) {
		return result
	}
	if c.to.replay != nil {
		result.Directive = delivery.DirectiveAbort
	}
	c.d.complainOf(ctx, job.ID, job.Lane, err)
	return result
}

// done tells the plan, and notes the attempt for the ledger.
func (c *courier) done(r result) {
	now := c.d.Now()
	if r.dropped {
		return
	}
	class := c.plan.Done(r.job, r.answer(), now)
	if len(c.granted.later) > 0 {
		c.grant(c.granted.later, now)
	}
	c.previous.note(r.MessageID, Previous{Class: class, Span: r.Span})
	if class == delivery.ClassOK {
		c.pastSent++
	} else {
		c.d.Logger.Debug("webhook attempt failed", "endpoint", c.to.ID, "message", r.job.ID, "attempt", r.job.Attempt, "class", class, "error", withoutURL(r.Err))
	}
	if len(c.unsaved) == 0 {
		c.first = now
	}
	if c.to.PersonalData {
		r.Response = ledger.Response{} // it may repeat what it was sent
	}
	c.unsaved = append(c.unsaved, ledger.Attempt{
		EndpointID: c.to.ID, RunID: c.lease.RunID, Position: r.job.Position, Lane: r.job.Lane, EventID: r.job.ID, EventType: r.EventType,
		Attempt: r.job.Attempt, At: r.at, Status: r.Status, Class: class, Took: r.Took, TraceID: r.Metadata.TraceID, Response: r.Response,
	})
}

// doneMore takes what has come meanwhile, so that all of it is one round.
func (c *courier) doneMore() {
	for {
		select {
		case r := <-c.results:
			c.done(r)
		default:
			return
		}
	}
}

// settle hands what changed to the settler, one piece at a time.
func (c *courier) settle(now time.Time) {
	at := c.settleAt()
	if at.IsZero() || now.Before(at) {
		return
	}
	c.handOver(now)
}

func (c *courier) handOver(now time.Time) {
	changes, changed := c.plan.Changes()
	if !changed && len(c.unsaved) == 0 && len(c.granted.done) == 0 {
		return
	}
	c.settling, c.settled, c.position, c.news = len(c.unsaved), now, changes.Through, changes.News
	wish := settling{Settlement: ledger.Settlement{
		Lease: c.lease, Changes: changes, Attempts: c.unsaved, Wishes: c.granted.done,
	}, saved: c.saved}
	select {
	case c.d.settler.in <- wish:
	case <-c.d.abandoned:
	}
	c.unsaved, c.granted.done = nil, nil
}

// settleAt returns when there is something to save; zero is not for now.
func (c *courier) settleAt() time.Time {
	switch {
	case c.settling != nothingSettling:
		return time.Time{}
	case len(c.unsaved) >= c.d.cfg.SettleAt:
		return c.first
	case len(c.unsaved) > 0:
		return c.d.settler.due(c.first, c.d.cfg.SettleAfter)
	case len(c.granted.done) > 0:
		return c.granted.since
	case c.plan.Through() != c.position || c.plan.Told():
		return c.settled.Truncate(idleSettle).Add(idleSettle)
	}
	return time.Time{}
}

func (c *courier) noteSaved(ours bool) error {
	c.settling = nothingSettling
	if !ours {
		return errFenced
	}
	if len(c.news) > 0 && c.announce != nil {
		c.announce(c.news)
	}
	c.news = nil
	return nil
}

// sleep returns how long nothing needs to be done unless something happens.
func (c *courier) sleep(now time.Time) time.Duration {
	until := *c.ownedUntil.Load()
	if at := c.settleAt(); !at.IsZero() && at.Before(until) {
		until = at
	}
	at := c.plan.Wake()
	if c.waiting {
		at = now.Add(spillAfter) // unless it is its turn before
	}
	if !c.paced.IsZero() {
		at = c.paced
	}
	if (c.waiting || c.unsettled() < c.d.cfg.Window) && !at.IsZero() && at.Before(until) {
		until = at
	}
	return max(until.Sub(now), 0)
}

// drain waits for attempts under way, and saves what is known. What is cut off
// will be sent again: that is done when the process is to end and they take too
// long, and not for an endpoint that is to go on elsewhere, or by other settings.
func (c *courier) drain(process context.Context, cutOff context.CancelFunc) error {
	timer := time.AfterFunc(c.d.cfg.Timeout+c.d.cfg.Drain, cutOff) // by then all that were sent have ended
	defer timer.Stop()
	stop := context.AfterFunc(process, func() { time.AfterFunc(c.d.cfg.Drain, cutOff) })
	defer stop()
	for waiting := c.plan.InFlight(); waiting > 0; waiting-- {
		c.done(<-c.results)
	}
	cutOff()
	if err := c.awaitSaved(); err != nil {
		return err
	}
	c.plan.Leave(c.d.Now())
	c.handOver(c.d.Now())
	return c.awaitSaved()
}

// forget waits for attempts that were cut off; what they brought is not ours
// to save.
func (c *courier) forget() {
	for waiting := c.plan.InFlight(); waiting > 0; waiting-- {
		<-c.results
	}
}

func (c *courier) awaitSaved() error {
	if c.settling == nothingSettling {
		return nil
	}
	select {
	case ours := <-c.saved:
		return c.noteSaved(ours)
	case <-c.d.abandoned:
		return errAbandoned
	}
}

// withoutURL leaves out of an error the URL that was asked: its path or query
// may be a partner's secret.
func withoutURL(err error) error {
	if within, ok := errors.AsType[*url.Error](err); ok {
		return within.Err
	}
	return err
}
