-- +goose Up
-- What was sold, by the day of the order: each SKU by itself, and each day in
-- all, because an order of two SKUs is one order. Days are those of UTC,
-- YYYY-MM-DD; amounts are in minor units.
CREATE TABLE sales_daily (
  day      TEXT NOT NULL,
  currency TEXT NOT NULL,
  country  TEXT NOT NULL, -- where the goods go; empty is unknown
  sku      TEXT NOT NULL,
  orders   INTEGER NOT NULL,
  units    INTEGER NOT NULL,
  returned INTEGER NOT NULL,
  gross    INTEGER NOT NULL,
  discount INTEGER NOT NULL,
  refunds  INTEGER NOT NULL,
  PRIMARY KEY (day, currency, country, sku)
) WITHOUT ROWID;

CREATE TABLE sales_totals (
  day      TEXT NOT NULL,
  currency TEXT NOT NULL,
  country  TEXT NOT NULL,
  orders   INTEGER NOT NULL,
  units    INTEGER NOT NULL,
  returned INTEGER NOT NULL,
  gross    INTEGER NOT NULL,
  discount INTEGER NOT NULL,
  refunds  INTEGER NOT NULL,
  PRIMARY KEY (day, currency, country)
) WITHOUT ROWID;

-- What of an order its share depends on, for what happens to it later.
CREATE TABLE sales_orders (
  order_id TEXT PRIMARY KEY,
  day      TEXT NOT NULL,
  currency TEXT NOT NULL,
  country  TEXT NOT NULL,
  state    TEXT NOT NULL,   -- JSON
  revision INTEGER NOT NULL -- of the order's stream, of the last event that changed the share
) WITHOUT ROWID;
