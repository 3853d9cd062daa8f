-- +goose Up
-- Postgres takes a word that is not among those it counted for one that one in
-- some hundred orders has, and would read all of them for a number. Ten thousand
-- words are counted now, where it was a thousand.
ALTER TABLE words ALTER COLUMN text SET STATISTICS 1000;
