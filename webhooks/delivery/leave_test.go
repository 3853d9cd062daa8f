package delivery_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/delivery"
)

// TestWhoLeavesLeavesNothingToRepeat lets some of the events in hand be
// delivered, whatever their order, and goes on from what is saved then.
func TestWhoLeavesLeavesNothingToRepeat(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	lanes := []string{"a", "a", "b", "c", "a", "b", "d"} // at 10, 20, and so on
	take := func(p *delivery.Plan, after eventstore.Position) {
		for i, lane := range lanes {
			if at := eventstore.Position(10 * (i + 1)); at > after {
				p.Take(delivery.Event{Position: at, Lane: lane, ID: string(rune('0' + i))})
			}
		}
	}
	for name, row := range map[string]struct {
		order     delivery.Order
		delivered []eventstore.Position
		through   eventstore.Position
		parked    []eventstore.Position
	}{
		"nothing is delivered":             {delivered: []eventstore.Position{}, through: 0},
		"the first of all":                 {delivered: []eventstore.Position{10}, through: 10},
		"the second lane":                  {delivered: []eventstore.Position{30}, through: 30, parked: []eventstore.Position{10, 20}},
		"all but the first lane":           {delivered: []eventstore.Position{30, 40, 60, 70}, through: 70, parked: []eventstore.Position{10, 20, 50}},
		"the last one":                     {delivered: []eventstore.Position{70}, through: 70, parked: []eventstore.Position{10, 20, 30, 40, 50, 60}},
		"the last one, in no order at all": {order: delivery.NoOrder, delivered: []eventstore.Position{70}, through: 70, parked: []eventstore.Position{10, 20, 30, 40, 50, 60}},
		"everything":                       {delivered: []eventstore.Position{10, 20, 30, 40, 50, 60, 70}, through: 70},
	} {
		for _, ahead := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, parked ones ahead: %t", name, ahead), func(t *testing.T) {
				t.Parallel()
				cfg := delivery.Config{
					BudgetConfig: delivery.BudgetConfig{Breaker: delivery.DefaultBreaker(), InFlight: 64, MostInFlight: 64},
					Order:        row.order, Window: 100, MaxParked: 100, Schedule: delivery.Schedule{Waits: []time.Duration{time.Second}},
				}
				p := delivery.NewPlan(cfg, 0, nil)
				take(p, 0)
				sent := deliver(t, p, row.delivered, row.order, now)
				p.Leave(now)
				saved, _ := p.Changes()
				var parked []eventstore.Position
				for _, one := range saved.Parked {
					parked = append(parked, one.Position)
				}
				if diff := cmp.Diff(row.parked, parked); diff != "" || saved.Through != row.through {
					t.Errorf("the cursor is at %d, want %d; parked (-want +got):\n%s", saved.Through, row.through, diff)
				}
				next := delivery.NewPlan(cfg, saved.Through, saved.Parked)
				if ahead { // of what is read from the log
					sent = append(sent, deliver(t, next, nil, row.order, now)...)
				}
				take(next, saved.Through)
				sent = append(sent, deliver(t, next, nil, row.order, now)...)
				slices.Sort(sent)
				if diff := cmp.Diff([]eventstore.Position{10, 20, 30, 40, 50, 60, 70}, sent); diff != "" {
					t.Errorf("delivered by both (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// TestWhoLeavesRemembersWhatWasParkedAtOnce: an event that came while its lane was
// parked is delivered before one that the log has earlier.
func TestWhoLeavesRemembersWhatWasParkedAtOnce(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	cfg := delivery.Config{
		BudgetConfig: delivery.BudgetConfig{Breaker: delivery.DefaultBreaker(), InFlight: 64, MostInFlight: 64},
		Window:       100, MaxParked: 100, Schedule: delivery.Schedule{Waits: []time.Duration{time.Second}},
	}
	events := []delivery.Event{{Position: 10, Lane: "a", ID: "0"}, {Position: 20, Lane: "b", ID: "1"}, {Position: 30, Lane: "a", ID: "2"}}
	p := delivery.NewPlan(cfg, 0, nil)
	p.Take(events[0])
	job, _ := p.Next(now)
	p.Done(job, delivery.Answer{Status: 503}, now)
	p.Take(events[1])
	slow, _ := p.Next(now)
	p.Take(events[2])
	now = now.Add(2 * time.Second)
	if delivered := deliver(t, p, nil, delivery.ByLane, now); !slices.Equal(delivered, []eventstore.Position{10, 30}) {
		t.Fatalf("at first %v are delivered", delivered)
	}
	p.Done(slow, delivery.Answer{Status: 429, RetryAfter: time.Second}, now)
	p.Leave(now)
	saved, _ := p.Changes()
	next := delivery.NewPlan(cfg, saved.Through, saved.Parked)
	for _, e := range events {
		if e.Position > saved.Through {
			next.Take(e)
		}
	}
	if delivered := deliver(t, next, nil, delivery.ByLane, now.Add(time.Minute)); !slices.Equal(delivered, []eventstore.Position{20}) {
		t.Errorf("from %d on, with %+v parked, %v are delivered", saved.Through, saved.Parked, delivered)
	}
}

// deliver sends until the events at some positions are delivered, nil is until
// there is nothing more; what else was sent by then is asked to wait.
func deliver(t *testing.T, p *delivery.Plan, wanted []eventstore.Position, order delivery.Order, now time.Time) (delivered []eventstore.Position) {
	t.Helper()
	last := map[string]eventstore.Position{}
	var others []delivery.Job
	for wanted == nil || len(delivered) < len(wanted) {
		job, ok := p.Next(now)
		if !ok {
			break
		}
		if wanted != nil && !slices.Contains(wanted, job.Position) {
			others = append(others, job)
			continue
		}
		if job.Position < last[job.Lane] && order == delivery.ByLane {
			t.Errorf("%d came after %d of the same lane", job.Position, last[job.Lane])
		}
		last[job.Lane] = job.Position
		p.Done(job, delivery.Answer{Status: 200}, now)
		delivered = append(delivered, job.Position)
	}
	for _, job := range others {
		p.Done(job, delivery.Answer{Status: 429, RetryAfter: time.Second}, now)
	}
	return delivered
}
