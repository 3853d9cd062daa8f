-- +goose Up
CREATE TABLE stock_levels (
  sku             TEXT NOT NULL,
  location        TEXT NOT NULL,
  on_hand         INTEGER NOT NULL,
  reserved        INTEGER NOT NULL, -- for checkouts under way
  committed       INTEGER NOT NULL, -- to orders
  policy          TEXT NOT NULL,    -- deny or backorder
  backorder_limit INTEGER NOT NULL,
  revision        INTEGER NOT NULL, -- of the item's stream
  PRIMARY KEY (sku, location)
) WITHOUT ROWID;

CREATE INDEX stock_levels_by_location ON stock_levels (location, sku);

-- Only reservations that are neither released nor committed have a row.
CREATE TABLE reservations_open (
  sku            TEXT NOT NULL,
  location       TEXT NOT NULL,
  reservation_id TEXT NOT NULL,
  checkout_id    TEXT NOT NULL,
  quantity       INTEGER NOT NULL,
  expires_at     INTEGER NOT NULL, -- milliseconds since 1970
  PRIMARY KEY (sku, location, reservation_id)
) WITHOUT ROWID;

CREATE INDEX reservations_by_expiry ON reservations_open (expires_at, sku, location, reservation_id);
CREATE INDEX reservations_by_sku ON reservations_open (sku, expires_at, location, reservation_id);
