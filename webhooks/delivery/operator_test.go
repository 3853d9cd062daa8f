package delivery_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/webhooks/delivery"
)

// exhaust fails the first event of lane a until its attempts are used up.
func exhaust(t *testing.T, p *delivery.Plan) time.Time {
	t.Helper()
	now := noon
	for range 4 {
		p.Done(next(t, p, now), answer(400), now)
		now = now.Add(time.Hour)
	}
	return now
}

func blocking() delivery.Config {
	cfg := config()
	cfg.Block = true
	return cfg
}

func TestABlockedLaneStandsAndOthersGoOn(t *testing.T) {
	t.Parallel()
	p := delivery.NewPlan(blocking(), 0, nil)
	take(p, "a", "a")
	now := exhaust(t, p)
	nothing(t, p, now.Add(1000*time.Hour))
	take(p, "a", "b")
	if job := next(t, p, now); job.Lane != "b" {
		t.Errorf("sent %s of %s", job.ID, job.Lane)
	}
	c, _ := p.Changes()
	want := delivery.Parked{Position: 1, Lane: "a", ID: "1", Attempts: 4, Class: delivery.ClassClientError, Blocked: true}
	if len(c.Parked) != 3 || len(c.News) != 1 {
		t.Fatalf("changes %+v", c)
	}
	if diff := cmp.Diff(want, c.Parked[0]); diff != "" {
		t.Errorf("row (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(&want, c.News[0].Exhausted); diff != "" {
		t.Errorf("news (-want +got):\n%s", diff)
	}
}

func TestAnOperatorLetsABlockedLaneGoOn(t *testing.T) {
	t.Parallel()
	for what, decide := range map[string]func(p *delivery.Plan, row delivery.Parked, now time.Time) (first string, attempt int){
		"by sending it again": func(p *delivery.Plan, row delivery.Parked, now time.Time) (string, int) {
			p.Resend(row, now)
			return "1", 1
		},
		"by skipping it": func(p *delivery.Plan, row delivery.Parked, _ time.Time) (string, int) {
			p.Skip(row)
			return "2", 1
		},
	} {
		for how, restart := range map[string]bool{"at once": false, "after a restart": true} {
			t.Run(what+" "+how, func(t *testing.T) {
				t.Parallel()
				p := delivery.NewPlan(blocking(), 0, nil)
				take(p, "a", "a")
				now := exhaust(t, p)
				changes, _ := p.Changes()
				if restart {
					p = delivery.NewPlan(blocking(), changes.Through, changes.Parked)
					nothing(t, p, now)
				}
				first, attempt := decide(p, changes.Parked[0], now)
				if job := next(t, p, now); job.ID != first || job.Attempt != attempt {
					t.Errorf("sent %s, attempt %d", job.ID, job.Attempt)
				}
			})
		}
	}
}

func TestWhatIsOnItsWayCannotBeGivenUpYet(t *testing.T) {
	t.Parallel()
	p := delivery.NewPlan(config(), 0, nil)
	take(p, "a", "a")
	p.Done(next(t, p, noon), answer(500), noon)
	changes, _ := p.Changes()
	row, now := changes.Parked[0], noon.Add(24*time.Hour)
	again := next(t, p, now)
	if p.Skip(row) {
		t.Error("it was given up while an attempt of it is under way")
	}
	p.Done(again, answer(500), now)
	if !p.Skip(row) {
		t.Error("it was not given up after its attempt")
	}
	if job := next(t, p, now); job.ID != "2" {
		t.Errorf("sent %s", job.ID)
	}
	if !p.Skip(row) {
		t.Error("there is nothing to be given up any more")
	}
}

// TestWhatIsOnItsWayIsSentAgainAfterwards: whoever asks for it may have seen the
// attempt that is under way.
func TestWhatIsOnItsWayIsSentAgainAfterwards(t *testing.T) {
	t.Parallel()
	event := delivery.Parked{Position: 1, Lane: "a", ID: "1"}
	for what, send := range map[string]func(p *delivery.Plan) delivery.Job{
		"for the first time": func(p *delivery.Plan) delivery.Job { return next(t, p, noon) },
		"after it failed": func(p *delivery.Plan) delivery.Job {
			p.Done(next(t, p, noon), answer(500), noon.Add(-time.Hour))
			return next(t, p, noon)
		},
		"again": func(p *delivery.Plan) delivery.Job {
			p.Done(next(t, p, noon), answer(200), noon)
			if !p.Resend(event, noon) {
				t.Error("what was delivered is not sent again")
			}
			return next(t, p, noon)
		},
	} {
		for how, status := range map[string]int{"delivered": 200, "failed": 500} {
			t.Run(what+" and is "+how, func(t *testing.T) {
				t.Parallel()
				p := delivery.NewPlan(config(), 0, nil)
				take(p, "a")
				under := send(p)
				if p.Resend(event, noon) {
					t.Fatal("the attempt under way was taken for the one that is asked for")
				}
				p.Done(under, answer(status), noon)
				if !p.Resend(event, noon) {
					t.Fatal("it has to wait for nothing any more")
				}
				if job := next(t, p, noon); job.ID != "1" || job.Attempt != 1 {
					t.Errorf("sent %s, attempt %d", job.ID, job.Attempt)
				}
			})
		}
	}
}

// TestWhatIsSentAgainBesideItsLaneBlocksNothing, however often it fails: its
// lane has gone on without it.
func TestWhatIsSentAgainBesideItsLaneBlocksNothing(t *testing.T) {
	t.Parallel()
	p := delivery.NewPlan(blocking(), 0, nil)
	take(p, "a")
	p.Done(next(t, p, noon), delivery.Answer{Status: 400, Directive: delivery.DirectiveAbort}, noon)
	changes, _ := p.Changes()
	p.Resend(changes.Parked[0], noon)
	now := exhaust(t, p)
	changes, _ = p.Changes()
	if row := changes.Parked[0]; len(changes.Parked) != 1 || row.Blocked || !row.Dead {
		t.Errorf("changes %+v", changes)
	}
	nothing(t, p, now.Add(1000*time.Hour))
}

func TestABlockedLaneGoesOnUnderAnotherPolicy(t *testing.T) {
	t.Parallel()
	rows := []delivery.Parked{{Position: 1, Lane: "a", ID: "1", Attempts: 4, Blocked: true}, {Position: 2, Lane: "a", ID: "2"}}
	p := delivery.NewPlan(config(), 2, rows)
	if job := next(t, p, noon); job.ID != "2" {
		t.Errorf("sent %s", job.ID)
	}
	if c, _ := p.Changes(); len(c.Parked) != 1 || !c.Parked[0].Dead || c.Parked[0].Blocked {
		t.Errorf("changes %+v", c)
	}
}

func TestWhatWasGivenUpIsSentAgainBesideItsLane(t *testing.T) {
	t.Parallel()
	p := delivery.NewPlan(config(), 0, nil)
	take(p, "a", "a")
	now := exhaust(t, p)
	second := next(t, p, now) // the lane went on
	changes, _ := p.Changes()
	dead := changes.Parked[0]
	p.Resend(dead, now)
	p.Resend(dead, now) // asked twice, sent once
	again := next(t, p, now)
	if again.ID != "1" || again.Attempt != 1 {
		t.Fatalf("sent %s, attempt %d", again.ID, again.Attempt)
	}
	p.Done(again, answer(500), now)
	p.Done(second, answer(200), now)
	changes, _ = p.Changes()
	if len(changes.Parked) != 1 || !changes.Parked[0].Resent || changes.Parked[0].Attempts != 1 {
		t.Fatalf("changes %+v", changes)
	}
	p = delivery.NewPlan(config(), changes.Through, changes.Parked)
	take(p, "a")
	if job := next(t, p, now); job.ID != "3" {
		t.Errorf("the lane waits for what is sent again: %s", job.ID)
	}
	job := next(t, p, now.Add(time.Minute))
	p.Done(job, answer(200), now)
	if changes, _ = p.Changes(); job.ID != "1" || job.Attempt != 2 || len(changes.Unparked) != 1 {
		t.Errorf("sent %s, attempt %d, %+v", job.ID, job.Attempt, changes)
	}
}

func TestWhatIsAboutToBeSentIsNotSentBeside(t *testing.T) {
	t.Parallel()
	p := delivery.NewPlan(config(), 0, nil)
	take(p, "a", "a")
	p.Resend(delivery.Parked{Position: 2, Lane: "a", ID: "2"}, noon)
	p.Resend(delivery.Parked{Position: 3, Lane: "a", ID: "3"}, noon)
	p.Done(next(t, p, noon), answer(200), noon)
	p.Done(next(t, p, noon), answer(200), noon)
	nothing(t, p, noon)
}

func TestWithoutOrderOnlyTheFailedEventWaits(t *testing.T) {
	t.Parallel()
	cfg := config()
	cfg.Order = delivery.NoOrder
	p := delivery.NewPlan(cfg, 0, nil)
	take(p, "a", "a", "a")
	first := next(t, p, noon)
	second := next(t, p, noon) // beside the first of its lane
	p.Done(first, answer(500), noon)
	p.Done(second, answer(200), noon)
	p.Done(next(t, p, noon), answer(200), noon)
	nothing(t, p, noon)
	if c, _ := p.Changes(); c.Through != 3 || len(c.Parked) != 1 || c.Parked[0].Lane != "a" {
		t.Errorf("changes %+v", c)
	}
}

func TestInStrictOrderEverythingWaitsAndTheCursorStops(t *testing.T) {
	t.Parallel()
	cfg := config()
	cfg.Order = delivery.Strictly
	p := delivery.NewPlan(cfg, 0, nil)
	take(p, "a", "b", "c")
	first := next(t, p, noon)
	nothing(t, p, noon)
	p.Done(first, answer(500), noon)
	nothing(t, p, noon)
	if p.Room() != 0 {
		t.Error("takes more behind what failed")
	}
	for _, want := range []string{"1", "2", "3"} {
		now := noon.Add(time.Minute)
		job := next(t, p, now)
		nothing(t, p, now)
		if job.ID != want {
			t.Errorf("sent %s, want %s", job.ID, want)
		}
		p.Done(job, answer(200), now)
	}
	if p.Room() == 0 {
		t.Error("takes nothing after all were delivered")
	}
}
