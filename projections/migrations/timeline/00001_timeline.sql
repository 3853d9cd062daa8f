-- +goose Up
-- The streams of checkouts and payments, each with the order it belongs to.
CREATE TABLE streams (
  stream   TEXT PRIMARY KEY,
  order_id TEXT NOT NULL
) WITHOUT ROWID;

-- By position, so that rows are only ever added at the end.
CREATE TABLE timeline (
  position       INTEGER PRIMARY KEY,
  order_id       TEXT NOT NULL,
  event_id       TEXT NOT NULL,
  stream         TEXT NOT NULL,
  revision       INTEGER NOT NULL,
  type           TEXT NOT NULL,
  at             INTEGER NOT NULL, -- milliseconds since 1970
  actor_type     TEXT NOT NULL,
  actor_id       TEXT NOT NULL,
  summary        TEXT NOT NULL,
  correlation_id TEXT NOT NULL,
  causation_id   TEXT NOT NULL,
  trace_id       TEXT NOT NULL,
  span_id        TEXT NOT NULL
);

CREATE INDEX timeline_by_order ON timeline (order_id, position);
