-- +goose Up
-- The streams of checkouts and payments, each with the order it belongs to.
CREATE TABLE streams (
  stream   TEXT PRIMARY KEY,
  order_id TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE timeline (
  order_id       TEXT NOT NULL,
  position       INTEGER NOT NULL,
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
  span_id        TEXT NOT NULL,
  PRIMARY KEY (order_id, position)
) WITHOUT ROWID;
