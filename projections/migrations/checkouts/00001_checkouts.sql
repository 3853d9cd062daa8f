-- +goose Up
-- Checkouts that are not over have a row, those with an unresolved payment
-- (step 'unresolved'), and for two days those with a payment to look for.
CREATE TABLE open_checkouts (
  checkout_id TEXT PRIMARY KEY,
  order_id    TEXT NOT NULL,
  step        TEXT NOT NULL,
  started_at  INTEGER NOT NULL, -- milliseconds since 1970
  last_at     INTEGER NOT NULL, -- when it last changed
  due_at      INTEGER NOT NULL, -- of a declined one: until when another payment may come; else last_at
  list        TEXT NOT NULL DEFAULT 'due', -- due, poll (the gateway is asked), watch (for a late payment), none
  revision    INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX open_checkouts_by_due ON open_checkouts (list, due_at);
CREATE INDEX open_checkouts_by_step ON open_checkouts (step, last_at, checkout_id);
