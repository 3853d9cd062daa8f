-- +goose Up
-- What velocity is counted from. A customer is an id, and no data about one.
CREATE TABLE fraud_orders (
    order_id    TEXT    NOT NULL PRIMARY KEY,
    customer_id TEXT    NOT NULL,
    placed_at   INTEGER NOT NULL -- ms
);

CREATE INDEX fraud_orders_by_customer ON fraud_orders (customer_id, placed_at);

-- The first verdict of the outside system counts.
CREATE TABLE fraud_verdicts (
    order_id TEXT NOT NULL PRIMARY KEY,
    decision TEXT NOT NULL CHECK (decision IN ('accept', 'review')),
    source   TEXT NOT NULL CHECK (source IN ('service', 'fallback')),
    reasons  TEXT NOT NULL
);

-- +goose Down
