-- +goose Up
-- When somebody's data began to be erased: nothing is added to it any more.
ALTER TABLE subjects ADD COLUMN retired_at INTEGER; -- milliseconds since 1970; NULL: it was not
