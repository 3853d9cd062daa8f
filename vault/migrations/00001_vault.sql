-- +goose Up
-- One data key per person, sealed with the master key. An erased person keeps
-- the row without the key, so that nobody makes another one.
CREATE TABLE subjects (
  subject    TEXT PRIMARY KEY,
  sealed_key BLOB -- NULL: erased
) WITHOUT ROWID;

CREATE TABLE contents (
  ref     TEXT PRIMARY KEY,
  subject TEXT NOT NULL REFERENCES subjects (subject),
  sealed  BLOB NOT NULL
) WITHOUT ROWID;

CREATE INDEX contents_by_subject ON contents (subject);
