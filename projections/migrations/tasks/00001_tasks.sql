-- +goose Up
-- What orders still need: only tasks that are not closed have a row. Times are
-- milliseconds since 1970, 0 is none.
CREATE TABLE tasks (
  order_id   TEXT NOT NULL,
  kind       TEXT NOT NULL,
  ref        TEXT NOT NULL,
  opened_by  TEXT NOT NULL,    -- id of the last event that did
  position   INTEGER NOT NULL, -- in the log, of the first event that did
  opened_at  INTEGER NOT NULL, -- when that was recorded
  due_at     INTEGER NOT NULL,
  next_at    INTEGER NOT NULL, -- due_at, or when it is tried again
  failures   INTEGER NOT NULL DEFAULT 0,
  alarmed_at INTEGER NOT NULL DEFAULT 0,
  cause      TEXT NOT NULL DEFAULT '', -- of the last failure
  paused     INTEGER NOT NULL DEFAULT 0, -- 1 while the order is on hold
  traceparent TEXT NOT NULL DEFAULT '', -- of the event in opened_by
  PRIMARY KEY (order_id, kind, ref)
) WITHOUT ROWID;

CREATE INDEX tasks_by_next ON tasks (next_at, order_id, kind, ref) WHERE paused = 0;
CREATE INDEX tasks_by_due ON tasks (due_at, kind, failures, alarmed_at);
CREATE INDEX tasks_alarmed ON tasks (alarmed_at) WHERE alarmed_at > 0;

-- What was closed before it was opened, which happens where the stream that
-- opens it had to wait for a repair.
CREATE TABLE closed_early (
  order_id  TEXT NOT NULL,
  kind      TEXT NOT NULL,
  ref       TEXT NOT NULL,
  opened_by TEXT NOT NULL,
  PRIMARY KEY (order_id, kind, ref, opened_by)
) WITHOUT ROWID;

CREATE TABLE placed_orders (
  order_id TEXT PRIMARY KEY,
  edit_id  TEXT NOT NULL DEFAULT '' -- of the last edit
) WITHOUT ROWID;

CREATE TABLE payments (
  payment_id     TEXT PRIMARY KEY,
  order_id       TEXT NOT NULL,
  by_hand        INTEGER NOT NULL DEFAULT 0, -- 1 for one that somebody asked for, of a placed order
  authorised     INTEGER NOT NULL DEFAULT 0, -- amounts in minor units
  captured       INTEGER NOT NULL DEFAULT 0,
  final_capture  TEXT NOT NULL DEFAULT '',   -- id of the capture that lets go of the rest
  held_by        TEXT NOT NULL DEFAULT '',   -- id of the authorisation's event, while money is held
  held_at        INTEGER NOT NULL DEFAULT 0, -- when that was recorded
  expires_at     INTEGER NOT NULL DEFAULT 0,
  moved_by       TEXT NOT NULL DEFAULT '',   -- id of the last event after the authorisation
  moved_at       INTEGER NOT NULL DEFAULT 0,
  moved_position INTEGER NOT NULL DEFAULT 0,
  moved_trace    TEXT NOT NULL DEFAULT '',   -- its traceparent
  moved_revision INTEGER NOT NULL DEFAULT 0, -- of the last event that the order is to hear of
  revision       INTEGER NOT NULL            -- of the payment's stream
) WITHOUT ROWID;

CREATE INDEX payments_by_order ON payments (order_id);
