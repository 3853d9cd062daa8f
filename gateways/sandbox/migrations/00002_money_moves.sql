-- +goose Up
-- Built anew, because more states are known.
CREATE TABLE authorisations_new (
  key          TEXT PRIMARY KEY,
  ref          TEXT NOT NULL UNIQUE,
  status       TEXT NOT NULL CHECK (status IN ('action_required', 'authorised', 'declined', 'voided', 'expired')),
  amount       INTEGER NOT NULL, -- minor units, as are all amounts
  currency     TEXT NOT NULL,
  method       TEXT NOT NULL,
  code         TEXT NOT NULL,
  message      TEXT NOT NULL,
  expires_at   INTEGER NOT NULL, -- milliseconds since 1970
  asked        INTEGER NOT NULL DEFAULT 1, -- how often an authorisation was asked for
  return_url   TEXT NOT NULL DEFAULT '',
  final        INTEGER NOT NULL DEFAULT 0, -- 1 once a capture let go of the rest
  captured     INTEGER NOT NULL DEFAULT 0,
  refunded     INTEGER NOT NULL DEFAULT 0,
  charged_back INTEGER NOT NULL DEFAULT 0,
  CHECK (captured = 0 OR captured BETWEEN 0 AND amount),
  CHECK (refunded BETWEEN 0 AND captured)
) WITHOUT ROWID;
INSERT INTO authorisations_new (key, ref, status, amount, currency, method, code, message, expires_at, asked)
  SELECT key, ref, status, amount, currency, method, code, message, expires_at, asked FROM authorisations;
DROP TABLE authorisations;
ALTER TABLE authorisations_new RENAME TO authorisations;

-- Captures and refunds, also those that were refused.
CREATE TABLE movements (
  kind     TEXT NOT NULL CHECK (kind IN ('capture', 'refund')),
  id       TEXT NOT NULL, -- the caller's
  key      TEXT NOT NULL REFERENCES authorisations (key),
  ref      TEXT NOT NULL UNIQUE,
  status   TEXT NOT NULL CHECK (status IN ('done', 'failed')),
  amount   INTEGER NOT NULL,
  currency TEXT NOT NULL,
  code     TEXT NOT NULL,
  message  TEXT NOT NULL,
  asked    INTEGER NOT NULL DEFAULT 1, -- how often it was asked for
  PRIMARY KEY (kind, id)
) WITHOUT ROWID;
CREATE INDEX movements_of ON movements (key);

-- Callbacks that were not delivered yet.
CREATE TABLE callbacks (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  body   BLOB NOT NULL
);
