package projections_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/job"
	"github.com/waybill-dev/waybill/projections"
)

// TestTheListOfJobsAgreesWithTheLog lets random things happen to jobs and
// compares the list, after every event, with what each job says of itself.
func TestTheListOfJobsAgreesWithTheLog(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		for seed := range e.Rounds(5) {
			random, h := rand.New(rand.NewPCG(seed, 9)), newHistory(t)
			runner := h.open(projections.Jobs{}, e.Another(t))
			queries := projections.JobQueries{DB: runner.Read()}
			states := map[string]job.State{}
			for step := range 150 {
				id, at := fmt.Sprint("j", random.IntN(5)), historyStart.Add(time.Duration(step)*time.Second)
				events, _ := job.Decider.Decide(states[id], randomJobCommand(random, id, at))
				states[id] = job.Decider.Fold(states[id], events...)
				from := len(h.events)
				for _, e := range events {
					h.record("job-"+id, id, e)
				}
				if len(events) == 0 {
					continue
				}
				for range 2 { // twice is harmless
					if err := runner.Apply(t.Context(), h.page(projections.Jobs{}, from, len(h.events))); err != nil {
						t.Fatal(err)
					}
				}
				compareJobs(t, queries, states, at)
				compareJobs(t, queries, states, at.Add(10*time.Second))
			}
			if err := runner.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func compareJobs(t *testing.T, queries projections.JobQueries, states map[string]job.State, now time.Time) {
	t.Helper()
	got, err := queries.Due(t.Context(), now, 100)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for id, state := range states {
		if state.Due(now) {
			want = append(want, id)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("due are %v, want %v", got, want)
	}
	rows, err := queries.List(t.Context(), projections.JobFilter{}, nil, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if s := states[row.JobID]; row.Status != s.Status || row.Attempts != s.Attempts || row.Callback != s.CallbackStatus ||
			row.CallbackAttempts != s.CallbackAttempts || !row.FinishedAt.Equal(s.FinishedAt) {
			t.Fatalf("the list says %+v of %+v", row, s)
		}
	}
}

func randomJobCommand(random *rand.Rand, id string, at time.Time) job.Command {
	later := at.Add(time.Duration(1+random.IntN(9)) * time.Second)
	switch random.IntN(12) {
	case 0:
		return job.Progress{Done: random.IntN(100), At: at}
	case 1:
		return job.Postpone{Attempt: random.IntN(9), Cause: "away", RetryAt: later, At: at}
	case 2:
		return job.Succeed{At: at}
	case 3:
		return job.Fail{Code: "no", At: at}
	case 4:
		return job.RequestCancel{At: at}
	case 5:
		return job.Cancel{At: at}
	case 6:
		return job.NoteDelivered{HTTPStatus: 200, At: at}
	case 7:
		return job.NoteUndelivered{Attempt: random.IntN(9), Cause: "reset", RetryAt: later, At: at}
	case 8:
		return job.NoteUndelivered{Attempt: random.IntN(9), Cause: "gone", At: at}
	}
	start := job.Start{JobID: id, Kind: "count", Owner: "k", Cancellable: true, At: at}
	if random.IntN(2) == 0 {
		start.Callback = &job.Callback{URL: "https://shop.example"}
	}
	return start
}

func TestJobsAreListedByOwnerKindAndPage(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		h := newHistory(t)
		for i := range 6 {
			h.record(fmt.Sprint("job-j", i), "", domain.Event(job.JobStarted{
				JobID: fmt.Sprint("j", i), Kind: []string{"a", "b"}[i%2], Owner: []string{"x", "x", "y"}[i%3], StartedAt: historyStart.Add(time.Duration(i/2) * time.Second),
			}))
		}
		runner := h.open(projections.Jobs{}, e.Another(t))
		defer func() { _ = runner.Close() }()
		if err := runner.Apply(t.Context(), h.page(projections.Jobs{}, 0, 6)); err != nil {
			t.Fatal(err)
		}
		queries := projections.JobQueries{DB: runner.Read()}
		list := func(filter projections.JobFilter, after *projections.JobKey) string {
			rows, err := queries.List(t.Context(), filter, after, 3)
			if err != nil {
				t.Fatal(err)
			}
			ids := ""
			for _, row := range rows {
				ids += row.JobID
			}
			return ids
		}
		second := &projections.JobKey{StartedAt: historyStart.Add(time.Second), JobID: "j3"}
		for want, got := range map[string]string{
			"j5j4j3": list(projections.JobFilter{}, nil),
			"j2j1j0": list(projections.JobFilter{}, second),
			"j5j2":   list(projections.JobFilter{Owner: "y"}, nil),
			"j4j0":   list(projections.JobFilter{Owner: "x", Kind: "a"}, nil),
			"":       list(projections.JobFilter{Status: "failed"}, nil),
		} {
			if got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
		counts, err := queries.Count(t.Context())
		if err != nil || len(counts) != 2 || counts[0] != (projections.JobCount{Kind: "a", Open: 3}) {
			t.Errorf("counts are %v, %v", counts, err)
		}
	})
}
