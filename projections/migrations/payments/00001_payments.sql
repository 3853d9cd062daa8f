-- +goose Up
CREATE TABLE payments (
  payment_id   TEXT PRIMARY KEY,
  order_id     TEXT NOT NULL, -- which need not be placed
  status       TEXT NOT NULL, -- of the authorisation
  gateway      TEXT NOT NULL,
  method       TEXT NOT NULL,
  gateway_key  TEXT NOT NULL, -- what the gateway recognises a repeated request by
  gateway_ref  TEXT NOT NULL, -- the gateway's name for it, '' until it is authorised
  currency     TEXT NOT NULL,
  requested    INTEGER NOT NULL, -- amounts in minor units
  authorised   INTEGER NOT NULL,
  captured     INTEGER NOT NULL,
  refunded     INTEGER NOT NULL,
  charged_back INTEGER NOT NULL,
  code         TEXT NOT NULL, -- why it was declined, in the gateway's words
  void_failure TEXT NOT NULL, -- why the gateway did not let go of the money the last time
  before_void  TEXT NOT NULL, -- the status that a failed void returns to
  requested_at INTEGER NOT NULL, -- milliseconds since 1970
  expires_at   INTEGER NOT NULL, -- 0 is unknown
  changed_at   INTEGER NOT NULL,
  revision     INTEGER NOT NULL -- of the payment's stream
) WITHOUT ROWID;

CREATE INDEX payments_by_time ON payments (requested_at, payment_id);
CREATE INDEX payments_by_status ON payments (status, requested_at, payment_id);
CREATE INDEX payments_by_order ON payments (order_id, requested_at, payment_id);

-- Captures and refunds. Most payments have none until the goods go.
CREATE TABLE movements (
  payment_id   TEXT NOT NULL,
  kind         TEXT NOT NULL, -- capture or refund
  movement_id  TEXT NOT NULL,
  order_id     TEXT NOT NULL,
  status       TEXT NOT NULL, -- requested, done or failed
  currency     TEXT NOT NULL,
  amount       INTEGER NOT NULL,
  final        INTEGER NOT NULL, -- of a capture: what is left is let go
  gateway_ref  TEXT NOT NULL,
  code         TEXT NOT NULL, -- why it failed, in the gateway's words
  place        INTEGER NOT NULL, -- among those of its kind and payment, from 0
  requested_at INTEGER NOT NULL,
  changed_at   INTEGER NOT NULL,
  revision     INTEGER NOT NULL, -- of the payment's stream
  PRIMARY KEY (payment_id, kind, movement_id)
) WITHOUT ROWID;

CREATE INDEX movements_by_time ON movements (kind, requested_at, payment_id, movement_id);
CREATE INDEX movements_by_status ON movements (kind, status, requested_at, payment_id, movement_id);
CREATE INDEX movements_by_order ON movements (order_id, kind, requested_at, payment_id, movement_id);
