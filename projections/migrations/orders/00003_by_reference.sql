-- +goose Up
-- Orders of another system by their name there, and all of such a system, each
-- in the order of its list. Orders that began here are in neither.
DROP INDEX IF EXISTS orders_by_external;
CREATE INDEX orders_by_reference ON orders (external_ref, placed_at, order_id) WHERE external_ref <> '';
CREATE INDEX orders_by_source ON orders (external_source, placed_at, order_id) WHERE external_source <> '';
