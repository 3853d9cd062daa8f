-- +goose Up
CREATE TABLE products (
  sku           TEXT PRIMARY KEY,
  title         TEXT NOT NULL,
  status        TEXT NOT NULL, -- active or withdrawn
  prices        TEXT NOT NULL, -- JSON, as in the events
  registered_at INTEGER NOT NULL, -- milliseconds since 1970
  revision      INTEGER NOT NULL -- of the product's stream
) WITHOUT ROWID;

CREATE INDEX products_by_status ON products (status, sku);
