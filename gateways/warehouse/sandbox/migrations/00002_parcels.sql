-- +goose Up
ALTER TABLE jobs ADD COLUMN parcels TEXT NOT NULL DEFAULT '[]'; -- JSON: those that left
ALTER TABLE jobs ADD COLUMN refused TEXT NOT NULL DEFAULT ''; -- JSON: why the rest cannot be done
