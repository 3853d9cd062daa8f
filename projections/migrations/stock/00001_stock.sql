-- +goose Up
CREATE TABLE stock_levels (
  sku             TEXT NOT NULL,
  location        TEXT NOT NULL,
  on_hand         INTEGER NOT NULL,
  reserved        INTEGER NOT NULL, -- for checkouts under way
  committed       INTEGER NOT NULL, -- to orders
  backorder_limit INTEGER NOT NULL,
  revision        INTEGER NOT NULL, -- of the item's stream
  PRIMARY KEY (sku, location)
) WITHOUT ROWID;
