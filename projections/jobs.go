package projections

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/domain/job"
	"github.com/waybill-dev/waybill/eventstore"
)

// Jobs is the list of long jobs, and with due_at the to-do list of whoever
// runs them.
type Jobs struct{}

// Name implements [Projection].
func (Jobs) Name() string { return "jobs" }

// Version implements [Projection].
func (Jobs) Version() int { return 2 }

// Migrations implements [Projection].
func (Jobs) Migrations() fs.FS { return schema("jobs") }

// Prefixes implements [Projection].
func (Jobs) Prefixes() []string { return []string{job.Decider.Category + "-"} }

// Apply implements [Projection].
func (Jobs) Apply(ctx context.Context, tx *Tx, r eventstore.Recorded) error {
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
		return startJob(ctx, tx, r, e)
	case job.JobProgressed:
		return nil // the log knows how far a job is
	case job.JobAttemptFailed:
		return change(e.JobID, `attempts = ?, due_at = ?`, e.Attempt, millis(e.RetryAt))
	case job.JobSucceeded:
		return change(e.JobID, endJob, string(job.Succeeded), millis(e.At), millis(e.At))
	case job.JobFailed:
		return change(e.JobID, endJob, string(job.Failed), millis(e.At), millis(e.At))
	case job.JobCancelRequested:
		return change(e.JobID, `status = ?, due_at = ?`, string(job.Cancelling), millis(e.At))
	case job.JobCancelled:
		return change(e.JobID, endJob, string(job.Cancelled), millis(e.At), millis(e.At))
	case job.JobCallbackDelivered:
		return change(e.JobID, `callback = ?, due_at = NULL`, string(job.CallbackDelivered))
	case job.JobCallbackFailed:
		if e.Final {
			return change(e.JobID, `callback = ?, callback_attempts = ?, due_at = NULL`, string(job.CallbackGivenUp), e.Attempt)
		}
		return change(e.JobID, `callback_attempts = ?, due_at = ?`, e.Attempt, millis(e.RetryAt))
	}
	return fmt.Errorf("%T is no event of a job", event)
}

func startJob(ctx context.Context, tx *Tx, r eventstore.Recorded, e job.JobStarted) error {
	callback := ""
	if e.Callback != nil {
		callback = string(job.CallbackPending)
	}
	return tx.Exec(ctx, `
		INSERT INTO jobs (job_id, kind, owner, status, attempts, callback, started_at, due_at, revision)
		VALUES (?, ?, ?, ?, 0, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		e.JobID, e.Kind, e.Owner, string(job.Running), callback, millis(e.StartedAt), millis(e.StartedAt), int64(r.Revision))
}

// endJob leaves the callback to do, if there is one.
const endJob = `status = ?, finished_at = ?, due_at = CASE callback WHEN 'pending' THEN CAST(? AS BIGINT) END`

// JobRow is one job of the list.
type JobRow struct {
	JobID, Kind, Owner string
	Status             job.Status
	Attempts           int
	Callback           job.CallbackStatus
	CallbackAttempts   int // that failed
	StartedAt          time.Time
	FinishedAt         time.Time // zero while it is not over
}

// JobKey is the place of a job in the list.
type JobKey struct {
	StartedAt time.Time
	JobID     string
}

// JobFilter narrows a list of jobs; empty fields do not.
type JobFilter struct{ Owner, Kind, Status string }

// JobQueries reads jobs.
type JobQueries struct{ DB *sql.DB }

const (
	dueJobs   = `SELECT job_id FROM jobs WHERE due_at IS NOT NULL AND due_at <= ? ORDER BY due_at LIMIT ?`
	countJobs = `SELECT kind, count(*), count(CASE WHEN attempts >= 5 THEN 1 END) FROM jobs
		WHERE due_at IS NOT NULL AND status IN ('running', 'cancelling') GROUP BY kind`
)

// Due returns ids of up to limit jobs that something is to be done about,
// longest waiting first.
func (q JobQueries) Due(ctx context.Context, now time.Time, limit int) ([]string, error) {
	rows, err := q.DB.QueryContext(ctx, dueJobs, millis(now), limit)
	return rowsOf(rows, err, func(rows *sql.Rows) (id string, err error) { return id, rows.Scan(&id) })
}

// List returns up to limit jobs, newest first, that come after a place in the
// list; nil is its beginning.
func (q JobQueries) List(ctx context.Context, filter JobFilter, after *JobKey, limit int) ([]JobRow, error) {
	query, args := filter.query(after)
	rows, err := q.DB.QueryContext(ctx, query, append(args, limit)...)
	return rowsOf(rows, err, func(rows *sql.Rows) (j JobRow, err error) {
		var started, finished int64
		err = rows.Scan(&j.JobID, &j.Kind, &j.Owner, &j.Status, &j.Attempts, &j.Callback, &j.CallbackAttempts, &started, &finished)
		j.StartedAt, j.FinishedAt = fromMillis(started), fromMillis(finished)
		return j, err
	})
}

func (filter JobFilter) query(after *JobKey) (query string, args []any) {
	conditions := []string{"1 = 1"}
	for _, equal := range []struct{ column, value string }{{"owner", filter.Owner}, {"kind", filter.Kind}, {"status", filter.Status}} {
		if equal.value != "" {
			conditions, args = append(conditions, equal.column+" = ?"), append(args, equal.value)
		}
	}
	if after != nil {
		conditions, args = append(conditions, "(started_at, job_id) < (?, ?)"), append(args, millis(after.StartedAt), after.JobID)
	}
	return `SELECT job_id, kind, owner, status, attempts, callback, callback_attempts, started_at, finished_at FROM jobs WHERE ` + //nolint:gosec // the columns are ours
		strings.Join(conditions, " AND ") + ` ORDER BY started_at DESC, job_id DESC LIMIT ?`, args
}

// JobCount is how many jobs of a kind are not over, and how many of them have
// failed at least five times.
type JobCount struct {
	Kind          string
	Open, Alarmed int
}

// Count counts jobs that are not over.
func (q JobQueries) Count(ctx context.Context) ([]JobCount, error) {
	rows, err := q.DB.QueryContext(ctx, countJobs)
	return rowsOf(rows, err, func(rows *sql.Rows) (c JobCount, err error) { return c, rows.Scan(&c.Kind, &c.Open, &c.Alarmed) })
}
