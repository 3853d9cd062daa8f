package delivery_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/webhooks/delivery"
)

// server is a receiver in virtual time: it takes so many requests at once, the
// others get an answer of their own.
type server struct {
	capacity int
	took     time.Duration
	busy     []delivery.Job
	done     []time.Time
	refused  delivery.Answer
}

// run sends through a plan that always has events, and returns how many
// attempts were under way at most in the second half.
func (s *server) run(t *testing.T, p *delivery.Plan, length time.Duration) (most int) {
	t.Helper()
	position := int(p.Seen())
	now, end := noon, noon.Add(length)
	for now.Before(end) {
		for p.Room() > 0 {
			position++
			p.Take(event(position, fmt.Sprint("lane", position)))
		}
		for job, ok := p.Next(now); ok; job, ok = p.Next(now) {
			if len(s.busy) >= s.capacity {
				p.Done(job, s.refused, now)
				continue
			}
			s.busy, s.done = append(s.busy, job), append(s.done, now.Add(s.took))
		}
		if now.After(noon.Add(length / 2)) {
			most = max(most, len(s.busy))
		}
		now = now.Add(time.Millisecond)
		for len(s.done) > 0 && !s.done[0].After(now) {
			p.Done(s.busy[0], answer(200), now)
			s.busy, s.done = s.busy[1:], s.done[1:]
		}
	}
	return most
}

func TestAnEndpointGetsAsManyAttemptsAtOnceAsItTakes(t *testing.T) {
	t.Parallel()
	cfg := config()
	cfg.MostInFlight, cfg.Window = 64, 256
	cfg.Breaker.MinAttempts, cfg.Schedule.Waits = 1<<30, nil
	for _, row := range []struct {
		name     string
		capacity int
		refused  delivery.Answer
		least    int
		most     int
	}{
		{"no bound of its own", 1000, answer(500), 64, 64},
		{"overloaded answers 503", 20, answer(503), 10, 20},
		{"overloaded answers 429", 12, answer(429), 6, 12},
		{"overloaded does not answer", 3, delivery.Answer{Class: delivery.ClassTimeout}, 1, 3},
		{"its mistakes say nothing of its load", 30, answer(400), 30, 30},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			p := delivery.NewPlan(cfg, 0, nil)
			s := &server{capacity: row.capacity, took: 5 * time.Millisecond, refused: row.refused}
			if most := s.run(t, p, 4*time.Second); most < row.least || most > row.most {
				t.Errorf("%d attempts at once, want %d to %d", most, row.least, row.most)
			}
			if n := p.Limit(); n < 1 || n > 64 {
				t.Errorf("limit %d", n)
			}
		})
	}
}

func TestAttemptsUnderWayTogetherHalveTheLimitOnce(t *testing.T) {
	t.Parallel()
	p := delivery.NewPlan(config(), 0, nil)
	var jobs []delivery.Job
	for i := range 8 {
		take(p, fmt.Sprint("lane", i))
		jobs = append(jobs, next(t, p, noon))
	}
	for _, job := range jobs {
		p.Done(job, answer(503), noon.Add(time.Second))
	}
	if p.Limit() != 4 {
		t.Errorf("limit %d, want 4", p.Limit())
	}
}

func TestALimitThatIsNotUsedDoesNotGrow(t *testing.T) {
	t.Parallel()
	cfg := config()
	cfg.MostInFlight = 64
	p := delivery.NewPlan(cfg, 0, nil)
	for i := range 1000 {
		take(p, fmt.Sprint("lane", i))
		p.Done(next(t, p, noon), answer(200), noon.Add(time.Millisecond))
	}
	if p.Limit() != 8 {
		t.Errorf("limit %d, want 8", p.Limit())
	}
}

func TestRisingLatencyHalvesTheLimitUntilItIsUsual(t *testing.T) {
	t.Parallel()
	cfg := config()
	cfg.MostInFlight, cfg.Window = 64, 256
	p := delivery.NewPlan(cfg, 0, nil)
	now, position := noon, 0
	round := func(took time.Duration) {
		var jobs []delivery.Job
		for len(jobs) < p.Limit() {
			position++
			p.Take(event(position, fmt.Sprint("lane", position)))
			jobs = append(jobs, next(t, p, now))
		}
		now = now.Add(took)
		for _, job := range jobs {
			p.Done(job, answer(200), now)
		}
	}
	for range 100 {
		round(5 * time.Millisecond)
	}
	if p.Limit() != 64 {
		t.Fatalf("limit %d after quick answers, want 64", p.Limit())
	}
	for range 30 {
		round(200 * time.Millisecond)
	}
	if p.Limit() > 4 {
		t.Errorf("limit %d after slow answers, want 4 at most", p.Limit())
	}
	for range 1500 {
		round(200 * time.Millisecond)
	}
	if p.Limit() != 64 {
		t.Errorf("limit %d after minutes of the same latency, want 64", p.Limit())
	}
}

func TestNoMoreAttemptsBeginThanTheRateAllows(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 7))
		cfg := config()
		cfg.Rate, cfg.InFlight, cfg.Window = 1+random.IntN(200), 64, 256
		p := delivery.NewPlan(cfg, 0, nil)
		var sent []time.Time
		now, position := noon, 0
		for now.Before(noon.Add(3 * time.Second)) {
			for p.Room() > 0 {
				position++
				p.Take(event(position, fmt.Sprint("lane", position)))
			}
			for job, ok := p.Next(now); ok; job, ok = p.Next(now) {
				p.Done(job, answer(200), now)
				sent = append(sent, now)
			}
			if wake := p.Wake(); !wake.After(now) {
				t.Fatalf("seed %d: wakes at once with nothing to send", seed)
			}
			now = now.Add(time.Duration(random.IntN(int(50 * time.Millisecond))))
		}
		first := 0
		for last := range sent {
			for sent[last].Sub(sent[first]) >= time.Second {
				first++
			}
			if n, most := last-first+1, cfg.Rate+max(cfg.Rate/10, 1); n > most {
				t.Fatalf("seed %d: %d attempts within a second at %d/s", seed, n, cfg.Rate)
			}
		}
		if len(sent) < cfg.Rate*2 && cfg.Rate < 20 {
			t.Fatalf("seed %d: only %d attempts in 3 s at %d/s", seed, len(sent), cfg.Rate)
		}
	}
}
