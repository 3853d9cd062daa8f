package process_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/domain/process"
)

// model is what an operator would write on a list: how often each task failed
// in a row, and which openings were closed.
type model struct {
	failures map[string]int
	alarms   map[string]int // since the task was last closed
	last     map[string]string
	closed   map[string]int // how often each opening was closed
}

func (m *model) follow(t *testing.T, e process.Event) {
	t.Helper()
	key := func(task process.Task) string { return string(task.Kind) + task.Ref }
	closes := func(task process.Task, failures int) {
		if failures != m.failures[key(task)] {
			t.Fatalf("%#v, but %d failures were recorded", e, m.failures[key(task)])
		}
		m.failures[key(task)], m.alarms[key(task)], m.last[key(task)] = 0, 0, task.OpenedBy
		m.closed[key(task)+task.OpenedBy]++
	}
	switch e := e.(type) {
	case process.ProcessTaskFailed:
		if m.failures[key(e.Task)]++; e.Attempt != m.failures[key(e.Task)] {
			t.Fatalf("%#v is failure %d", e, m.failures[key(e.Task)])
		}
	case process.ProcessAlarmRaised:
		m.alarms[key(e.Task)]++
		if e.Failures != process.AlarmAt || m.failures[key(e.Task)] != process.AlarmAt {
			t.Fatalf("%#v after %d failures", e, m.failures[key(e.Task)])
		}
	case process.ProcessTaskDone:
		closes(e.Task, e.Failures)
	case process.ProcessTaskAbandoned:
		closes(e.Task, e.Failures)
	case process.ProcessTaskRetried:
		if m.failures[key(e.Task)] == 0 {
			t.Fatalf("%#v of what never failed", e)
		}
	}
}

// Whatever comes in whichever order: failures are counted without gaps, one
// alarm belongs to five of them, what is closed is not touched again until
// another event opens it, and an accepted command causes nothing the second
// time.
func TestFailuresAlarmsAndClosings(t *testing.T) {
	t.Parallel()
	alarms, closings := 0, 0
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 5))
		s := process.State{}
		m := model{failures: map[string]int{}, alarms: map[string]int{}, last: map[string]string{}, closed: map[string]int{}}
		opening := 1
		for range 80 {
			if random.IntN(20) == 0 {
				opening++
			}
			task := process.Task{Kind: []process.Kind{process.Capture, process.Refund}[random.IntN(2)], Ref: "r", OpenedBy: fmt.Sprint("e", opening)}
			before := fmt.Sprintf("%+v", s)
			c := anyCommand(random, s, task)
			closed := s.Closed(task)
			got, err := process.Decider.Decide(s, c)
			next := process.Decider.Fold(s, got...)
			if after := fmt.Sprintf("%+v", s); after != before {
				t.Fatalf("seed %d: %#v changed the state it was decided on", seed, c)
			}
			if err != nil && len(got) > 0 || closed && len(got) > 0 {
				t.Fatalf("seed %d: %#v causes %v, %v; closed: %v", seed, c, got, err, closed)
			}
			if again, failure := process.Decider.Decide(next, c); err == nil && (failure != nil || len(again) > 0) {
				t.Fatalf("seed %d: %#v again: %v, %v", seed, c, again, failure)
			}
			for _, e := range got {
				m.follow(t, e)
			}
			s = next
			n, _ := s.Failures(task)
			if key := string(task.Kind) + task.Ref; n != m.failures[key] || s.Closed(task) != (m.last[key] == task.OpenedBy) || m.closed[key+task.OpenedBy] > 1 {
				t.Fatalf("seed %d: %d failures, closed %v; the model %+v", seed, n, s.Closed(task), m)
			}
			alarms += m.alarms[string(task.Kind)+task.Ref]
		}
		closings += len(m.closed)
	}
	if alarms < 100 || closings < 300 {
		t.Errorf("%d alarms, %d closings: too few to show anything", alarms, closings)
	}
}

func anyCommand(random *rand.Rand, s process.State, task process.Task) process.Command {
	switch random.IntN(14) {
	case 0:
		return process.Finish{OrderID: "o", Task: task}
	case 1:
		return process.Abandon{OrderID: "o", Task: task, Reason: "x"}
	case 2, 3:
		return process.Retry{OrderID: "o", Task: task}
	}
	n, _ := s.Failures(task)
	return process.Fail{OrderID: "o", Task: task, Attempt: n + random.IntN(3), Cause: "x", RetryAt: noon.Add(time.Duration(random.IntN(9)) * time.Minute)}
}
