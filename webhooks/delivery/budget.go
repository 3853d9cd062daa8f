package delivery

import (
	"slices"
	"sync"
	"time"
)

// BudgetConfig is what an endpoint is believed to take.
type BudgetConfig struct {
	Breaker BreakerConfig
	// InFlight is how many attempts may be under way at once in the beginning,
	// MostInFlight how many that may become while the endpoint answers well.
	InFlight, MostInFlight int
	// Rate is how many attempts may begin in a second; 0 is any number.
	Rate int
}

// Budget is what one endpoint takes, whoever sends: attempts at once, attempts
// in a second, the time before which it wants nothing, and whether it is
// believed to be up. Its live run and its replays have shares of it. It
// promises that together they never send more than one alone might, that what
// one of them hears holds all, that the live run goes first, that replays get
// at most half while it is at work and everything while it is not, and that
// replays take turns. It is safe for concurrent use.
type Budget struct {
	mu      sync.Mutex
	breaker breaker
	limit   limit
	rate    rate
	half    rate // of all replays, while the live run is at work
	gate    time.Time
	closed  bool // the receiver wants nothing any more

	inFlight, replays int
	live              *Share    // nil while there is none
	worked            time.Time // when the live run last had something to do
	line              []*Share  // replays that have something to send, in turn
}

// Share is one run's part in a budget.
type Share struct {
	budget   *Budget
	live     bool
	wake     func()
	own      rate
	inFlight int
	wants    bool // the live run has something to send and may not
	probing  bool // one of those in flight shows whether the endpoint is up
}

// idleAfter is how long a live run has nothing to do before replays get all
// that the endpoint takes: what comes next must not find it full.
const idleAfter = time.Second

// NewBudget makes a budget nobody has used of yet.
func NewBudget(cfg BudgetConfig) *Budget {
	b := &Budget{breaker: breaker{BreakerConfig: cfg.Breaker}, limit: newLimit(cfg.InFlight, cfg.MostInFlight)}
	b.setRate(cfg.Rate)
	return b
}

// Change follows the endpoint's settings. What was learned of it is kept.
func (b *Budget) Change(cfg BudgetConfig) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.breaker.BreakerConfig = cfg.Breaker
	b.limit.bound(cfg.MostInFlight)
	b.setRate(cfg.Rate)
	b.call()
}

// Up says whether the endpoint is believed to be up.
func (b *Budget) Up() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.breaker.state == Closed
}

func (b *Budget) setRate(perSecond int) {
	b.rate.pace(newRate(perSecond))
	b.half.pace(newRate(perSecond).halved())
}

// Live returns the share of the live run. Wake is called when it may be the
// share's turn; it must not call back. Leave ends a share.
func (b *Budget) Live(wake func()) *Share {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.live = &Share{budget: b, live: true, wake: wake}
	return b.live
}

// Replay returns a share of a replay, which begins so many attempts in a second
// at most; 0 is any number. Wake is that of Live.
func (b *Budget) Replay(perSecond int, wake func()) *Share {
	return &Share{budget: b, wake: wake, own: newRate(perSecond)}
}

// Leave gives up a share. What is still under way does not count any more.
func (s *Share) Leave() {
	b := s.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	b.inFlight -= s.inFlight
	if !s.live {
		b.replays -= s.inFlight
	}
	s.inFlight = 0
	if s.probing {
		b.breaker.unproved(time.Time{})
	}
	if b.live == s {
		b.live = nil
	}
	b.step(s)
	b.call()
}

// Pause says that a run has nothing to send for now, or cannot for reasons of
// its own: others need not wait for it.
func (s *Share) Pause(now time.Time) {
	b := s.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.live {
		if s.wants {
			b.worked = now
			s.wants = false
			b.call()
		}
		return
	}
	if b.step(s) {
		b.call()
	}
}

// ask says whether a run that has something to send may begin an attempt. If
// not, it is woken, or [Share.when] tells the time.
func (s *Share) ask(now time.Time) bool {
	s.budget.mu.Lock()
	defer s.budget.mu.Unlock()
	return s.budget.ask(s, now)
}

func (b *Budget) ask(s *Share, now time.Time) bool {
	if s.live {
		at, waits := b.when(s)
		s.wants = waits || now.Before(at)
		return !s.wants
	}
	if now.Before(s.own.next()) {
		if b.step(s) {
			b.call()
		}
		return false
	}
	if !slices.Contains(b.line, s) {
		b.line = append(b.line, s)
	}
	at, waits := b.when(s)
	return !waits && !now.Before(at)
}

// when returns from which time on a run may begin an attempt, or that it has
// to wait for another.
func (s *Share) when() (at time.Time, waits bool) {
	s.budget.mu.Lock()
	defer s.budget.mu.Unlock()
	return s.budget.when(s)
}

func (b *Budget) when(s *Share) (at time.Time, waits bool) {
	if b.closed || b.breaker.state == HalfOpen || b.inFlight >= b.limit.slots() {
		return at, true
	}
	at = later(b.gate, b.rate.next())
	if b.breaker.state == Open {
		at = later(at, b.breaker.until)
	}
	if s.live {
		return at, false
	}
	if (b.live != nil && b.live.wants) || (len(b.line) > 0 && b.line[0] != s && slices.Contains(b.line, s)) {
		return at, true
	}
	return b.beside(later(at, s.own.next()))
}

// beside is when for a replay, given what holds everybody.
func (b *Budget) beside(at time.Time) (time.Time, bool) {
	idle, known := b.idle()
	room := b.replays < b.mostBeside()
	switch {
	case room && (!known || b.half.next().Before(idle)):
		return later(at, b.half.next()), false
	case known:
		return later(at, idle), false
	}
	return at, true
}

// idle returns from when on the live run has had nothing to do for long enough,
// if nothing comes; it is not known while it has something to do.
func (b *Budget) idle() (at time.Time, known bool) {
	switch {
	case b.live == nil, b.worked.IsZero() && b.live.inFlight == 0:
		return time.Time{}, true
	case b.live.inFlight > 0 || b.live.wants:
		return time.Time{}, false
	}
	return b.worked.Add(idleAfter), true
}

// take begins an attempt if there may be one, and says whether it is the one
// that shows whether the endpoint is up.
func (s *Share) take(now time.Time) (probe, ok bool) {
	b := s.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.ask(s, now) {
		return false, false
	}
	if _, probe = b.breaker.allow(now); probe {
		b.breaker.state, s.probing = HalfOpen, true
	}
	s.inFlight++
	b.inFlight++
	b.rate.take(now)
	if s.live {
		b.worked, s.wants = now, false
	} else {
		b.takeBeside(s, now)
	}
	b.limit.sent(b.inFlight >= b.limit.slots() || b.replays >= b.mostBeside(), now)
	b.call()
	return probe, true
}

func (b *Budget) takeBeside(s *Share, now time.Time) {
	b.replays++
	s.own.take(now)
	if idle, known := b.idle(); !known || now.Before(idle) {
		b.half.take(now)
	}
	b.step(s)
}

// mostBeside is how many attempts of replays may be under way while the live
// run is at work.
func (b *Budget) mostBeside() int { return max(b.limit.slots()/2, 1) }

// end notes that an attempt has ended, however.
func (s *Share) end(now time.Time) {
	b := s.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	s.inFlight--
	b.inFlight--
	if s.live {
		b.worked = now
	} else {
		b.replays--
	}
	b.call()
}

// step takes a replay out of the line.
func (b *Budget) step(s *Share) bool {
	i := slices.Index(b.line, s)
	if i >= 0 {
		b.line = slices.Delete(b.line, i, i+1)
	}
	return i >= 0
}

// call wakes whose turn it may be.
func (b *Budget) call() {
	switch {
	case b.live != nil && b.live.wants:
		b.live.wake()
	case len(b.line) > 0:
		b.line[0].wake()
	}
}

// hold lets no attempt begin before a time.
func (s *Share) hold(until time.Time) {
	s.budget.mu.Lock()
	defer s.budget.mu.Unlock()
	s.budget.gate = later(s.budget.gate, until)
}

// learn notes how an attempt that was sent at a time ended. A wish to wait is
// an answer of a receiver that is up, so it counts neither way for the
// breaker, except that it ends a probe.
func (s *Share) learn(e *entry, verdict Verdict, class Class, now time.Time) {
	b := s.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	if verdict == Disable {
		b.closed = true
	}
	probe := e.probe
	if probe {
		e.probe, s.probing = false, false
	}
	ok := verdict == Delivered || verdict == Limited || verdict == Abort
	switch {
	case class.unsent():
		if probe {
			b.breaker.unproved(now)
		}
		return
	case verdict == Delivered:
		b.limit.answered(e.sentAt, now)
	case class.congested():
		b.limit.overloaded(e.sentAt, now)
	}
	switch {
	case probe:
		b.breaker.probed(now, ok)
	case verdict != Limited:
		b.breaker.record(now, ok, class.unreachable())
	}
}

// stand is what is saved of a budget.
func (s *Share) stand() (gate time.Time, breaker BreakerState, slots int) {
	s.budget.mu.Lock()
	defer s.budget.mu.Unlock()
	return s.budget.gate, s.budget.breaker.state, s.budget.limit.slots()
}
