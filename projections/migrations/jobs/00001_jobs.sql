-- +goose Up
CREATE TABLE jobs (
  job_id     TEXT PRIMARY KEY,
  kind       TEXT NOT NULL,
  owner      TEXT NOT NULL,
  status     TEXT NOT NULL,
  attempts   INTEGER NOT NULL, -- that failed
  callback   TEXT NOT NULL,    -- '' without one, else pending, delivered or given_up
  callback_attempts INTEGER NOT NULL DEFAULT 0, -- that failed
  started_at  INTEGER NOT NULL, -- milliseconds since 1970
  finished_at INTEGER NOT NULL DEFAULT 0, -- likewise; 0 while it is not over
  due_at     INTEGER,          -- when there is something to do about it; NULL is never
  revision   INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX jobs_by_due ON jobs (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX jobs_by_time ON jobs (started_at, job_id);
CREATE INDEX jobs_by_owner ON jobs (owner, started_at, job_id);
