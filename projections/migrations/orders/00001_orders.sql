-- +goose Up
CREATE TABLE orders (
  order_id           TEXT PRIMARY KEY,
  number             TEXT NOT NULL,
  customer_id        TEXT NOT NULL,
  status             TEXT NOT NULL,
  payment_status     TEXT NOT NULL,
  fulfilment_status  TEXT NOT NULL,
  hold_reason        TEXT NOT NULL DEFAULT '', -- of the last hold in force
  tags               TEXT NOT NULL DEFAULT '[]', -- JSON, sorted
  currency           TEXT NOT NULL,
  subtotal           INTEGER NOT NULL, -- amounts in minor units
  discount           INTEGER NOT NULL,
  shipping           INTEGER NOT NULL,
  tax                INTEGER NOT NULL,
  total              INTEGER NOT NULL,
  payment_id         TEXT NOT NULL, -- of the payment it was placed with
  authorised         INTEGER NOT NULL,
  captured           INTEGER NOT NULL DEFAULT 0,
  refunded           INTEGER NOT NULL DEFAULT 0,
  line_count         INTEGER NOT NULL,
  ship_to_country    TEXT NOT NULL,
  external_source    TEXT NOT NULL,
  external_ref       TEXT NOT NULL,
  external_time      INTEGER NOT NULL, -- times in milliseconds since 1970, 0 is none
  placed_at          INTEGER NOT NULL,
  updated_at         INTEGER NOT NULL,
  revision           INTEGER NOT NULL -- of the order's stream
) WITHOUT ROWID;

CREATE UNIQUE INDEX orders_by_number ON orders (number);
CREATE INDEX orders_by_time ON orders (placed_at, order_id);
CREATE INDEX orders_by_customer ON orders (customer_id, placed_at, order_id);
CREATE INDEX orders_by_status ON orders (status, placed_at, order_id);
CREATE INDEX orders_by_payment ON orders (payment_status, placed_at, order_id);
CREATE INDEX orders_by_external ON orders (external_source, external_ref) WHERE external_ref <> '';

CREATE TABLE order_lines (
  order_id   TEXT NOT NULL,
  line_id    TEXT NOT NULL,
  sku        TEXT NOT NULL,
  title      TEXT NOT NULL,
  quantity   INTEGER NOT NULL,
  unit_price INTEGER NOT NULL,
  total      INTEGER NOT NULL,
  location   TEXT NOT NULL,
  placed_at  INTEGER NOT NULL, -- the order's, to list orders of a SKU by
  shipped    INTEGER NOT NULL DEFAULT 0,
  delivered  INTEGER NOT NULL DEFAULT 0,
  returned   INTEGER NOT NULL DEFAULT 0,
  cancelled  INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (order_id, line_id)
) WITHOUT ROWID;

CREATE INDEX order_lines_by_sku ON order_lines (sku, placed_at, order_id);

CREATE TABLE order_tags (
  tag       TEXT NOT NULL,
  placed_at INTEGER NOT NULL, -- the order's
  order_id  TEXT NOT NULL,
  PRIMARY KEY (tag, placed_at, order_id)
) WITHOUT ROWID;

-- What the next event of an order is folded onto. An order has none until
-- something happens to it after it was placed.
CREATE TABLE order_states (
  order_id TEXT PRIMARY KEY,
  state    TEXT NOT NULL -- JSON
) WITHOUT ROWID;

CREATE TABLE shipments (
  order_id     TEXT NOT NULL,
  shipment_id  TEXT NOT NULL,
  status       TEXT NOT NULL, -- shipped, delivered or failed
  carrier      TEXT NOT NULL,
  tracking     TEXT NOT NULL,
  units        INTEGER NOT NULL,
  lines        TEXT NOT NULL,    -- JSON, as in the event
  failure      TEXT NOT NULL DEFAULT '',
  shipped_at   INTEGER NOT NULL,
  delivered_at INTEGER NOT NULL DEFAULT 0,
  changed_at   INTEGER NOT NULL, -- when the last event about it was recorded
  PRIMARY KEY (order_id, shipment_id)
) WITHOUT ROWID;

CREATE INDEX shipments_by_time ON shipments (shipped_at, order_id, shipment_id);
CREATE INDEX shipments_by_status ON shipments (status, shipped_at, order_id, shipment_id);
CREATE INDEX shipments_by_tracking ON shipments (tracking) WHERE tracking <> '';

CREATE TABLE returns (
  order_id     TEXT NOT NULL,
  return_id    TEXT NOT NULL,
  status       TEXT NOT NULL, -- requested, received or rejected
  kind         TEXT NOT NULL, -- refund or exchange
  units        INTEGER NOT NULL, -- that are to come back
  received     INTEGER NOT NULL DEFAULT 0, -- of them
  lines        TEXT NOT NULL, -- JSON, as in the event
  reason       TEXT NOT NULL DEFAULT '', -- why it was rejected
  requested_at INTEGER NOT NULL,
  changed_at   INTEGER NOT NULL,
  PRIMARY KEY (order_id, return_id)
) WITHOUT ROWID;

CREATE INDEX returns_by_time ON returns (requested_at, order_id, return_id);
CREATE INDEX returns_by_status ON returns (status, requested_at, order_id, return_id);
