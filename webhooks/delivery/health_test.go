package delivery_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/webhooks/delivery"
)

func healthy() delivery.Config {
	cfg := config()
	cfg.Health = delivery.DefaultHealth()
	cfg.Schedule.Waits = slices.Repeat([]time.Duration{time.Hour}, 200)
	return cfg
}

// course runs a plan with one event until a time, answering each attempt, and
// returns what was told, by hours.
func course(p *delivery.Plan, until time.Duration, reply func(time.Duration) delivery.Answer) map[int][]delivery.News {
	told := map[int][]delivery.News{}
	for now := noon; now.Before(noon.Add(until)) && p.Stopped() == ""; now = now.Add(30 * time.Minute) {
		for job, ok := p.Next(now); ok; job, ok = p.Next(now) {
			p.Done(job, reply(now.Sub(noon)), now)
		}
		p.Examine(now)
		changes, _ := p.Changes()
		hour := int(now.Sub(noon).Hours())
		told[hour] = append(told[hour], changes.News...)
		if len(told[hour]) == 0 {
			delete(told, hour)
		}
	}
	return told
}

func failing(hours int) []delivery.News {
	after := time.Duration(hours) * time.Hour
	return []delivery.News{{Failing: after, Since: noon, At: noon.Add(after)}}
}

func TestAnEndpointThatFailsIsToldOfAndGivenUpAfterFiveDays(t *testing.T) {
	t.Parallel()
	p := delivery.NewPlan(healthy(), 0, nil)
	take(p, "a")
	told := course(p, 10*24*time.Hour, func(time.Duration) delivery.Answer { return answer(500) })
	want := map[int][]delivery.News{1: failing(1), 24: failing(24), 72: failing(72)}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("news (-want +got):\n%s", diff)
	}
	if p.Stopped() != delivery.StoppedFailing {
		t.Fatalf("stopped %q", p.Stopped())
	}
	nothing(t, p, noon.Add(20*24*time.Hour))
	if changes, _ := p.Changes(); !changes.Failing.IsZero() && p.Through() != 1 {
		t.Errorf("the cursor is kept with the event parked: %+v", changes)
	}
}

func TestOneSuccessEndsFailing(t *testing.T) {
	t.Parallel()
	p := delivery.NewPlan(healthy(), 0, nil)
	take(p, "a")
	told := course(p, 200*time.Hour, func(age time.Duration) delivery.Answer {
		if age >= 30*time.Hour {
			return answer(204)
		}
		return answer(404)
	})
	want := map[int][]delivery.News{
		1: failing(1), 24: failing(24), 30: {{Recovered: true, Since: noon, At: noon.Add(30 * time.Hour)}},
	}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("news (-want +got):\n%s", diff)
	}
	if !p.Failing().IsZero() {
		t.Errorf("failing since %s", p.Failing())
	}
}

func TestAnEndpointThatIsOwedNothingIsNotGivenUp(t *testing.T) {
	t.Parallel()
	cfg := healthy()
	cfg.Schedule.Waits = cfg.Schedule.Waits[:3]
	p := delivery.NewPlan(cfg, 0, nil)
	take(p, "a")
	told := course(p, 10*24*time.Hour, func(time.Duration) delivery.Answer { return answer(500) })
	if len(told[3]) != 1 || told[3][0].Exhausted == nil || len(told[24]) > 0 || p.Stopped() != "" {
		t.Errorf("news %v, stopped %q", told, p.Stopped())
	}
}

func TestATimeInWhichNobodyTriedIsNotHeldAgainstAnEndpoint(t *testing.T) {
	t.Parallel()
	row := delivery.Parked{Position: 1, Lane: "a", ID: "1", Attempts: 1, Due: noon}
	p := delivery.NewPlan(healthy(), 1, []delivery.Parked{row})
	p.Fail(noon.Add(-30 * 24 * time.Hour)) // the process was away for a month
	p.Examine(noon)
	if p.Stopped() != "" {
		t.Fatal("given up before anything was tried")
	}
	p.Done(next(t, p, noon), answer(500), noon)
	p.Examine(noon)
	if p.Stopped() != "" {
		t.Fatal("given up at the first failure")
	}
	course(p, 3*time.Hour, func(time.Duration) delivery.Answer { return answer(500) })
	if p.Stopped() != delivery.StoppedFailing {
		t.Errorf("stopped %q an hour later", p.Stopped())
	}
}

func TestWakeComesWhenSomethingIsToBeTold(t *testing.T) {
	t.Parallel()
	cfg := healthy()
	cfg.Schedule.Waits = []time.Duration{100 * time.Hour}
	p := delivery.NewPlan(cfg, 0, nil)
	take(p, "a")
	p.Done(next(t, p, noon), answer(500), noon)
	for _, after := range []time.Duration{time.Hour, 24 * time.Hour, 72 * time.Hour} {
		if at := p.Wake(); !at.Equal(noon.Add(after)) {
			t.Fatalf("wakes after %s, want %s", at.Sub(noon), after)
		}
		p.Examine(noon.Add(after))
	}
}
