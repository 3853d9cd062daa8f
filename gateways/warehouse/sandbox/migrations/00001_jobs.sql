-- +goose Up
CREATE TABLE jobs (
  request_id TEXT PRIMARY KEY,
  status     TEXT NOT NULL CHECK (status IN ('submitted', 'stopped', 'picked')),
  body       BLOB NOT NULL, -- JSON; empty where a job was stopped before it came
  submitted  INTEGER NOT NULL DEFAULT 0, -- how often it was
  revision   INTEGER NOT NULL DEFAULT 0 -- of the last decision about it
) WITHOUT ROWID;
