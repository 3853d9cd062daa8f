-- +goose Up
-- Replays that ended and left messages undelivered. What they gave up stays in
-- wh_parked for as long as attempts are kept.
CREATE TABLE wh_ended (
    endpoint_id TEXT    NOT NULL,
    run_id      TEXT    NOT NULL,
    ended_at    INTEGER NOT NULL,
    PRIMARY KEY (endpoint_id, run_id)
) WITHOUT ROWID;
