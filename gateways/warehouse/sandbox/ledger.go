package sandbox

import (
	"context"
	"database/sql"
	"embed"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/waybill-dev/waybill/database"
	"github.com/waybill-dev/waybill/gateways/warehouse"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Where a job may be.
const (
	Submitted = "submitted"
	Stopped   = "stopped"
	Picked    = "picked"
)

var errNoJob = errors.New("there is no such job")

// Job is a job in the ledger.
type Job struct {
	warehouse.Job
	Status  string
	Asked   int // how often it was submitted
	Parcels []warehouse.Parcel
	Refused *warehouse.Refusal
}

// ledger is the warehouse's own book: a row per job.
type ledger struct{ db *database.DB }

func openLedger(ctx context.Context, path string) (*ledger, error) {
	db, err := database.Open(ctx, database.Config{Path: path, Migrations: database.Embedded(migrations, "migrations")})
	if err != nil {
		return nil, err
	}
	return &ledger{db}, nil
}

const columns = `request_id, status, body, submitted, parcels, refused`

// submit writes a job down, or counts that it was asked for once more. One that
// was stopped before it came stays so.
func (l *ledger) submit(ctx context.Context, job warehouse.Job) (Job, error) {
	body, err := json.Marshal(job)
	if err != nil {
		return Job{}, err
	}
	return scan(l.db.Write.QueryRowContext(ctx, `
		INSERT INTO jobs (request_id, status, body, submitted) VALUES (?, 'submitted', ?, 1)
		ON CONFLICT (request_id) DO UPDATE SET
			body = CASE WHEN jobs.submitted = 0 THEN excluded.body ELSE jobs.body END, submitted = jobs.submitted + 1
		RETURNING `+columns, job.RequestID, body))
}

// stop stops a job that is not picked, also one that is yet to come.
// One that was decided before what is known changes nothing.
func (l *ledger) stop(ctx context.Context, requestID string, revision int) (Job, error) {
	return scan(l.db.Write.QueryRowContext(ctx, `
		INSERT INTO jobs (request_id, status, body, revision) VALUES (?, 'stopped', '', ?)
		ON CONFLICT (request_id) DO UPDATE SET
			status = CASE WHEN jobs.status = 'submitted' AND jobs.revision <= excluded.revision THEN 'stopped' ELSE jobs.status END,
			revision = CASE WHEN jobs.revision < excluded.revision THEN excluded.revision ELSE jobs.revision END
		RETURNING `+columns, requestID, revision))
}

// resume goes on with a stopped job, unless that was decided before what is
// known.
func (l *ledger) resume(ctx context.Context, requestID string, revision int) (Job, error) {
	return scan(l.db.Write.QueryRowContext(ctx, `
		UPDATE jobs SET
			status = CASE WHEN status = 'stopped' AND revision <= ? THEN 'submitted' ELSE status END,
			revision = CASE WHEN revision < ? THEN ? ELSE revision END
		WHERE request_id = ?
		RETURNING `+columns, revision, revision, revision, requestID))
}

// turn takes a job from one status to another, where it is in that one.
func (l *ledger) turn(ctx context.Context, requestID, from, to string) (Job, error) {
	return scan(l.db.Write.QueryRowContext(ctx, `
		UPDATE jobs SET status = CASE WHEN status = ? THEN ? ELSE status END WHERE request_id = ?
		RETURNING `+columns, from, to, requestID))
}

func (l *ledger) find(ctx context.Context, requestID string) (Job, error) {
	return scan(l.db.Read.QueryRowContext(ctx, `SELECT `+columns+` FROM jobs WHERE request_id = ?`, requestID))
}

func (l *ledger) all(ctx context.Context) (jobs []Job, err error) {
	rows, err := l.db.Read.QueryContext(ctx, `SELECT `+columns+` FROM jobs ORDER BY request_id`)
	if err != nil {
		return nil, fmt.Errorf("read the jobs: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		j, err := scan(rows)
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, j)
	}
	return jobs, rows.Err()
}

func scan(row database.Row) (Job, error) {
	var j Job
	var id string
	var body, parcels, refused []byte
	err := row.Scan(&id, &j.Status, &body, &j.Asked, &parcels, &refused)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return j, errNoJob
	case err != nil:
		return j, fmt.Errorf("read the jobs: %w", err)
	}
	for _, part := range []struct {
		text []byte
		into any
	}{{body, &j.Job}, {parcels, &j.Parcels}, {refused, &j.Refused}} {
		if len(part.text) > 0 {
			if err := json.Unmarshal(part.text, part.into); err != nil {
				return j, fmt.Errorf("read the jobs: %w", err)
			}
		}
	}
	j.RequestID = id
	return j, nil
}
