-- +goose Up
-- Built anew, because an id names a movement of one key: shops call captures of
-- many orders by the same names.
CREATE TABLE movements_new (
  kind     TEXT NOT NULL CHECK (kind IN ('capture', 'refund')),
  key      TEXT NOT NULL REFERENCES authorisations (key),
  id       TEXT NOT NULL, -- the caller's
  ref      TEXT NOT NULL UNIQUE,
  status   TEXT NOT NULL CHECK (status IN ('done', 'failed')),
  amount   INTEGER NOT NULL,
  currency TEXT NOT NULL,
  code     TEXT NOT NULL,
  message  TEXT NOT NULL,
  asked    INTEGER NOT NULL DEFAULT 1, -- how often it was asked for
  PRIMARY KEY (kind, key, id)
) WITHOUT ROWID;
INSERT INTO movements_new (kind, key, id, ref, status, amount, currency, code, message, asked)
  SELECT kind, key, id, ref, status, amount, currency, code, message, asked FROM movements;
DROP TABLE movements;
ALTER TABLE movements_new RENAME TO movements;
CREATE INDEX movements_of ON movements (key);
