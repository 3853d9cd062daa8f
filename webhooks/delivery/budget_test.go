package delivery_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/webhooks/delivery"
)

// runs are a live run and replays of one endpoint in virtual time. As couriers
// do, each looks for something to send only when it is woken, when the time has
// come that its plan named, or when something happened to itself: who is
// forgotten hangs.
type runs struct {
	t      *testing.T
	now    time.Time
	budget *delivery.Budget
	all    []*run
	// answer is the receiver: what it says and how long it takes.
	answer func(*run, delivery.Job) (delivery.Answer, time.Duration)
	begun  []time.Time
	most   int // under way at once
	look   func(*run)
}

type run struct {
	live     bool
	plan     *delivery.Plan
	share    *delivery.Share
	poked    bool
	position int
	at       time.Time // to look again; zero is never
	under    []attempt
	arrived  map[string]time.Time
	waited   []time.Duration // of events, until their first attempt
	sent     int
}

type attempt struct {
	job    delivery.Job
	answer delivery.Answer
	until  time.Time
}

func newRuns(t *testing.T, cfg delivery.BudgetConfig) *runs {
	t.Helper()
	return &runs{
		t: t, now: noon, budget: delivery.NewBudget(cfg), look: func(*run) {},
		answer: func(*run, delivery.Job) (delivery.Answer, time.Duration) { return answer(200), 5 * time.Millisecond },
	}
}

// join adds a run: the first one is live, the others are replays.
func (s *runs) join(perSecond int) *run {
	r := &run{live: len(s.all) == 0, poked: true, arrived: map[string]time.Time{}}
	wake := func() { r.poked = true }
	if r.live {
		r.share = s.budget.Live(wake)
	} else {
		r.share = s.budget.Replay(perSecond, wake)
	}
	cfg := config()
	cfg.Window, cfg.Share = 256, r.share
	cfg.Schedule.Waits = slices.Repeat([]time.Duration{time.Second}, 1000)
	r.plan = delivery.NewPlan(cfg, 0, nil)
	s.all = append(s.all, r)
	return r
}

// give adds events to a run, each of a lane of its own.
func (s *runs) give(r *run, count int) {
	for range count {
		r.position++
		e := event(r.position, fmt.Sprint("lane", r.position))
		r.arrived[e.ID] = s.now
		r.plan.Take(e)
	}
	r.poked = true
}

// step lets a run send what it may.
func (s *runs) step(r *run) {
	r.poked = false
	for r.plan.Sendable(s.now) {
		job, ok := r.plan.Next(s.now)
		if !ok {
			break
		}
		if at, ok := r.arrived[job.ID]; ok {
			r.waited = append(r.waited, s.now.Sub(at))
			delete(r.arrived, job.ID)
		}
		a, took := s.answer(r, job)
		r.under = append(r.under, attempt{job, a, s.now.Add(took)})
		r.sent++
		s.begun = append(s.begun, s.now)
		s.most = max(s.most, s.underWay())
		s.look(r)
	}
	if r.at = r.plan.Wake(); !r.at.IsZero() && r.at.Before(s.now) && len(r.under) == 0 && r.at.Unix() > 0 {
		r.at = s.now
	}
}

func (s *runs) underWay() (n int) {
	for _, r := range s.all {
		n += len(r.under)
	}
	return n
}

// settleNow lets everybody act at this moment until nobody wants to.
func (s *runs) settleNow() {
	s.t.Helper()
	for rounds := 0; ; rounds++ {
		acted := false
		for _, r := range s.all {
			for i := 0; i < len(r.under); i++ {
				if a := r.under[i]; !a.until.After(s.now) {
					r.under = slices.Delete(r.under, i, i+1)
					r.plan.Done(a.job, a.answer, s.now)
					r.poked, i = true, i-1
				}
			}
			if r.poked || (!r.at.IsZero() && !r.at.After(s.now)) {
				acted = true
				s.step(r)
			}
		}
		if !acted {
			return
		}
		if rounds > 10_000 {
			s.t.Fatal("somebody looks again and again without anything to do")
		}
	}
}

// until runs to a time. Feed is called whenever something happened, and every
// millisecond.
func (s *runs) until(end time.Time, feed func()) {
	s.t.Helper()
	for {
		feed()
		s.settleNow()
		next := s.now.Add(time.Millisecond)
		for _, r := range s.all {
			for _, a := range r.under {
				next = minTime(next, a.until)
			}
			if !r.at.IsZero() && r.at.After(s.now) {
				next = minTime(next, r.at)
			}
		}
		if next.After(end) {
			s.now = end
			return
		}
		s.now = next
	}
}

func minTime(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// full keeps a run supplied.
func (s *runs) full(list ...*run) {
	for _, r := range list {
		if r.plan.Room() > 200 {
			s.give(r, 100)
		}
	}
}

// busiest is how many attempts began within a second at most.
func (s *runs) busiest() (most int) {
	first := 0
	for last := range s.begun {
		for s.begun[last].Sub(s.begun[first]) >= time.Second {
			first++
		}
		most = max(most, last-first+1)
	}
	return most
}

// TestRunsTogetherNeverExceedWhatTheEndpointTakes is the property that holds
// whatever is answered, however many replays there are, and whoever has work.
func TestRunsTogetherNeverExceedWhatTheEndpointTakes(t *testing.T) {
	t.Parallel()
	for seed := range 30 {
		random := rand.New(rand.NewPCG(uint64(seed), 7))
		rate := []int{1, 2, 7, 40, 200}[seed%5]
		most := 1 + random.IntN(16)
		s := newRuns(t, delivery.BudgetConfig{Breaker: delivery.DefaultBreaker(), InFlight: 1 + random.IntN(most), MostInFlight: most, Rate: rate})
		for n := range 2 + random.IntN(4) {
			s.join(random.IntN(2) * (1 + n) * 10)
		}
		troubled := random.IntN(2) == 0
		var gate time.Time
		s.look = func(r *run) {
			if s.now.Before(gate) {
				t.Fatalf("seed %d: an attempt (live: %v) %s before the receiver wants one", seed, r.live, gate.Sub(s.now))
			}
		}
		s.answer = func(*run, delivery.Job) (delivery.Answer, time.Duration) {
			took := time.Duration(1+random.IntN(80)) * time.Millisecond
			if !troubled || random.IntN(20) > 0 {
				return answer(200), took
			}
			return []delivery.Answer{
				answer(500), {Class: delivery.ClassConnect}, {Status: 429, RetryAfter: time.Duration(1+random.IntN(3)) * time.Second},
			}[random.IntN(3)], took
		}
		working := true
		s.until(noon.Add(40*time.Second), func() {
			for _, r := range s.all {
				for _, a := range r.under {
					if a.answer.RetryAfter > 0 && !a.until.After(s.now) {
						gate = s.now.Add(a.answer.RetryAfter)
					}
				}
			}
			if random.IntN(2000) == 0 {
				working = !working
			}
			if working {
				s.full(s.all[0])
			}
			s.full(s.all[1:]...)
		})
		if got, bound := s.busiest(), rate+max(rate/10, 1); got > bound {
			t.Errorf("seed %d: %d attempts in a second, the rate is %d", seed, got, rate)
		}
		if s.most > most {
			t.Errorf("seed %d: %d attempts at once, the endpoint takes %d", seed, s.most, most)
		}
		if len(s.begun) < 20 {
			t.Errorf("seed %d: only %d attempts at a rate of %d", seed, len(s.begun), rate)
		}
	}
}

func TestWhatOneRunHearsHoldsAll(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		answer delivery.Answer
		quiet  time.Duration // at least
		probe  bool          // then one of them goes first
	}{
		"429 with Retry-After": {delivery.Answer{Status: 429, RetryAfter: 7 * time.Second}, 7 * time.Second, false},
		"503 with Retry-After": {delivery.Answer{Status: 503, RetryAfter: time.Minute}, time.Minute, false},
		"down":                 {delivery.Answer{Class: delivery.ClassConnect}, 5 * time.Second, true},
		"wants nothing more":   {delivery.Answer{Status: 410}, time.Hour, false},
		"asks to be disabled":  {delivery.Answer{Status: 400, Directive: delivery.DirectiveDisable}, time.Hour, false},
	} {
		for _, heard := range []string{"the live run", "a replay"} {
			t.Run(name+", heard by "+heard, func(t *testing.T) {
				t.Parallel()
				s := newRuns(t, delivery.BudgetConfig{Breaker: delivery.DefaultBreaker(), InFlight: 8, MostInFlight: 8})
				for range 3 {
					s.join(0)
				}
				bad, last := s.all[map[string]int{"the live run": 0, "a replay": 2}[heard]], time.Time{}
				trouble := noon.Add(time.Second)
				s.answer = func(r *run, _ delivery.Job) (delivery.Answer, time.Duration) {
					if r == bad && s.now.After(trouble) && s.now.Before(trouble.Add(100*time.Millisecond)) {
						last = s.now
						return row.answer, time.Millisecond
					}
					return answer(200), time.Millisecond
				}
				together := 0
				s.look = func(*run) {
					if s.now.After(trouble.Add(time.Second)) && together == 0 {
						together = s.underWay()
					}
				}
				feed := func() {
					if s.now.Before(trouble) || s.now.Sub(trouble) < time.Millisecond {
						s.full(s.all...)
						return
					}
					s.full(bad)
				}
				s.until(trouble.Add(100*time.Millisecond), feed)
				if last.IsZero() {
					t.Fatal("the trouble never came")
				}
				before := len(s.begun)
				s.until(last.Add(row.quiet-time.Millisecond), func() { s.full(s.all...) })
				for _, at := range s.begun[before:] {
					t.Fatalf("an attempt %s after it", at.Sub(last))
				}
				s.until(last.Add(row.quiet+2*time.Second), func() { s.full(s.all...) })
				if again := len(s.begun) - before; (again > 0) != (row.quiet < time.Hour) {
					t.Errorf("%d attempts afterwards", again)
				}
				if row.probe && together != 1 {
					t.Errorf("%d attempts to see whether it is up again", together)
				}
			})
		}
	}
}

func quantile(waits []time.Duration, of int) time.Duration {
	slices.Sort(waits)
	return waits[len(waits)*of/100]
}

// TestReplaysDoNotDelayWhatIsLive compares how long live events wait for their
// first attempt with nothing beside them and with four replays.
func TestReplaysDoNotDelayWhatIsLive(t *testing.T) {
	t.Parallel()
	for _, rate := range []int{0, 100} {
		var p99 [2]time.Duration
		for i, replays := range []int{0, 4} {
			random := rand.New(rand.NewPCG(3, 4))
			s := newRuns(t, delivery.BudgetConfig{Breaker: delivery.DefaultBreaker(), InFlight: 8, MostInFlight: 64, Rate: rate})
			live := s.join(0)
			for range replays {
				s.join(0)
			}
			s.answer = func(*run, delivery.Job) (delivery.Answer, time.Duration) {
				return answer(200), time.Duration(5+random.IntN(20)) * time.Millisecond
			}
			s.until(noon.Add(60*time.Second), func() {
				if random.IntN(25) == 0 {
					s.give(live, 1)
				}
				s.full(s.all[1:]...)
			})
			p99[i] = quantile(live.waited, 99)
			if replays > 0 && len(s.begun)-live.sent < 500 {
				t.Errorf("rate %d: the replays sent %d", rate, len(s.begun)-live.sent)
			}
		}
		if p99[1] > p99[0]+15*time.Millisecond {
			t.Errorf("rate %d: live events wait %s for their attempt beside replays, %s without", rate, p99[1], p99[0])
		}
	}
}

// TestReplaysGetWhatTheLiveRunLeaves: nothing while it has a backlog, at most
// half while it is at work, everything once it was idle for a while.
func TestReplaysGetWhatTheLiveRunLeaves(t *testing.T) {
	t.Parallel()
	s := newRuns(t, delivery.BudgetConfig{Breaker: delivery.DefaultBreaker(), InFlight: 8, MostInFlight: 8, Rate: 100})
	live := s.join(0)
	replays := []*run{s.join(0), s.join(0)}
	phase := func(length time.Duration, feed func()) (ofLive, ofReplays int) {
		before, all := live.sent, len(s.begun)
		s.until(s.now.Add(length), func() { feed(); s.full(replays...) })
		return live.sent - before, len(s.begun) - all - (live.sent - before)
	}
	if _, beside := phase(10*time.Second, func() {}); beside < 990 {
		t.Errorf("%d attempts of replays in 10 s beside nothing, want 1000", beside)
	}
	var given time.Time
	light := func() {
		if s.now.Sub(given) >= 200*time.Millisecond {
			given = s.now
			s.give(live, 1)
		}
	}
	if ofLive, beside := phase(10*time.Second, light); beside > 510 || beside < 400 || ofLive < 20 {
		t.Errorf("%d attempts of replays in 10 s beside %d live ones, want half of 1000", beside, ofLive)
	}
	if ofLive, beside := phase(10*time.Second, func() { s.full(live) }); beside > 10 || ofLive < 980 {
		t.Errorf("%d attempts of replays in 10 s beside a live backlog of which %d went, want none", beside, ofLive)
	}
	s.until(s.now.Add(5*time.Second), func() {}) // the backlog is worked off
	if _, beside := phase(10*time.Second, func() {}); beside < 990 {
		t.Errorf("%d attempts of replays in 10 s after the live ones, want 1000", beside)
	}
}

func TestReplaysShareFairly(t *testing.T) {
	t.Parallel()
	for _, rate := range []int{0, 50} {
		s := newRuns(t, delivery.BudgetConfig{Breaker: delivery.DefaultBreaker(), InFlight: 5, MostInFlight: 5, Rate: rate})
		s.join(0)
		fast, slow, late := s.join(0), s.join(0), s.join(0)
		bounded := s.join(1)
		s.answer = func(r *run, _ delivery.Job) (delivery.Answer, time.Duration) {
			if r == slow {
				return answer(200), 12 * time.Millisecond
			}
			return answer(200), 4 * time.Millisecond
		}
		s.until(noon.Add(10*time.Second), func() { s.full(fast, slow, bounded) })
		before := []int{fast.sent, slow.sent}
		s.until(noon.Add(20*time.Second), func() { s.full(fast, slow, late, bounded) })
		got := []int{fast.sent - before[0], slow.sent - before[1], late.sent}
		if slices.Max(got)-slices.Min(got) > slices.Max(got)/20+2 {
			t.Errorf("rate %d: three replays sent %d", rate, got)
		}
		if slices.Max(before)-slices.Min(before) > slices.Max(before)/20+2 {
			t.Errorf("rate %d: two replays sent %d", rate, before)
		}
		if bounded.sent < 18 || bounded.sent > 22 {
			t.Errorf("rate %d: one replay of one attempt in a second sent %d in 20 s", rate, bounded.sent)
		}
	}
}

// TestAShareThatLeavesTakesNothingAlong: whoever ends with attempts under way,
// or with the one that was to show whether the endpoint is up, holds nobody.
func TestAShareThatLeavesTakesNothingAlong(t *testing.T) {
	t.Parallel()
	s := newRuns(t, delivery.BudgetConfig{Breaker: delivery.DefaultBreaker(), InFlight: 4, MostInFlight: 4})
	live, gone := s.join(0), s.join(0)
	s.answer = func(r *run, _ delivery.Job) (delivery.Answer, time.Duration) {
		if s.now.Before(noon.Add(time.Second)) {
			return delivery.Answer{Class: delivery.ClassConnect}, time.Millisecond
		}
		return answer(200), time.Hour
	}
	s.until(noon.Add(2*time.Second), func() { s.full(gone) })
	s.until(noon.Add(8*time.Second), func() { s.full(gone) })
	if gone.plan.Breaker() != delivery.HalfOpen || len(gone.under) != 1 {
		t.Fatalf("the breaker is %s with %d under way", gone.plan.Breaker(), len(gone.under))
	}
	s.all = s.all[:1]
	gone.share.Leave()
	s.answer = func(*run, delivery.Job) (delivery.Answer, time.Duration) { return answer(200), time.Millisecond }
	s.until(noon.Add(9*time.Second), func() { s.full(live) })
	if live.sent < 100 {
		t.Errorf("the other run sent %d", live.sent)
	}
}
