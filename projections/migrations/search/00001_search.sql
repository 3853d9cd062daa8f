-- +goose Up
-- The orders that can be searched. Documents are numbered by when their order
-- was placed, so that the newest are found first.
CREATE TABLE documents (
  doc      INTEGER PRIMARY KEY,
  order_id TEXT NOT NULL,
  source   TEXT NOT NULL,   -- JSON: what its words follow from
  revision INTEGER NOT NULL -- of the order's stream
);

CREATE UNIQUE INDEX documents_by_order ON documents (order_id);
