-- +goose Up
-- What was recorded of a customer; somebody who only ordered has no row.
CREATE TABLE customers (
  customer_id TEXT PRIMARY KEY,
  status      TEXT NOT NULL, -- '', registered, erasing or erased
  changed_at  INTEGER NOT NULL, -- milliseconds since 1970
  revision    INTEGER NOT NULL -- of the customer's stream
) WITHOUT ROWID;

CREATE TABLE customer_orders (
  order_id    TEXT PRIMARY KEY,
  customer_id TEXT NOT NULL,
  placed_at   INTEGER NOT NULL, -- milliseconds since 1970
  shipped     INTEGER NOT NULL, -- something of it was
  over        INTEGER NOT NULL  -- completed, or cancelled before anything was shipped
) WITHOUT ROWID;

CREATE INDEX customer_orders_by_customer ON customer_orders (customer_id, placed_at, order_id);

-- Only checkouts that are not over have a row.
CREATE TABLE customer_checkouts (
  checkout_id TEXT PRIMARY KEY,
  customer_id TEXT NOT NULL
) WITHOUT ROWID;

CREATE INDEX customer_checkouts_by_customer ON customer_checkouts (customer_id);

-- Only drafts that are not over have a row.
CREATE TABLE customer_drafts (
  draft_id    TEXT PRIMARY KEY,
  customer_id TEXT NOT NULL
) WITHOUT ROWID;

CREATE INDEX customer_drafts_by_customer ON customer_drafts (customer_id);
