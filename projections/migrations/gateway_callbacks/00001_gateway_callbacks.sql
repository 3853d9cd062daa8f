-- +goose Up
-- Callbacks that were not applied: those to be tried, and those nobody claims.
CREATE TABLE gateway_callbacks (
  id          TEXT PRIMARY KEY,
  gateway     TEXT NOT NULL,
  callback_id TEXT NOT NULL, -- the gateway's name for it
  kind        TEXT NOT NULL,
  payment_id  TEXT NOT NULL,
  status      TEXT NOT NULL, -- waiting, unclaimed
  reason      TEXT NOT NULL DEFAULT '',
  received_at INTEGER NOT NULL -- milliseconds since 1970
) WITHOUT ROWID;

CREATE INDEX gateway_callbacks_by_status ON gateway_callbacks (status, received_at, id);
