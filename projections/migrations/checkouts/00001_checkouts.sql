-- +goose Up
-- Only checkouts that are not over have a row.
CREATE TABLE open_checkouts (
  checkout_id TEXT PRIMARY KEY,
  order_id    TEXT NOT NULL,
  step        TEXT NOT NULL,
  started_at  INTEGER NOT NULL, -- milliseconds since 1970
  last_at     INTEGER NOT NULL, -- when it last changed
  due_at      INTEGER NOT NULL, -- of a declined one: until when another payment may come; else last_at
  revision    INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX open_checkouts_by_due ON open_checkouts (due_at);
CREATE INDEX open_checkouts_unknown ON open_checkouts (due_at) WHERE step = 'unknown';
