-- +goose Up
CREATE INDEX drafts_by_change ON drafts (status, changed_at);
