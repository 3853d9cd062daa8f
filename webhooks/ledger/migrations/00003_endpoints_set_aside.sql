-- +goose Up
-- Endpoints with much of the past to send, which a process of its own does as
-- long as they are here.
CREATE TABLE wh_aside (
    endpoint_id TEXT NOT NULL PRIMARY KEY
) WITHOUT ROWID;
