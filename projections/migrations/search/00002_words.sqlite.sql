-- +goose Up
-- The words of each document, which are made by us: here they stand with spaces
-- between them, and are not read again.
CREATE VIRTUAL TABLE words USING fts5 (
  text, content = '', contentless_delete = 1, detail = column, tokenize = "ascii tokenchars '_'"
);
