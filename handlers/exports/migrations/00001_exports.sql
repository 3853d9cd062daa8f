-- +goose Up
-- A file that is whole. Which attempt made it decides which chunks are its.
CREATE TABLE export_files (
    job_id     TEXT    NOT NULL PRIMARY KEY,
    attempt    TEXT    NOT NULL,
    format     TEXT    NOT NULL,
    personal   INTEGER NOT NULL, -- 0 or 1
    orders     INTEGER NOT NULL,
    bytes      INTEGER NOT NULL,
    made_at    INTEGER NOT NULL, -- ms
    expires_at INTEGER NOT NULL  -- ms
);

CREATE TABLE export_chunks (
    job_id  TEXT    NOT NULL,
    attempt TEXT    NOT NULL,
    n       INTEGER NOT NULL, -- from 0
    made_at INTEGER NOT NULL, -- ms
    sealed  BLOB    NOT NULL,
    PRIMARY KEY (job_id, attempt, n)
);

CREATE INDEX export_chunks_by_age ON export_chunks (made_at);

-- +goose Down
