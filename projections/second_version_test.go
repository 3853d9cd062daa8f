package projections_test

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/job"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/node/nodetest"
	"github.com/waybill-dev/waybill/projections"
)

// callbackFailed1 is JobCallbackFailed as programs wrote it in schema 1.
type callbackFailed1 struct {
	JobID   string    `json:"job_id"`
	Attempt int       `json:"attempt"`
	Cause   string    `json:"cause"`
	RetryAt time.Time `json:"retry_at,omitzero"`
	At      time.Time `json:"at"`
}

func (callbackFailed1) EventName() string { return "JobCallbackFailed" }

// jobTypes1 are the events of jobs as a program of that time knew them.
func jobTypes1() []domain.EventType {
	types := slices.DeleteFunc(job.EventTypes(), func(t domain.EventType) bool { return t.Zero.EventName() == "JobCallbackFailed" })
	return append(types, domain.EventTypes(callbackFailed1{})...)
}

// jobs1 is the list of jobs in its first version.
type jobs1 struct{ projections.Jobs }

func (jobs1) Version() int { return 1 }

func (jobs1) Migrations() fs.FS { return os.DirFS("testdata/jobs.v1") }

func (jobs1) Apply(ctx context.Context, tx *projections.Tx, r eventstore.Recorded) error {
	event, err := r.Decode()
	if err != nil {
		return err
	}
	change := func(id, what string, args ...any) error {
		return tx.Exec(ctx, `UPDATE jobs SET `+what+`, revision = ? WHERE job_id = ? AND revision < ?`,
			append(args, int64(r.Revision), id, int64(r.Revision))...)
	}
	switch e := event.(type) {
	case job.JobStarted:
		return tx.Exec(ctx, `INSERT INTO jobs (job_id, kind, owner, status, attempts, callback, started_at, due_at, revision)
			VALUES (?, ?, ?, 'running', 0, 'pending', ?, ?, ?) ON CONFLICT DO NOTHING`,
			e.JobID, e.Kind, e.Owner, e.StartedAt.UnixMilli(), e.StartedAt.UnixMilli(), int64(r.Revision))
	case job.JobSucceeded:
		return change(e.JobID, `status = 'succeeded', due_at = ?`, e.At.UnixMilli())
	case callbackFailed1:
		if e.RetryAt.IsZero() {
			return change(e.JobID, `callback = 'given_up', due_at = NULL`)
		}
		return change(e.JobID, `due_at = ?`, e.RetryAt.UnixMilli())
	}
	return fmt.Errorf("%T is no event of a job", event)
}

// TestASecondVersionOfAnEventAndAReadModelIsDeployed goes the way of a deploy:
// the old program has filled the old version from events in the old schema, the
// new one fills its version beside it, is ready, and takes over. The old one is
// read all the time.
func TestASecondVersionOfAnEventAndAReadModelIsDeployed(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		connection := nodetest.Start(t)
		then, now := clientOf(t, connection, jobTypes1()...), clientOf(t, connection, job.EventTypes()...)
		finish := func(n int) {
			id := fmt.Sprint("j", n)
			failed := callbackFailed1{JobID: id, Attempt: 1, Cause: "gone", At: noon}
			if n%2 == 0 {
				failed.RetryAt = noon.Add(time.Hour)
			}
			add(t, then, "job-"+id, id, job.JobStarted{JobID: id, Kind: "customer-export", Owner: "k", Callback: &job.Callback{URL: "https://shop.example"}, StartedAt: noon},
				job.JobSucceeded{JobID: id, At: noon.Add(time.Minute)}, failed)
		}
		for n := range 10 {
			finish(n)
		}
		old := start(t, e, then, "old", jobs1{})
		old.level("jobs")
		stopReading := readAllTheTime(t, old.model("jobs").Read().QueryRowContext)

		next := start(t, e, now, "new", projections.Jobs{})
		finish(10)
		eventually(t, "the new version is filled", func() bool { return next.set.Ready(t.Context()) == nil })
		next.level("jobs")
		old.level("jobs")
		rows, err := projections.JobQueries{DB: next.model("jobs").Read()}.List(t.Context(), projections.JobFilter{}, nil, 100)
		if err != nil || len(rows) != 11 {
			t.Fatalf("%d jobs, %v", len(rows), err)
		}
		for _, row := range rows {
			want := job.CallbackPending
			var n int
			if _, err := fmt.Sscanf(row.JobID, "j%d", &n); err != nil || n%2 == 1 {
				want = job.CallbackGivenUp
			}
			if row.Callback != want || row.CallbackAttempts != 1 || !row.FinishedAt.Equal(noon.Add(time.Minute)) {
				t.Errorf("%+v", row)
			}
		}
		stopReading()
		old.stop() // the deploy is over: whoever asks, asks the new program
		add(t, now, "job-j0", "j0", job.JobCallbackFailed{JobID: "j0", Attempt: 2, Cause: "gone", Final: true, At: noon})
		next.level("jobs")
		rows, err = projections.JobQueries{DB: next.model("jobs").Read()}.List(t.Context(), projections.JobFilter{}, nil, 100)
		if err != nil {
			t.Fatal(err)
		}
		last := rows[slices.IndexFunc(rows, func(r projections.JobRow) bool { return r.JobID == "j0" })]
		if last.Callback != job.CallbackGivenUp || last.CallbackAttempts != 2 {
			t.Errorf("an event of the new schema: %+v", last)
		}
		if r := next.rebuild("jobs", anew("1")); r.State != projections.Swapped || !r.Equal() {
			t.Errorf("built anew: %s, %+v, %s", r.State, r.Compared, r.Error)
		}
		versions, err := next.set.Versions(t.Context(), "jobs")
		if err != nil || len(versions) != 3 || versions[2].Code != 1 || versions[2].State != projections.Live {
			t.Errorf("the way back: %+v, %v", versions, err)
		}
		if diff := cmp.Diff([]eventstore.Revision{0, 1, 2, 3}, revisions(t, now, "job-j0")); diff != "" {
			t.Errorf("events of both schemas in one stream (-want +got):\n%s", diff)
		}
	})
}

// readAllTheTime counts jobs until it is stopped: none may fail, and none of
// them may see fewer than one before.
func readAllTheTime(t *testing.T, query func(context.Context, string, ...any) *sql.Row) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var reading sync.WaitGroup
	reading.Go(func() {
		for last := 0; ctx.Err() == nil; {
			var n int
			if err := query(t.Context(), `SELECT count(*) FROM jobs`).Scan(&n); err != nil || n < last {
				t.Errorf("%d jobs after %d, %v", n, last, err)
				return
			}
			last = n
		}
	})
	return sync.OnceFunc(func() { cancel(); reading.Wait() })
}

func revisions(t *testing.T, c *eventstore.Client, stream string) (list []eventstore.Revision) {
	t.Helper()
	for e, err := range c.ReadStream(t.Context(), stream, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Decode(); err != nil {
			t.Error(err)
		}
		list = append(list, e.Revision)
	}
	return list
}
