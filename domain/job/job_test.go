package job_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/decidertest"
	"github.com/waybill-dev/waybill/domain/job"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

func TestDecide(t *testing.T) {
	t.Parallel()
	params := map[string]string{"customer_id": "c1"}
	callback := &job.Callback{URL: "https://shop.example/jobs"}
	start := job.Start{JobID: "j1", Kind: "export", Params: params, Owner: "k1", Cancellable: true, Callback: callback, At: noon}
	started := job.JobStarted{JobID: "j1", Kind: "export", Params: params, Owner: "k1", Cancellable: true, Callback: callback, StartedAt: noon}
	lasting := started
	lasting.Cancellable = false
	other := start
	other.Params = map[string]string{"customer_id": "c2"}
	progressed := job.JobProgressed{JobID: "j1", Done: 1, Total: 2, Mark: "m", At: noon}
	succeeded := job.JobSucceeded{JobID: "j1", Result: map[string]any{"n": 1}, At: noon}
	failed := job.JobFailed{JobID: "j1", Code: "open-orders", Message: "m", At: noon}
	asked := job.JobCancelRequested{JobID: "j1", At: noon}
	cancelled := job.JobCancelled{JobID: "j1", At: noon}
	postponed := job.JobAttemptFailed{JobID: "j1", Attempt: 1, Cause: "away", RetryAt: noon.Add(time.Second), At: noon}
	missed := job.JobCallbackFailed{JobID: "j1", Attempt: 1, HTTPStatus: 500, Cause: "http_5xx", RetryAt: noon.Add(time.Second), At: noon}
	decidertest.Run(t, job.Decider, []decidertest.Case[job.Command, job.Event]{
		{Name: "a job is started", When: start, Then: []job.Event{started}},
		{Name: "the same job is not started twice", Given: []job.Event{started, succeeded}, When: start},
		{Name: "an id is of one job", Given: []job.Event{started}, When: other, Refused: domain.ErrKeyReused},
		{Name: "what was never started does not go on", When: job.Progress{Done: 1, At: noon}, Refused: job.ErrNotFound},
		{Name: "progress is noted", Given: []job.Event{started}, When: job.Progress{Done: 1, Total: 2, Mark: "m", At: noon}, Then: []job.Event{progressed}},
		{Name: "a job that is over makes no progress", Given: []job.Event{started, succeeded}, When: job.Progress{Done: 2, At: noon}, Refused: job.ErrFinished},
		{Name: "progress is where a runner learns of the cancellation", Given: []job.Event{started, asked}, When: job.Progress{Done: 1, At: noon}, Refused: job.ErrCancelled},
		{Name: "an attempt that failed is noted", Given: []job.Event{started}, When: job.Postpone{Attempt: 1, Cause: "away", RetryAt: noon.Add(time.Second), At: noon}, Then: []job.Event{postponed}},
		{Name: "an attempt fails once", Given: []job.Event{started, postponed}, When: job.Postpone{Attempt: 1, Cause: "other", RetryAt: noon, At: noon}},
		{Name: "a job that is over is not postponed", Given: []job.Event{started, failed}, When: job.Postpone{Attempt: 1, At: noon}, Refused: job.ErrFinished},
		{Name: "a job succeeds", Given: []job.Event{started, progressed}, When: job.Succeed{Result: map[string]any{"n": 1}, At: noon}, Then: []job.Event{succeeded}},
		{Name: "a job that was to be cancelled and is done succeeds", Given: []job.Event{started, asked}, When: job.Succeed{Result: map[string]any{"n": 1}, At: noon}, Then: []job.Event{succeeded}},
		{Name: "what failed does not succeed", Given: []job.Event{started, failed}, When: job.Succeed{At: noon}, Refused: job.ErrFinished},
		{Name: "a job fails by a rule", Given: []job.Event{started}, When: job.Fail{Code: "open-orders", Message: "m", At: noon}, Then: []job.Event{failed}},
		{Name: "what succeeded does not fail", Given: []job.Event{started, succeeded}, When: job.Fail{Code: "x", At: noon}, Refused: job.ErrFinished},
		{Name: "a cancellation is asked for", Given: []job.Event{started}, When: job.RequestCancel{At: noon}, Then: []job.Event{asked}},
		{Name: "a cancelled job is cancelled again without harm", Given: []job.Event{started, asked, cancelled}, When: job.RequestCancel{At: noon}},
		{Name: "a job that is over is not cancelled", Given: []job.Event{started, succeeded}, When: job.RequestCancel{At: noon}, Refused: job.ErrFinished},
		{Name: "some jobs cannot be cancelled", Given: []job.Event{lasting}, When: job.RequestCancel{At: noon}, Refused: job.ErrNotCancellable},
		{Name: "the runner cancels", Given: []job.Event{started, asked}, When: job.Cancel{At: noon}, Then: []job.Event{cancelled}},
		{Name: "nobody cancels unasked", Given: []job.Event{started}, When: job.Cancel{At: noon}, Refused: job.ErrNotCancellable},
		{
			Name: "the callback is delivered once", Given: []job.Event{started, succeeded}, When: job.NoteDelivered{HTTPStatus: 204, At: noon},
			Then: []job.Event{job.JobCallbackDelivered{JobID: "j1", HTTPStatus: 204, At: noon}},
		},
		{Name: "nothing is delivered before the end", Given: []job.Event{started}, When: job.NoteDelivered{HTTPStatus: 204, At: noon}},
		{
			Name: "a callback that failed is noted", Given: []job.Event{started, succeeded},
			When: job.NoteUndelivered{Attempt: 1, HTTPStatus: 500, Cause: "http_5xx", RetryAt: noon.Add(time.Second), At: noon}, Then: []job.Event{missed},
		},
		{
			Name: "an attempt of a callback fails once", Given: []job.Event{started, succeeded, missed},
			When: job.NoteUndelivered{Attempt: 1, Cause: "x", At: noon},
		},
		{
			Name: "a callback is given up", Given: []job.Event{started, succeeded, missed},
			When: job.NoteUndelivered{Attempt: 2, Cause: "gone", At: noon},
			Then: []job.Event{job.JobCallbackFailed{JobID: "j1", Attempt: 2, Cause: "gone", Final: true, At: noon}},
		},
	})
}

// TestAJobEndsOnce sends random commands: whatever comes, there is at most one
// end, nothing but callbacks after it, and a cancellation only where asked for.
func TestAJobEndsOnce(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 4))
		state, ends, asked := job.State{}, 0, false
		for step := range 40 {
			command := randomCommand(random, step)
			events, _ := job.Decider.Decide(state, command)
			for _, e := range events {
				switch e.(type) {
				case job.JobSucceeded, job.JobFailed, job.JobCancelled:
					ends++
					if _, cancelled := e.(job.JobCancelled); cancelled && !asked {
						t.Fatalf("seed %d: cancelled though nobody asked", seed)
					}
				case job.JobCancelRequested:
					asked = true
				case job.JobStarted, job.JobProgressed, job.JobAttemptFailed: // are before the end
				case job.JobCallbackDelivered, job.JobCallbackFailed:
					if ends == 0 {
						t.Fatalf("seed %d: told before the end", seed)
					}
					continue
				}
				if state.Status.Finished() {
					t.Fatalf("seed %d: %T after the end", seed, e)
				}
			}
			state = job.Decider.Fold(state, events...)
			if state.Status.Finished() != (ends > 0) || ends > 1 {
				t.Fatalf("seed %d: %d ends and status %s", seed, ends, state.Status)
			}
		}
	}
}

func randomCommand(random *rand.Rand, step int) job.Command {
	at := noon.Add(time.Duration(step) * time.Second)
	switch random.IntN(9) {
	case 0:
		return job.Start{JobID: "j1", Kind: "k", Cancellable: true, Callback: &job.Callback{URL: "u"}, At: at}
	case 1:
		return job.Progress{Done: step, At: at}
	case 2:
		return job.Postpone{Attempt: random.IntN(4), RetryAt: at, At: at}
	case 3:
		return job.Succeed{At: at}
	case 4:
		return job.Fail{Code: fmt.Sprint(step), At: at}
	case 5:
		return job.RequestCancel{At: at}
	case 6:
		return job.Cancel{At: at}
	case 7:
		return job.NoteDelivered{HTTPStatus: 200, At: at}
	default:
		return job.NoteUndelivered{Attempt: random.IntN(4), RetryAt: at, At: at}
	}
}

func TestWhenAJobIsDue(t *testing.T) {
	t.Parallel()
	started := job.JobStarted{JobID: "j1", Callback: &job.Callback{URL: "u"}, StartedAt: noon}
	for name, row := range map[string]struct {
		events []job.Event
		due    bool
	}{
		"not started":             {nil, false},
		"started":                 {[]job.Event{started}, true},
		"postponed":               {[]job.Event{started, job.JobAttemptFailed{Attempt: 1, RetryAt: noon.Add(time.Hour)}}, false},
		"postponed until now":     {[]job.Event{started, job.JobAttemptFailed{Attempt: 1, RetryAt: noon}}, true},
		"to be cancelled":         {[]job.Event{started, job.JobAttemptFailed{Attempt: 1, RetryAt: noon.Add(time.Hour)}, job.JobCancelRequested{}}, true},
		"to be told":              {[]job.Event{started, job.JobSucceeded{At: noon}}, true},
		"to be told later":        {[]job.Event{started, job.JobSucceeded{At: noon}, job.JobCallbackFailed{Attempt: 1, RetryAt: noon.Add(1)}}, false},
		"told":                    {[]job.Event{started, job.JobSucceeded{At: noon}, job.JobCallbackDelivered{}}, false},
		"given up":                {[]job.Event{started, job.JobSucceeded{At: noon}, job.JobCallbackFailed{Attempt: 1, Final: true}}, false},
		"nobody wants to be told": {[]job.Event{job.JobStarted{JobID: "j1"}, job.JobSucceeded{At: noon}}, false},
	} {
		if got := job.Decider.Fold(job.State{}, row.events...).Due(noon); got != row.due {
			t.Errorf("%s: due is %v, want %v", name, got, row.due)
		}
	}
}

func TestGolden(t *testing.T) {
	t.Parallel()
	decidertest.Golden(t, job.EventTypes())
}
