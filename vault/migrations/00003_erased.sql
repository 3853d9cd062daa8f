-- +goose Up
-- Who was erased, to be read at the start.
CREATE INDEX subjects_erased ON subjects (subject) WHERE sealed_key IS NULL;
