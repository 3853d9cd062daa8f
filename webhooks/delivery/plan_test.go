package delivery_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/delivery"
)

var noon = time.Date(2026, 8, 21, 12, 0, 0, 0, time.UTC)

func config() delivery.Config {
	return delivery.Config{
		Schedule:     delivery.Schedule{Waits: []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute}},
		BudgetConfig: delivery.BudgetConfig{Breaker: delivery.DefaultBreaker(), InFlight: 8},
		Window:       32,
		MaxParked:    10_000,
		SpillAfter:   time.Second,
	}
}

func event(position int, lane string) delivery.Event {
	return delivery.Event{Position: eventstore.Position(position), Lane: lane, ID: fmt.Sprint(position), Payload: position}
}

func take(p *delivery.Plan, lanes ...string) {
	for _, lane := range lanes {
		p.Take(event(int(p.Seen())+1, lane))
	}
}

func next(t *testing.T, p *delivery.Plan, now time.Time) delivery.Job {
	t.Helper()
	job, ok := p.Next(now)
	if !ok {
		t.Fatalf("nothing to send at %s", now.Sub(noon))
	}
	return job
}

func nothing(t *testing.T, p *delivery.Plan, now time.Time) {
	t.Helper()
	if job, ok := p.Next(now); ok {
		t.Fatalf("sends %s at %s", job.ID, now.Sub(noon))
	}
}

func answer(status int) delivery.Answer { return delivery.Answer{Status: status} }

var refused = delivery.Answer{Class: delivery.ClassConnect}

func TestLanesGoInParallelAndEachInOrder(t *testing.T) {
	t.Parallel()
	p := delivery.NewPlan(config(), 0, nil)
	take(p, "a", "a", "b", "b")
	a, b := next(t, p, noon), next(t, p, noon)
	if a.ID != "1" || b.ID != "3" {
		t.Fatalf("sent %s and %s", a.ID, b.ID)
	}
	nothing(t, p, noon)
	p.Done(b, answer(200), noon)
	if c, _ := p.Changes(); c.Through != 0 {
		t.Errorf("the cursor passed an event under way: %d", c.Through)
	}
	p.Done(a, answer(204), noon)
	if c, _ := p.Changes(); c.Through != 1 || len(c.Parked)+len(c.Unparked) > 0 {
		t.Errorf("healthy deliveries leave only the cursor behind: %+v", c)
	}
	p.Done(next(t, p, noon), answer(200), noon)
	p.Done(next(t, p, noon), answer(200), noon)
	if c, _ := p.Changes(); c.Through != 4 {
		t.Errorf("cursor %d", c.Through)
	}
	if _, changed := p.Changes(); changed {
		t.Error("changes twice")
	}
}

func TestAFailingLaneHoldsBackOnlyItself(t *testing.T) {
	t.Parallel()
	p := delivery.NewPlan(config(), 0, nil)
	take(p, "a", "a", "b")
	p.Done(next(t, p, noon), answer(500), noon)
	p.Done(next(t, p, noon), answer(200), noon)
	nothing(t, p, noon)
	take(p, "a", "c")
	p.Done(next(t, p, noon), answer(200), noon)
	c, _ := p.Changes()
	if c.Through != 5 || len(c.Parked) != 3 {
		t.Fatalf("changes %+v", c)
	}
	if due := c.Parked[0].Due; !due.Equal(noon.Add(5*time.Second)) || !c.Parked[1].Due.IsZero() || !p.Wake().Equal(due) {
		t.Errorf("due %s, wake %s", due, p.Wake())
	}
	nothing(t, p, noon.Add(4*time.Second))
	for want := range 3 {
		job := next(t, p, noon.Add(5*time.Second))
		if job.ID != []string{"1", "2", "4"}[want] || job.Attempt != []int{2, 1, 1}[want] {
			t.Fatalf("sent %s, attempt %d", job.ID, job.Attempt)
		}
		nothing(t, p, noon.Add(5*time.Second))
		p.Done(job, answer(200), noon.Add(5*time.Second))
	}
	c, _ = p.Changes()
	if len(c.Unparked) != 3 || len(c.Parked) != 0 || p.ParkedCount() != 0 {
		t.Errorf("changes %+v, parked %d", c, p.ParkedCount())
	}
}

func TestAnExhaustedEventIsLeftBehind(t *testing.T) {
	t.Parallel()
	p := delivery.NewPlan(config(), 0, nil)
	take(p, "a", "a")
	now := noon
	for range 4 {
		p.Done(next(t, p, now), answer(500), now)
		now = now.Add(time.Hour)
	}
	c, _ := p.Changes()
	if len(c.Parked) != 2 || !c.Parked[0].Dead || c.Parked[0].Attempts != 4 || c.Parked[1].Dead {
		t.Fatalf("changes %+v", c)
	}
	if job := next(t, p, now); job.ID != "2" {
		t.Errorf("sent %s after the dead one", job.ID)
	}
}

func TestAnEndpointThatIsDownWritesNothing(t *testing.T) {
	t.Parallel()
	p := delivery.NewPlan(config(), 0, nil)
	for i := range 20 {
		take(p, fmt.Sprint("lane", i))
	}
	for range 5 {
		p.Done(next(t, p, noon), refused, noon)
	}
	nothing(t, p, noon)
	if p.Breaker() != delivery.Open {
		t.Fatalf("breaker %s", p.Breaker())
	}
	if c, _ := p.Changes(); c.Through != 4 || len(c.Parked) != 4 {
		t.Fatalf("the fifth failure opens the breaker and stays: %+v", c)
	}
	now := noon
	for _, wait := range []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 10 * time.Minute} {
		nothing(t, p, now.Add(wait-time.Millisecond))
		now = now.Add(wait)
		probe := next(t, p, now)
		nothing(t, p, now)
		p.Done(probe, refused, now)
		if c, _ := p.Changes(); c.Through != 4 || len(c.Parked)+len(c.Unparked) > 0 {
			t.Fatalf("a probe wrote %+v", c)
		}
	}
	now = now.Add(10 * time.Minute)
	p.Done(next(t, p, now), answer(200), now)
	sent := 1
	for job, ok := p.Next(now); ok; job, ok = p.Next(now) {
		p.Done(job, answer(200), now)
		sent++
	}
	if c, _ := p.Changes(); sent != 20 || c.Through != 20 || p.ParkedCount() != 0 {
		t.Errorf("sent %d, %+v", sent, c)
	}
}

func TestManyFailuresOpenTheBreaker(t *testing.T) {
	t.Parallel()
	p := delivery.NewPlan(config(), 0, nil)
	for i := range 30 {
		take(p, fmt.Sprint("lane", i))
	}
	for i := range 10 {
		status := 500
		if i < 3 {
			status = 200
		}
		p.Done(next(t, p, noon), answer(status), noon)
	}
	nothing(t, p, noon)
	probe := next(t, p, noon.Add(5*time.Second))
	p.Done(probe, answer(500), noon.Add(5*time.Second))
	if other := next(t, p, noon.Add(35*time.Second)); other.Lane == probe.Lane {
		t.Error("one bad event keeps the endpoint down")
	}
}

func TestRetryAfterHoldsTheEndpoint(t *testing.T) {
	t.Parallel()
	p := delivery.NewPlan(config(), 0, nil)
	take(p, "a", "b")
	wait := delivery.Answer{Status: 429, RetryAfter: 10 * time.Second}
	now := noon
	for range 2 {
		p.Done(next(t, p, now), wait, now)
		nothing(t, p, now.Add(9*time.Second))
		if c, _ := p.Changes(); len(c.Parked) > 0 || !c.Gate.Equal(now.Add(10*time.Second)) {
			t.Fatalf("changes %+v", c)
		}
		now = now.Add(10 * time.Second)
		p.Done(next(t, p, now), wait, now) // the other lane's turn
		now = now.Add(10 * time.Second)
	}
	p.Done(next(t, p, now), wait, now)
	if c, _ := p.Changes(); len(c.Parked) != 1 || !c.Parked[0].Due.Equal(now.Add(10*time.Second)) {
		t.Errorf("an event limited three times is parked: %+v", c)
	}
}

func TestGoneDisablesAndLosesNothing(t *testing.T) {
	t.Parallel()
	p := delivery.NewPlan(config(), 0, nil)
	take(p, "a", "b")
	p.Done(next(t, p, noon), answer(410), noon)
	nothing(t, p, noon)
	if c, _ := p.Changes(); p.Stopped() != delivery.StoppedGone || p.Room() != 0 || c.Through != 0 || len(c.Parked) > 0 {
		t.Errorf("stopped %q, %+v", p.Stopped(), c)
	}
}

func TestASlowAnswerDoesNotStopTheOthers(t *testing.T) {
	t.Parallel()
	p := delivery.NewPlan(config(), 0, nil)
	take(p, "slow", "slow")
	slow := next(t, p, noon)
	for p.Room() > 0 {
		take(p, "a")
	}
	for job, ok := p.Next(noon); ok; job, ok = p.Next(noon) {
		p.Done(job, answer(200), noon)
	}
	if p.Room() > 0 || !p.Wake().Equal(noon.Add(time.Second)) {
		t.Fatalf("room %d, wake %s", p.Room(), p.Wake())
	}
	p.Spill(noon.Add(time.Second))
	if c, _ := p.Changes(); p.Room() != 32 || c.Through != 32 || len(c.Parked) != 2 {
		t.Fatalf("room %d, %+v", p.Room(), c)
	}
	nothing(t, p, noon.Add(time.Second))
	p.Done(slow, answer(200), noon.Add(2*time.Second))
	p.Done(next(t, p, noon.Add(2*time.Second)), answer(500), noon.Add(2*time.Second))
	c, _ := p.Changes()
	if len(c.Unparked) != 1 || len(c.Parked) != 1 || c.Parked[0].Attempts != 1 {
		t.Errorf("changes %+v", c)
	}
}

func TestTooManyParkedStopTheCursor(t *testing.T) {
	t.Parallel()
	cfg := config()
	cfg.MaxParked = 2
	p := delivery.NewPlan(cfg, 0, nil)
	take(p, "a", "a")
	p.Done(next(t, p, noon), answer(500), noon)
	if p.Room() != 0 {
		t.Errorf("room %d", p.Room())
	}
	now := noon.Add(5 * time.Second)
	p.Done(next(t, p, now), answer(200), now)
	if p.Room() == 0 {
		t.Error("no room after one was delivered")
	}
}

func TestARestartContinuesWithWhatWasParked(t *testing.T) {
	t.Parallel()
	rows := []delivery.Parked{
		{Position: 3, Lane: "a", ID: "3", Attempts: 1, Due: noon.Add(time.Minute)},
		{Position: 4, Lane: "dead", ID: "4", Attempts: 12, Dead: true},
		{Position: 5, Lane: "a", ID: "5"},
	}
	p := delivery.NewPlan(config(), 1, rows)
	nothing(t, p, noon)
	take(p, "a", "a", "dead", "a", "b") // 2 was not settled, 3 to 5 come again
	if job := next(t, p, noon); job.ID != "6" && job.ID != "2" {
		t.Errorf("sent %s", job.ID)
	}
	if job := next(t, p, noon); job.ID != "6" && job.ID != "2" {
		t.Errorf("sent %s", job.ID)
	}
	nothing(t, p, noon.Add(time.Hour))
	if p.ParkedCount() != 3 {
		t.Errorf("%d parked", p.ParkedCount())
	}
	changes, _ := p.Changes()
	if changes.Through != 5 || len(changes.Parked) != 1 || changes.Parked[0].ID != "2" {
		t.Errorf("changes %+v", changes)
	}
}

func TestAMessageThatCannotBeBuiltSaysNothingOfTheReceiver(t *testing.T) {
	t.Parallel()
	p := delivery.NewPlan(config(), 0, nil)
	unbuilt := delivery.Answer{Class: delivery.ClassMessage}
	for n := range 20 {
		take(p, fmt.Sprint("bad", n))
		p.Done(next(t, p, noon), unbuilt, noon)
	}
	take(p, "good")
	if job := next(t, p, noon); job.Lane != "good" {
		t.Errorf("sent %s of %s, want the good lane", job.ID, job.Lane)
	}
}
