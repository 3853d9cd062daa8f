-- +goose Up
-- Every database that a read model has. Code of one version reads the live one
-- of that version: programs of two versions may run side by side while one
-- takes the other's place.
CREATE TABLE versions (
  projection TEXT NOT NULL,
  version    INTEGER NOT NULL, -- of the code
  build      INTEGER NOT NULL, -- how often it was built anew with that code
  state      TEXT NOT NULL,    -- building, live, kept
  changed_at INTEGER NOT NULL, -- times in milliseconds since 1970; since when it is in that state
  keep_until INTEGER NOT NULL, -- of what is kept, 0 is no end
  used_at    INTEGER NOT NULL, -- when a program last said that it reads it
  PRIMARY KEY (projection, version, build)
) WITHOUT ROWID;

-- The last rebuild of each read model, whether it goes on or is over.
CREATE TABLE rebuilds (
  projection   TEXT NOT NULL,
  version      INTEGER NOT NULL,
  id           TEXT NOT NULL,
  kind         TEXT NOT NULL,    -- rebuild, verify, back
  accept       INTEGER NOT NULL, -- whether differences do not matter
  rate         INTEGER NOT NULL, -- the most events in a second, 0 is as many as there are
  build        INTEGER NOT NULL, -- that is being filled
  wanted       TEXT NOT NULL,    -- run, pause, cancel
  state        TEXT NOT NULL,
  error        TEXT NOT NULL,
  position     INTEGER NOT NULL,
  head         INTEGER NOT NULL, -- of the log, as it was last seen
  events       INTEGER NOT NULL,
  worked       INTEGER NOT NULL, -- milliseconds
  compared     TEXT NOT NULL,    -- JSON; empty is not yet
  requested_by TEXT NOT NULL,
  requested_at INTEGER NOT NULL,
  ended_at     INTEGER NOT NULL,
  PRIMARY KEY (projection, version)
) WITHOUT ROWID;

-- What is applied in the place of an event that cannot be: an edited copy of
-- it, or nothing. It holds for every build, or the next one would be blocked
-- again.
CREATE TABLE repairs (
  projection TEXT NOT NULL,
  stream     TEXT NOT NULL,
  revision   INTEGER NOT NULL,
  number     INTEGER NOT NULL, -- from 1; of several decisions about an event the last one counts
  kind       TEXT NOT NULL, -- edit, skip
  data       TEXT NOT NULL, -- the payload of the copy, JSON; empty where it is skipped
  event_id   TEXT NOT NULL,
  error      TEXT NOT NULL, -- why it could not be applied
  reason     TEXT NOT NULL,
  made_by    TEXT NOT NULL,
  made_at    INTEGER NOT NULL,
  PRIMARY KEY (projection, stream, revision, number)
) WITHOUT ROWID;
