-- +goose Up
CREATE TABLE drafts (
  draft_id    TEXT PRIMARY KEY,
  status      TEXT NOT NULL, -- open, placing, placed or discarded
  customer_id TEXT NOT NULL, -- '' while nobody is named
  currency    TEXT NOT NULL,
  order_id    TEXT NOT NULL, -- '' until it is placed
  opened_at   INTEGER NOT NULL, -- milliseconds since 1970
  changed_at  INTEGER NOT NULL,
  revision    INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX drafts_by_status ON drafts (status, opened_at, draft_id);
CREATE INDEX drafts_by_customer ON drafts (customer_id, opened_at, draft_id);
