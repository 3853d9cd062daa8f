-- +goose Up
CREATE INDEX payments_by_gateway ON payments (gateway, requested_at, payment_id);
