-- +goose Up
CREATE TABLE authorisations (
  key        TEXT PRIMARY KEY,
  ref        TEXT NOT NULL,
  status     TEXT NOT NULL CHECK (status IN ('authorised', 'declined', 'voided')),
  amount     INTEGER NOT NULL, -- minor units
  currency   TEXT NOT NULL,
  method     TEXT NOT NULL,
  code       TEXT NOT NULL,
  message    TEXT NOT NULL,
  expires_at INTEGER NOT NULL, -- milliseconds since 1970
  asked      INTEGER NOT NULL DEFAULT 1 -- how often an authorisation was asked for
) WITHOUT ROWID;
