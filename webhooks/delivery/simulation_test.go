package delivery_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/delivery"
)

// saved is what a database would hold.
type saved struct {
	through eventstore.Position
	parked  map[eventstore.Position]delivery.Parked
}

func (s *saved) apply(c delivery.Changes) {
	s.through = c.Through
	for _, row := range c.Parked {
		s.parked[row.Position] = row
	}
	for _, position := range c.Unparked {
		delete(s.parked, position)
	}
}

func (s *saved) rows() []delivery.Parked {
	var rows []delivery.Parked
	for _, row := range s.parked {
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b delivery.Parked) int { return int(a.Position) - int(b.Position) })
	return rows
}

// simulation runs a plan against a receiver that fails at random and a process
// that dies at random, and checks what a partner relies on.
type simulation struct {
	t        *testing.T
	random   *rand.Rand
	db       saved
	plan     *delivery.Plan
	log      []delivery.Event
	poison   map[string]bool
	received map[string][]string // first deliveries by lane
	seen     map[string]bool
	under    []delivery.Job
	down     bool
	order    delivery.Order
	block    bool
	rate     int
	calm     bool // processes only end in order
}

func (s *simulation) restart() {
	cfg := config()
	cfg.Schedule = delivery.Schedule{Waits: slices.Repeat([]time.Duration{5 * time.Second}, 1000), Random: s.random.Float64}
	cfg.Window = 1 + s.random.IntN(16)
	cfg.InFlight = 1 + s.random.IntN(6)
	cfg.MaxParked = 60
	cfg.Order, cfg.Block, cfg.Rate, cfg.MostInFlight = s.order, s.block, s.rate, 8
	if s.block {
		cfg.Schedule.Waits = cfg.Schedule.Waits[:6]
	}
	s.plan = delivery.NewPlan(cfg, s.db.through, s.db.rows())
	s.under = nil
}

// die ends a process, if that may happen, and starts the next one.
func (s *simulation) die() {
	if s.calm {
		s.leave()
	}
	s.restart()
}

// leave ends a process in order.
func (s *simulation) leave() {
	for _, job := range s.under {
		s.plan.Done(job, s.answer(job), time.Now())
	}
	s.plan.Leave(time.Now())
	changes, _ := s.plan.Changes()
	s.db.apply(changes)
}

func (s *simulation) step() {
	switch s.random.IntN(12) {
	case 0:
		if s.block && s.random.IntN(4) == 0 {
			s.decide()
		}
		if changes, ok := s.plan.Changes(); ok && (s.calm || s.random.IntN(10) > 0) {
			s.db.apply(changes)
		} else if ok {
			s.die() // while saving
		}
	case 1:
		s.down = s.random.IntN(4) == 0
	case 2:
		if s.random.IntN(10) == 0 {
			s.die()
		}
	case 3, 4:
		time.Sleep(time.Duration(s.random.IntN(3000)) * time.Millisecond)
		s.plan.Spill(time.Now())
		s.plan.Examine(time.Now())
	default:
		s.work()
	}
}

// decide is what an operator does about blocked lanes.
func (s *simulation) decide() {
	for _, row := range s.db.rows() {
		switch {
		case !row.Blocked:
		case s.poison[row.ID]:
			s.plan.Skip(row)
		default:
			s.plan.Resend(row, time.Now())
		}
	}
}

// lane names what must arrive in order.
func (s *simulation) lane(e delivery.Event) string {
	switch s.order {
	case delivery.NoOrder:
		return e.ID
	case delivery.Strictly:
		return "all"
	case delivery.ByLane:
	}
	return e.Lane
}

func (s *simulation) work() {
	for s.plan.Room() > 0 && int(s.plan.Seen()) < len(s.log) && s.random.IntN(3) > 0 {
		s.plan.Take(s.log[s.plan.Seen()])
	}
	if job, ok := s.plan.Next(time.Now()); ok {
		for _, other := range s.under {
			if s.lane(other.Event) == s.lane(job.Event) {
				s.t.Fatalf("two events of lane %s are under way", job.Lane)
			}
		}
		s.under = append(s.under, job)
	}
	if len(s.under) > 0 && s.random.IntN(2) == 0 {
		i := s.random.IntN(len(s.under))
		job := s.under[i]
		s.under = slices.Delete(s.under, i, i+1)
		s.plan.Done(job, s.answer(job), time.Now())
	}
}

func (s *simulation) answer(job delivery.Job) delivery.Answer {
	switch n := s.random.IntN(20); {
	case s.poison[job.ID] && s.block:
		return answer(400)
	case s.poison[job.ID]:
		return delivery.Answer{Status: 400, Directive: delivery.DirectiveAbort}
	case s.down:
		return refused
	case n == 0:
		return delivery.Answer{Status: 503, RetryAfter: 2 * time.Second}
	case n == 1 && job.Attempt < 3:
		return answer(500)
	case n == 2 && job.Attempt < 3:
		return delivery.Answer{Class: delivery.ClassTimeout}
	}
	if s.calm && s.seen[job.ID] {
		s.t.Fatalf("%s comes twice", job.ID)
	}
	if !s.seen[job.ID] {
		s.seen[job.ID] = true
		s.received[s.lane(job.Event)] = append(s.received[s.lane(job.Event)], job.ID)
	}
	return answer(200)
}

func (s *simulation) finish() {
	s.down = false
	for int(s.plan.Through()) < len(s.log) || s.plan.ParkedCount() > 0 || len(s.under) > 0 {
		s.work()
		s.plan.Spill(time.Now())
		s.plan.Examine(time.Now())
		time.Sleep(100 * time.Millisecond)
		if s.block && s.random.IntN(20) == 0 {
			changes, _ := s.plan.Changes()
			s.db.apply(changes)
			s.decide()
		}
	}
	changes, _ := s.plan.Changes()
	s.db.apply(changes)
}

func TestNothingIsLostAndLanesKeepTheirOrder(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		synctest.Test(t, func(t *testing.T) { simulate(t, seed) })
	}
}

func simulate(t *testing.T, seed uint64) {
	t.Helper()
	s := &simulation{
		t: t, random: rand.New(rand.NewPCG(seed, 1)), db: saved{parked: map[eventstore.Position]delivery.Parked{}},
		poison: map[string]bool{}, received: map[string][]string{}, seen: map[string]bool{},
	}
	s.order = []delivery.Order{delivery.ByLane, delivery.ByLane, delivery.NoOrder, delivery.Strictly}[seed%4]
	s.block, s.rate, s.calm = seed%8 > 4, []int{0, 0, 5}[seed%3], seed%5 > 2
	want := map[string][]string{}
	for i := range 120 {
		e := event(i+1, fmt.Sprint("lane", s.random.IntN(9)))
		s.log = append(s.log, e)
		if s.random.IntN(20) == 0 {
			s.poison[e.ID] = true
			continue
		}
		want[s.lane(e)] = append(want[s.lane(e)], e.ID)
	}
	s.restart()
	for range 1500 {
		s.step()
	}
	s.finish()
	for lane, ids := range want {
		if !slices.Equal(s.received[lane], ids) {
			t.Fatalf("seed %d, %s: received %v, want %v", seed, lane, s.received[lane], ids)
		}
	}
	for _, row := range s.db.rows() {
		if !row.Dead || !s.poison[row.ID] {
			t.Fatalf("seed %d: row left behind %+v", seed, row)
		}
	}
}
