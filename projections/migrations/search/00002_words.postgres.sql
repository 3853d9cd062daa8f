-- +goose Up
-- The words of each document, which are made by us: nothing parses them here.
CREATE TABLE words (
  rowid BIGINT PRIMARY KEY,
  text  TSVECTOR NOT NULL
);

-- What is written waits in a list until it is worth putting in order; who
-- searches reads all of the list.
CREATE INDEX words_by_text ON words USING gin (text) WITH (gin_pending_list_limit = 512);
