-- +goose Up
-- Times are milliseconds since 1970, positions those of the log.

-- What the endpoint-* streams say; may be deleted and built again.
CREATE TABLE wh_endpoint (
    id              TEXT    NOT NULL PRIMARY KEY,
    tenant_id       TEXT    NOT NULL,                -- a partner, '' the shop itself
    channels        TEXT    NOT NULL,                -- JSON array: the partner's sales channels
    state           TEXT    NOT NULL CHECK (state IN ('active', 'paused', 'disabled')),
    disabled_reason TEXT    NOT NULL,
    settings        TEXT    NOT NULL,                -- JSON, as the events have it
    secrets         TEXT    NOT NULL,                -- JSON array, sealed, the newest last
    verification    TEXT    NOT NULL,                -- JSON: what became of the last ping
    created_at      INTEGER NOT NULL,
    revision        INTEGER NOT NULL,                -- of the endpoint's stream
    failing         INTEGER NOT NULL DEFAULT 0       -- since when nothing was delivered, if its owner was told
) WITHOUT ROWID;

CREATE TABLE wh_checkpoint (
    name     TEXT    NOT NULL PRIMARY KEY,
    position INTEGER NOT NULL
) WITHOUT ROWID;

-- One row per endpoint and run. Everything up to pos is delivered or parked.
-- Only the owner writes, and only while the epoch is the one it got.
CREATE TABLE wh_cursor (
    endpoint_id TEXT    NOT NULL,
    run_id      TEXT    NOT NULL,
    pos         INTEGER NOT NULL,
    until_pos   INTEGER,                             -- where a replay ends
    from_pos    INTEGER NOT NULL DEFAULT 0,          -- where it began, or was last moved to
    spec        TEXT    NOT NULL DEFAULT '',         -- what a replay sends, JSON
    delivered   INTEGER NOT NULL DEFAULT 0,          -- messages, since the row is there
    seeks       INTEGER NOT NULL DEFAULT 0,          -- how often its endpoint's owner moved it
    wishes      INTEGER NOT NULL DEFAULT 0,          -- revision of the last wish that was noted
    owner       TEXT,
    epoch       INTEGER NOT NULL DEFAULT 0,
    lease_until INTEGER NOT NULL DEFAULT 0,
    gate_until  INTEGER NOT NULL DEFAULT 0,
    breaker     INTEGER NOT NULL DEFAULT 0,          -- 0 closed, 1 open, 2 half-open
    starts      INTEGER NOT NULL DEFAULT 0,          -- how often deliveries were started again
    failing_since INTEGER NOT NULL DEFAULT 0,        -- the first failure without a success after it
    PRIMARY KEY (endpoint_id, run_id)
) WITHOUT ROWID;

-- Exceptions: events that failed, those of their lane behind them, and those
-- that were given up.
CREATE TABLE wh_parked (
    endpoint_id TEXT    NOT NULL,
    run_id      TEXT    NOT NULL,
    commit_pos  INTEGER NOT NULL,
    lane        TEXT    NOT NULL,
    revision    INTEGER NOT NULL,                    -- in the lane, which is a stream
    event_id    TEXT    NOT NULL,
    attempt     INTEGER NOT NULL,                    -- made so far
    due_at      INTEGER,                             -- NULL: waits for those of its lane before it
    dead        INTEGER NOT NULL CHECK (dead IN (0, 1)),
    last_class  TEXT    NOT NULL,
    blocked     INTEGER NOT NULL DEFAULT 0,          -- given up, and its lane stands until somebody decides
    resent      INTEGER NOT NULL DEFAULT 0,          -- goes out beside its lane
    told        INTEGER NOT NULL DEFAULT 0,          -- its owner knows that it was given up
    PRIMARY KEY (endpoint_id, run_id, commit_pos)
) WITHOUT ROWID;

-- What owners want of single events, until it is done.
CREATE TABLE wh_wish (
    endpoint_id TEXT    NOT NULL,
    wish        INTEGER NOT NULL,                    -- revision of the wish in the endpoint's stream
    skip        INTEGER NOT NULL CHECK (skip IN (0, 1)),  -- give it up instead of sending it again
    commit_pos  INTEGER NOT NULL,
    lane        TEXT    NOT NULL,
    revision    INTEGER NOT NULL,                    -- in the lane
    event_id    TEXT    NOT NULL,
    PRIMARY KEY (endpoint_id, wish)
) WITHOUT ROWID;

-- What the live cursor passed over because it was told to go on elsewhere:
-- events after from_pos, up to and with until_pos.
CREATE TABLE wh_skipped (
    endpoint_id TEXT    NOT NULL,
    from_pos    INTEGER NOT NULL,
    until_pos   INTEGER NOT NULL,
    PRIMARY KEY (endpoint_id, from_pos)
) WITHOUT ROWID;

-- The days that there is a table wh_attempt_{day} of: a log for people. What was
-- sent is not in it.
CREATE TABLE wh_attempt_day (
    day INTEGER NOT NULL PRIMARY KEY                 -- 20260304
) WITHOUT ROWID;
