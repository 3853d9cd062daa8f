package delivery

import (
	"container/heap"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/eventstore"
)

// Plan is the state of one endpoint's deliveries. It is not safe for
// concurrent use: one goroutine owns it.
type Plan struct {
	cfg    Config
	share  *Share
	health health
	news   []News

	through eventstore.Position // the last event that was taken or passed by
	outside eventstore.Position // the last one that was taken and is not in the window, for it was parked at once or before
	window  []*entry            // taken, in order; the first is not settled
	lanes   map[string]*lane
	ready   []*lane // with a live event to send, longest waiting first
	due     dueLanes
	beyond  map[eventstore.Position]bool // the cursor, and parked or given up before a restart: not to be taken again
	parked  int

	inFlight int
	stopped  Stopped
	fromDue  bool // whose turn it is when both a due and a live event could go

	changed  map[eventstore.Position]*Parked // nil: the row goes
	saved    eventstore.Position
	savedHow breakerAndGate
}

type breakerAndGate struct {
	state   BreakerState
	gate    time.Time
	failing time.Time
}

// entry is an event from when it is taken until it is settled, and longer if
// it is parked.
type entry struct {
	Event
	before   eventstore.Position // the cursor while this is the oldest unsettled one
	attempts int
	limited  int // times the receiver asked to wait
	sentAt   time.Time
	sending  bool
	probe    bool
	settled  bool
	blocked  bool
	resent   bool
	due      time.Time
	class    Class
}

// lane is a stream with events that are taken and not delivered. Those in
// parked come before those in live; as long as there are any, nothing is live.
type lane struct {
	name   string
	live   []*entry
	parked []*entry
	busy   bool
	queued bool // in ready
	index  int  // in due; -1 when not
	due    time.Time
}

// mostLimited is how often an event may be answered with a wish to wait before
// it counts as failed: a receiver that always asks to wait for one event must
// not stop all others for ever.
const mostLimited = 3

// NewPlan continues after a position, with what was parked by then in the
// order of the log.
func NewPlan(cfg Config, through eventstore.Position, parked []Parked) *Plan {
	p := &Plan{
		cfg:     cfg,
		share:   cfg.Share,
		health:  health{HealthConfig: cfg.Health},
		through: through,
		saved:   through,
		lanes:   map[string]*lane{},
		beyond:  map[eventstore.Position]bool{},
		changed: map[eventstore.Position]*Parked{},
	}
	if p.share == nil {
		p.share = NewBudget(cfg.BudgetConfig).Live(func() {})
	}
	for _, row := range parked {
		p.restore(row)
	}
	for _, l := range p.lanes {
		p.unblock(l)
	}
	return p
}

// unblock lets a lane go on if it was blocked under another policy.
func (p *Plan) unblock(l *lane) {
	for !p.cfg.Block && l.parked[0].blocked {
		row := rowOf(l.parked[0])
		row.Dead, row.Blocked = true, false
		last := len(l.parked) == 1
		if p.remove(l, l.parked[0], &row); last {
			return
		}
	}
	p.schedule(l)
}

func (p *Plan) restore(row Parked) {
	if row.Position > p.through {
		p.beyond[row.Position] = true // it may be delivered before the log comes to it
	}
	if row.Dead {
		return
	}
	e := &entry{
		Event:    Event{Position: row.Position, Revision: row.Revision, Lane: row.Lane, ID: row.ID},
		attempts: row.Attempts, due: row.Due, class: row.Class, settled: true, blocked: row.Blocked, resent: row.Resent,
	}
	key := p.key(e.Event)
	if row.Resent {
		key = resendKey(row.ID)
	}
	l := p.lane(key)
	l.parked = append(l.parked, e)
	p.parked++
}

// Gate lets no attempt be made before a time.
func (p *Plan) Gate(until time.Time) { p.share.hold(until) }

// Fail restores since when nothing succeeded.
func (p *Plan) Fail(since time.Time) {
	p.health.since = since
	p.savedHow.failing = since
}

// Room returns how many more events may be taken.
func (p *Plan) Room() int {
	if p.stopped != "" || p.parked >= p.mostParked() {
		return 0
	}
	return max(p.cfg.Window-len(p.window), 0)
}

// Seen returns up to which position events were taken or passed by.
func (p *Plan) Seen() eventstore.Position { return p.through }

// Through returns the cursor: everything up to it is delivered or parked.
func (p *Plan) Through() eventstore.Position {
	if len(p.window) > 0 {
		return p.window[0].before
	}
	return p.through
}

// Pass notes that nothing up to a position is for this endpoint, besides what
// was taken.
func (p *Plan) Pass(position eventstore.Position) { p.through = max(p.through, position) }

// Take adds an event; events come in the order of the log.
func (p *Plan) Take(e Event) {
	before := p.through
	p.Pass(e.Position)
	if p.beyond[e.Position] {
		delete(p.beyond, e.Position)
		p.outside = e.Position
		return
	}
	l := p.lane(p.key(e))
	if len(l.parked) > 0 {
		p.parkBehind(l, &entry{Event: e})
		p.outside = e.Position
		return
	}
	n := &entry{Event: e, before: before}
	p.window = append(p.window, n)
	l.live = append(l.live, n)
	p.queue(l)
}

// Sendable says whether Next would return an attempt, unless another run of
// the endpoint is faster.
func (p *Plan) Sendable(now time.Time) bool {
	if !p.ripe(now) {
		p.share.Pause(now)
		return false
	}
	return p.share.ask(now)
}

// ripe says that there is something to send.
func (p *Plan) ripe(now time.Time) bool {
	return p.stopped == "" && (len(p.ready) > 0 || (len(p.due) > 0 && !p.due[0].due.After(now)))
}

// Next returns an attempt to make now, if there is one.
func (p *Plan) Next(now time.Time) (Job, bool) {
	if !p.ripe(now) {
		return Job{}, false
	}
	probe, ok := p.share.take(now)
	if !ok {
		return Job{}, false
	}
	e := p.pick(now, probe)
	e.sending, e.probe, e.sentAt = true, probe, now
	p.inFlight++
	return Job{Event: e.Event, Attempt: e.attempts + 1, beside: e.resent}, true
}

// pick takes turns between live events and those that are due again. A probe
// is a live event where possible: parked ones keep their attempts.
func (p *Plan) pick(now time.Time, probe bool) *entry {
	p.fromDue = !p.fromDue && !probe
	if p.fromDue || len(p.ready) == 0 {
		if e := p.pickDue(now); e != nil {
			return e
		}
	}
	if len(p.ready) > 0 {
		l := p.ready[0]
		p.ready = p.ready[1:]
		l.queued, l.busy = false, true
		return l.live[0]
	}
	return nil
}

func (p *Plan) pickDue(now time.Time) *entry {
	if len(p.due) == 0 || p.due[0].due.After(now) {
		return nil
	}
	l := heap.Pop(&p.due).(*lane) //nolint:forcetypeassert // the heap holds nothing else
	l.busy = true
	return l.parked[0]
}

// Wake returns when Next, Spill or Examine may have something to do even if
// nothing is taken or done until then; zero means never.
func (p *Plan) Wake() time.Time {
	var at time.Time
	if p.stopped == "" {
		at = p.nextSend()
	}
	if p.spillable() {
		at = earlier(at, p.window[0].sentAt.Add(p.cfg.SpillAfter))
	}
	if due := p.health.due(); !due.IsZero() && p.stopped == "" && p.owes() {
		at = earlier(at, due)
	}
	return at
}

func (p *Plan) nextSend() time.Time {
	var at time.Time
	switch {
	case len(p.ready) > 0:
		at = time.Unix(0, 1)
	case len(p.due) > 0:
		at = p.due[0].due
	default:
		return at
	}
	allowed, waits := p.share.when()
	if waits {
		return time.Time{}
	}
	return later(at, allowed)
}

// spillable says whether the oldest event holds up others that need not wait
// for it.
func (p *Plan) spillable() bool {
	return p.cfg.Order != Strictly && len(p.window) >= p.cfg.Window && p.window[0].sending
}

// Spill parks the oldest event provisionally when it has been under way for
// long and no room is left: the cursor can go on, and whatever the answer will
// be is noted on the parked row.
func (p *Plan) Spill(now time.Time) {
	if !p.spillable() {
		return
	}
	if e := p.window[0]; now.Sub(e.sentAt) >= p.cfg.SpillAfter {
		p.park(p.lanes[p.key(e.Event)], now, e.class)
	}
}

// Leave parks what stands before something that is delivered or parked already, to
// be sent at once: whoever goes on from what is saved then repeats nothing. What stands
// behind it is left to the log: a row that the cursor has not passed may be
// delivered before the log comes to it, and nobody would remember that. It is for
// when no more attempts are made.
func (p *Plan) Leave(now time.Time) {
	last := len(p.window) - 1
	for last >= 0 && !p.window[last].settled && p.window[last].Position > p.outside {
		last--
	}
	for _, e := range slices.Clone(p.window[:last+1]) {
		if e.settled || p.stopped != "" {
			continue
		}
		l := p.lanes[p.key(e.Event)]
		if l.live = l.live[1:]; len(l.parked) == 0 {
			e.due = now
		}
		p.parkBehind(l, e)
		p.settle(e)
	}
}

// Changes returns what must be saved since the last call, and whether there is
// anything.
func (p *Plan) Changes() (Changes, bool) {
	gate, state, _ := p.share.stand()
	c := Changes{Through: p.Through(), Gate: gate, Breaker: state, Failing: p.health.since, News: p.news}
	how := breakerAndGate{c.Breaker, c.Gate, c.Failing}
	if c.Through == p.saved && how == p.savedHow && len(p.changed) == 0 && len(p.news) == 0 {
		return c, false
	}
	for position, row := range p.changed {
		if row == nil {
			c.Unparked = append(c.Unparked, position)
		} else {
			c.Parked = append(c.Parked, *row)
		}
	}
	slices.SortFunc(c.Parked, func(a, b Parked) int { return compare(a.Position, b.Position) })
	slices.Sort(c.Unparked)
	clear(p.changed)
	p.news = nil
	p.saved, p.savedHow = c.Through, how
	return c, true
}

// Stopped says why the endpoint gets nothing any more; "" while it does.
func (p *Plan) Stopped() Stopped { return p.stopped }

// ParkedCount returns how many events are parked, those given up excepted.
func (p *Plan) ParkedCount() int { return p.parked }

// InFlight returns how many attempts are under way.
func (p *Plan) InFlight() int { return p.inFlight }

// Breaker returns whether the endpoint is believed to be up.
func (p *Plan) Breaker() BreakerState {
	_, state, _ := p.share.stand()
	return state
}
