-- +goose Up
CREATE INDEX shipments_by_carrier ON shipments (carrier, shipped_at, order_id, shipment_id);
