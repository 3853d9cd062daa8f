package process_test

import (
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/decidertest"
	"github.com/waybill-dev/waybill/domain/process"
)

type (
	row    = decidertest.Case[process.Command, process.Event]
	events = []process.Event
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

func task(openedBy string) process.Task {
	return process.Task{Kind: process.Capture, Ref: "s", OpenedBy: openedBy}
}

func failed(n int) process.ProcessTaskFailed {
	return process.ProcessTaskFailed{OrderID: "o", Task: task("e1"), Attempt: n, Cause: "late", RetryAt: noon}
}

func TestProcess(t *testing.T) {
	t.Parallel()
	fail := func(n int) process.Fail {
		return process.Fail{OrderID: "o", Task: task("e1"), Attempt: n, Cause: "late", RetryAt: noon}
	}
	four := events{failed(1), failed(2), failed(3), failed(4)}
	alarm := process.ProcessAlarmRaised{OrderID: "o", Task: task("e1"), Failures: 5, Cause: "late"}
	finish := process.Finish{OrderID: "o", Task: task("e1")}
	done := process.ProcessTaskDone{OrderID: "o", Task: task("e1")}
	abandon := process.Abandon{OrderID: "o", Task: task("e1"), Reason: "paid_by_hand"}
	abandoned := process.ProcessTaskAbandoned{OrderID: "o", Task: task("e1"), Reason: "paid_by_hand"}
	retry := process.Retry{OrderID: "o", Task: task("e1")}
	retried := process.ProcessTaskRetried{OrderID: "o", Task: task("e1")}
	long, wordy := fail(1), abandon
	long.Cause, wordy.Reason = strings.Repeat("é", 600), strings.Repeat("é", 501)
	elsewhere := process.ProcessTaskFailed{OrderID: "o", Task: process.Task{Kind: process.Refund, Ref: "s", OpenedBy: "e0"}, Attempt: 1}
	decidertest.Run(t, process.Decider, []row{
		{Name: "a failure is counted", When: fail(1), Then: events{failed(1)}},
		{Name: "a failure is counted once", Given: events{failed(1), failed(2)}, When: fail(2)},
		{Name: "each task has failures of its own", Given: events{elsewhere}, When: fail(1), Then: events{failed(1)}},
		{Name: "no failure is left out", Given: events{failed(1)}, When: fail(3), Refused: process.ErrInvalid},
		{Name: "the fifth failure raises an alarm", Given: four, When: fail(5), Then: events{failed(5), alarm}},
		{Name: "the sixth does not", Given: append(four[:4:4], failed(5), alarm), When: fail(6), Then: events{failed(6)}},
		{Name: "what is done does not fail", Given: events{done}, When: fail(1)},
		{Name: "a long cause is shortened to whole characters", When: long, Then: events{
			process.ProcessTaskFailed{OrderID: "o", Task: task("e1"), Attempt: 1, Cause: strings.Repeat("é", 500) + "…", RetryAt: noon},
		}},
		{Name: "a task is done", When: finish, Then: events{done}},
		{Name: "it is done once", Given: events{done}, When: finish},
		{Name: "done tells the failures before it", Given: events{failed(1), failed(2)}, When: finish, Then: events{
			process.ProcessTaskDone{OrderID: "o", Task: task("e1"), Failures: 2},
		}},
		{Name: "what was opened again is done again", Given: events{done}, When: process.Finish{OrderID: "o", Task: task("e2")}, Then: events{
			process.ProcessTaskDone{OrderID: "o", Task: task("e2")},
		}},
		{Name: "its failures are counted anew", Given: events{failed(1), done}, When: process.Fail{OrderID: "o", Task: task("e2"), Attempt: 1, Cause: "late", RetryAt: noon}, Then: events{
			process.ProcessTaskFailed{OrderID: "o", Task: task("e2"), Attempt: 1, Cause: "late", RetryAt: noon},
		}},
		{Name: "what was given up is not done", Given: events{abandoned}, When: finish},
		{Name: "a task that failed is tried at once", Given: events{failed(1)}, When: retry, Then: events{retried}},
		{Name: "what waits for nothing is not retried", When: retry},
		{Name: "and fails again", Given: events{failed(1), retried}, When: fail(2), Then: events{failed(2)}},
		{Name: "what is done is not retried", Given: events{done}, When: retry, Refused: process.ErrClosed.With("kind", "capture").With("ref", "s")},
		{Name: "a task is given up", When: abandon, Then: events{abandoned}},
		{Name: "giving up tells the failures before it", Given: events{failed(1)}, When: abandon, Then: events{
			process.ProcessTaskAbandoned{OrderID: "o", Task: task("e1"), Reason: "paid_by_hand", Failures: 1},
		}},
		{Name: "it is given up once", Given: events{abandoned}, When: abandon},
		{Name: "what is done is not given up", Given: events{done}, When: abandon, Refused: process.ErrClosed},
		{Name: "a cancellation is not given up", When: process.Abandon{
			OrderID: "o", Task: process.Task{Kind: process.Cancel, Ref: "c", OpenedBy: "e1"}, Reason: "x",
		}, Refused: process.ErrInvalid.Because(domain.Mistake{
			Pointer: "/task", Code: "needed",
			Detail: "nothing else can be done with an order while it is being cancelled: mend the cause, and retry",
		})},
		{Name: "giving up has a reason", When: process.Abandon{OrderID: "o", Task: task("e1")}, Refused: process.ErrInvalid},
		{Name: "which is no story", When: wordy, Refused: process.ErrInvalid},
		{Name: "a task has a name", When: process.Finish{Task: process.Task{Kind: process.Capture}}, Refused: process.ErrInvalid.Because(
			domain.Mistake{Pointer: "/order_id", Code: "missing", Detail: "a task has an order, a kind, a reference and an event that opened it"},
			domain.Mistake{Pointer: "/ref", Code: "missing", Detail: "a task has an order, a kind, a reference and an event that opened it"},
			domain.Mistake{Pointer: "/opened_by", Code: "missing", Detail: "a task has an order, a kind, a reference and an event that opened it"},
		)},
		{Name: "a failing task has a name", When: process.Fail{OrderID: "o"}, Refused: process.ErrInvalid},
		{Name: "a retried task has a name", When: process.Retry{OrderID: "o"}, Refused: process.ErrInvalid},
		{Name: "a task that is given up has a name", When: process.Abandon{OrderID: "o"}, Refused: process.ErrInvalid},
	})
}

// A failure keeps the task waiting for what it failed at, not for what came
// later; all of them count.
func TestNewsAreNotWaitedWith(t *testing.T) {
	t.Parallel()
	s := process.Decider.Fold(process.State{}, failed(1), failed(2))
	for opener, want := range map[string]time.Time{"e1": noon, "e2": {}} {
		if n, at := s.Failures(task(opener)); n != 2 || !at.Equal(want) {
			t.Errorf("opened by %s: %d failures, tried again at %v; want 2 and %v", opener, n, at, want)
		}
	}
}

func TestGolden(t *testing.T) {
	t.Parallel()
	decidertest.Golden(t, process.EventTypes())
}
